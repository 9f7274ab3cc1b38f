"""Mutated SMTP and IMAP for a while: the server never falls, hangs or loses its step."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.support.fuzz import Fuzzer
from tests.support.server import PASSWORD
from tests.support.whole import Whole, whole

WORKERS = 6


@pytest.mark.parametrize("seed", [1, 2])
async def test_mutated_conversations(tmp_path: Path, seed: int) -> None:
    with whole(tmp_path) as server:
        await fuzz(server, seed, 8)


async def fuzz(server: Whole, seed: int, seconds: float) -> str:
    """Several workers with accounts of their own; then everything still works. Returns counts."""
    accounts = [await server.account() for _ in range(WORKERS)]
    smtp, imap = server.process.port("smtp"), server.process.port("imap")
    fuzzers = [
        Fuzzer(smtp, imap, account, PASSWORD, random.Random(f"{seed}.{number}"))
        for number, account in enumerate(accounts)
    ]
    await asyncio.gather(*(fuzzer.run(seconds) for fuzzer in fuzzers))
    lines, streams = sum(one.lines for one in fuzzers), sum(one.streams for one in fuzzers)
    assert lines > 100 and streams > 100
    async with server.imap(accounts[0]) as client:
        await client.ok("NOOP")
    async with server.smtp() as sender:
        await sender.begin("a@b.test", accounts[0])
        assert (await sender.say(b"Subject: after\r\n\r\n."))[:3] == "250"
    return f"{lines:,} lines, {streams:,} streams"
