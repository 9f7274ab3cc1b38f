"""Delivery over SMTP: accepted, durable, and in the mailbox."""

import asyncio
import itertools
import time
from collections.abc import Callable
from random import Random

import uvloop

from tests.bench.clients import message, send_session
from tests.bench.rows import Row
from tests.bench.sides import Side, user

_numbers = itertools.count()
# Like words of a language in length and number.
_WORDS = ["".join(Random(n).choices("etaoinshrdlu", k=3 + n % 9)) for n in range(5000)]


def deliver(
    side: Side, sessions: int, total: int, size: int, make: Callable[[int, int], bytes] = message
) -> float:
    """Delivered messages a second: from the first connection to the last file in the Maildir."""
    recipient = user(0)
    before = side.delivered(recipient) if side.ours or _exists(side, recipient) else 0
    each = total // sessions
    batches = [[make(size, next(_numbers)) for _ in range(each)] for _ in range(sessions)]

    async def load() -> None:
        async with asyncio.TaskGroup() as group:
            for batch in batches:
                group.create_task(send_session(side.smtp_port, recipient, batch))

    start = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(load())
    while not _exists(side, recipient) or side.delivered(recipient) < before + each * sessions:
        time.sleep(0.01)
    return each * sessions / (time.perf_counter() - start)


def letter(size: int, number: int) -> bytes:
    """A message of words that no other has in that order, for filters that look at texts."""
    chosen = Random(number)
    head = message(0, number).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    count = max(1, (size - len(head)) // 72)
    lines = (" ".join(chosen.choices(_WORDS, k=9))[:70] + "\r\n" for _ in range(count))
    return head + "".join(lines).encode()


def _exists(side: Side, recipient: str) -> bool:
    return (side.maildirs / recipient / "cur").exists()


ROWS = [
    Row("deliver 4 KiB, 1 session", "msg/s", lambda s: deliver(s, 1, 300, 4096), at_least=1),
    Row("deliver 4 KiB, 10 sessions", "msg/s", lambda s: deliver(s, 10, 1500, 4096), at_least=4),
    Row("deliver 4 KiB, 50 sessions", "msg/s", lambda s: deliver(s, 50, 2000, 4096), at_least=8),
    Row("deliver 64 KiB, 10 sessions", "msg/s", lambda s: deliver(s, 10, 500, 65536), at_least=5),
]
# With the whole default pipeline; Postfix has rspamd as its milter.
WHOLE_ROWS = [
    Row(
        "deliver 4 KiB, 10 sessions, whole pipeline",
        "msg/s",
        lambda s: deliver(s, 10, 500, 4096, letter),
        at_least=2,
        whole=True,
    ),
    Row(
        "deliver 4 KiB, 50 sessions, whole pipeline",
        "msg/s",
        lambda s: deliver(s, 50, 1000, 4096, letter),
        at_least=2,
        whole=True,
    ),
]
