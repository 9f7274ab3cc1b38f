"""Scanning with one clamd that has three signatures: our client, and pyclamd's scan_stream.

What clamd itself does is the larger part of both sides, and grows with its signatures; the rows
show what the way to it costs.
"""

import asyncio
import atexit
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from functools import cache

import pyclamd
import uvloop

from net.clamd_client import ClamdClient
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.clamd import Clamd, running_clamd

_SCANS = {4096: 2000, 65536: 600, 1024**2: 60}


@cache
def _clamd() -> Clamd:
    """Started with the first row, ended with the program."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_clamd(version=27000))


def scan(side: Side, size: int, at_once: int) -> float:
    """Messages a second. pyclamd blocks, so that it has one at a time always."""
    data, count, clamd = message(size, 1), _SCANS[size], _clamd()
    start = time.perf_counter()
    if side.ours:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_ours(clamd.unix, data, count, at_once))
    else:
        client = pyclamd.ClamdUnixSocket(clamd.unix.removeprefix("unix:"))
        for _ in range(count):
            assert client.scan_stream(data) is None
    return count / (time.perf_counter() - start)


async def _ours(address: str, data: bytes, count: int, at_once: int) -> None:
    client = ClamdClient(address, 60, at_once)

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield data

    async def some() -> None:
        for _ in range(count // at_once):
            assert not (await client.scan(pieces)).signature

    await asyncio.gather(*(some() for _ in range(at_once)))
    client.close()


ROWS = [
    Row("clamd 4 KiB, one at a time", "msg/s", lambda s: scan(s, 4096, 1), at_least=1),
    Row("clamd 4 KiB, 8 at a time", "msg/s", lambda s: scan(s, 4096, 8), at_least=1.5),
    Row("clamd 64 KiB, one at a time", "msg/s", lambda s: scan(s, 65536, 1), at_least=1),
    Row("clamd 64 KiB, 8 at a time", "msg/s", lambda s: scan(s, 65536, 8), at_least=1),
    Row("clamd 1 MiB, one at a time", "msg/s", lambda s: scan(s, 1024**2, 1), at_least=1),
]
