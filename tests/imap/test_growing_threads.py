"""THREAD of a mailbox that grows, shrinks and grows: the same as of its messages asked for anew."""

import random
from pathlib import Path

import pytest

from message import threads_kept
from message.threads_kept import KeptThreads
from tests.support.imap_server import Client, Imap, serving

_ALGORITHMS = ("REFERENCES", "REFS", "ORDEREDSUBJECT")


async def _arrives(imap: Imap, chance: random.Random, number: int) -> None:
    """A message of its own, a reply to an earlier one, or to one that is not there."""
    named = [chance.randrange(1, number + 3) for _ in range(chance.choice((0, 0, 1, 2)))]
    references = " ".join(f"<{one}@example.org>" for one in named)
    subject = ("Re: " if named else "") + chance.choice(("plan", "lunch", "report", "x", ""))
    await imap.deliver(
        f"From: ann@example.org\r\nSubject: {subject}\r\nMessage-ID: <{number}@example.org>\r\n"
        f"References: {references}\r\n"
        f"Date: Tue, 03 Feb 2026 04:{chance.randrange(60):02}:06 +0000\r\n\r\nx\r\n".encode()
    )


async def _compare(client: Client) -> None:
    """The first message stands alone: without it the mailbox is threaded from the beginning."""
    for algorithm in _ALGORITHMS:
        for prefix in ("", "UID "):
            (whole,) = await client.ok(f"{prefix}THREAD {algorithm} UTF-8 ALL")
            (rest,) = await client.ok(f"{prefix}THREAD {algorithm} UTF-8 NOT SUBJECT alone")
            assert whole.replace(b"(1)", b"", 1) == rest


async def test_threads_that_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    take = KeptThreads.take

    def counted(self: KeptThreads, *args):  # type: ignore[no-untyped-def]
        taken.append(args[0])
        return take(self, *args)

    monkeypatch.setattr(threads_kept.KeptThreads, "take", counted)
    chance = random.Random(7)
    async with serving(tmp_path) as imap:
        await imap.deliver(b"Subject: alone\r\n\r\nx\r\n")
        client = await imap.session(mailbox="INBOX")
        for number in range(1, 31):
            for _ in range(chance.choice((1, 1, 2))):
                await _arrives(imap, chance, number)
            await client.ok("NOOP")
            await _compare(client)
            if number % 10 == 0:
                await client.ok(f"STORE {chance.randint(2, number)} +FLAGS.SILENT (\\Deleted)")
                await client.ok("EXPUNGE")
                await _compare(client)
        # two algorithms by number and by UID, from the second time on that it grew, thrice
        assert len(taken) == 4 * (8 + 9 + 9)
