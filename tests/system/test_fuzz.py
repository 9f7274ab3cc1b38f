"""Mutated SMTP and IMAP for a while: the server never falls, hangs, loses its step or stands still,
and nobody's mail is changed by others.
"""

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.support.fuzz import Fuzzer
from tests.support.fuzz_seeds import Seeds
from tests.support.server import PASSWORD
from tests.support.whole import WatchedProcess, Whole, whole
from tests.system.bystander import Bystander

WORKERS = 6
EACH = 600
"""Streams after which a worker takes a fresh account: the old one has filled up."""
BLOCKED_MS = 500
"""Ten times what is meant, for the sake of busy machines."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_conversations(tmp_path: Path, seed: int) -> None:
    print(fuzzed(tmp_path, seed, 20))


def fuzzed(folder: Path, seed: int, seconds: float, streams: int = 1 << 60, made: int = 60) -> str:
    """Runs until the time or the number of streams is over. Its counts."""
    seeds = Seeds.of(seed, made)
    with whole(folder, made=WatchedProcess) as server:
        counts = asyncio.run(_fuzz(server, seeds, seed, seconds, streams))
    assert isinstance(server.process, WatchedProcess)
    blocked = server.process.blocked()
    for one in blocked[:5]:
        print(f"{one['wall']:8.1f} ms, {one['cpu']:8.1f} ms of it at work: {one['where']}")
    worst = max((one["wall"] for one in blocked), default=0.0)
    assert worst < BLOCKED_MS
    work = max((one["cpu"] for one in blocked), default=0.0)
    return f"{counts}, loop blocked for {worst:.0f} ms at most, {work:.0f} ms of work"


async def _fuzz(server: Whole, seeds: Seeds, seed: int, seconds: float, streams: int) -> str:
    """Several workers, each in accounts of its own; then everything still works."""
    bystander = await Bystander.settled(server)
    smtp, imap = server.process.port("smtp"), server.process.port("imap")
    end = time.monotonic() + seconds
    done: list[Fuzzer] = []

    async def work(number: int) -> None:
        chance, left = random.Random(f"{seed}.{number}"), streams // WORKERS + 1
        while time.monotonic() < end and left > 0:
            account = await server.account()
            one = Fuzzer(smtp, imap, account, PASSWORD, bystander.address, seeds, chance)
            done.append(one)
            await one.run(end - time.monotonic(), min(EACH, left))
            left -= one.streams

    async with asyncio.TaskGroup() as group:
        for number in range(WORKERS):
            group.create_task(work(number))
    lines, count = sum(one.lines for one in done), sum(one.streams for one in done)
    assert lines > 100 and count > 100
    await bystander.check()
    async with server.imap(done[-1].account) as client:
        await client.ok("NOOP")
    async with server.smtp() as sender:
        await sender.begin("a@b.test", done[-1].account)
        assert (await sender.say(b"Subject: after\r\n\r\n."))[:3] == "250"
    return f"{count:,} streams, {lines:,} lines"
