"""Runs a coroutine at once; it becomes a task only when it has to wait (Python 3.12's eager tasks).

Most commands need no wait, and a task costs a turn of the loop. Until the first wait there is no
current task: what needs one (asyncio.timeout, TaskGroup) has to wait for something before, if only
by asyncio.sleep(0).
"""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any


def start(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]
) -> asyncio.Task[None] | None:
    """The task that goes on with `work`, None when it is done. Raises what `work` raises."""
    try:
        waited = work.send(None)
    except StopIteration:
        return None
    return loop.create_task(_go_on(work, [waited]))


async def _go_on(work: Coroutine[Any, Any, None], begun: list[object]) -> None:
    await _delegate(work, begun)


@coroutine
def _delegate(work: Coroutine[Any, Any, None], begun: list[object]) -> Generator[Any, Any, None]:
    """As `yield from work`, for one that has yielded what `begun` holds already.

    What is waited for is let go of when it fails: its error refers to this frame.
    """
    waited = begun.pop()
    try:
        while True:
            try:
                sent = yield waited
            except BaseException as error:
                waited = None
                waited = work.throw(error)
            else:
                waited = work.send(sent)
    except StopIteration:
        return
