"""Relaying: accepted, durable, and taken by the next hop, which is smtp-sink for both sides.

Our side takes the mail on the submission listener, after AUTH; Postfix on its MX listener, as a
relay domain. Both send it to one host and port, like to a smarthost, and neither signs it.
"""

import asyncio
import base64
import itertools
import time

import uvloop

from tests.bench.clients import expect
from tests.bench.rows import Row
from tests.bench.sides import PASSWORD, RELAYED, Side, user

_numbers = itertools.count()


def relay(side: Side, sessions: int, total: int, size: int) -> float:
    """Messages a second: from the first connection until the sink has the last one."""
    assert side.sink is not None
    each = total // sessions
    batches = [[_message(size) for _ in range(each)] for _ in range(sessions)]
    before, start = side.sink.count, time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_load(side, batches))
    side.sink.wait(before + each * sessions, 300)
    return each * sessions / (time.perf_counter() - start)


async def _load(side: Side, batches: list[list[bytes]]) -> None:
    async with asyncio.TaskGroup() as group:
        for number, batch in enumerate(batches):
            group.create_task(_session(side, number, batch))


def _message(size: int) -> bytes:
    number = next(_numbers)
    head = (
        f"From: <{user(0)}>\r\nTo: <u{number}@{RELAYED}>\r\nSubject: Load {number}\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}.{time.monotonic_ns()}@bench.test>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    line = b"The quick brown fox jumps over the lazy dog and goes home again.\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


async def _session(side: Side, number: int, batch: list[bytes]) -> None:
    port = side.submission_port or side.smtp_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    await expect(reader, b"220")
    writer.write(b"EHLO load.test\r\n")
    await expect(reader, b"250")
    if side.ours:
        login = base64.b64encode(f"\0{user(0)}\0{PASSWORD}".encode())
        writer.write(b"AUTH PLAIN " + login + b"\r\n")
        await expect(reader, b"235")
    for count, body in enumerate(batch):
        to = f"u{number}.{count}@{RELAYED}"
        writer.write(f"MAIL FROM:<{user(0)}>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
        for code in (b"250", b"250", b"354"):
            await expect(reader, code)
        writer.write(body + b".\r\n")
        await expect(reader, b"250")
    writer.write(b"QUIT\r\n")
    await expect(reader, b"221")
    writer.close()


ROWS = [
    Row(
        "relay 10,000 of 4 KiB to a sink, 10 sessions",
        "msg/s",
        lambda side: relay(side, 10, 10_000, 4096),
        at_least=1,
    ),
]
