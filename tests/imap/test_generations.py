"""Sequence numbers: each session has its own, and they move only when the client is told."""

import random
import re
from pathlib import Path

import pytest

from tests.support.imap_server import Client, Imap, message, serving

_FETCH = re.compile(rb"\* (\d+) FETCH \(UID (\d+)[ )]")


class Mirror:
    """What a client believes: the UIDs by number, learnt from EXISTS, EXPUNGE and FETCH."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.uids: list[int | None] = []

    async def run(self, command: str) -> bytes:
        untagged, tagged = await self.client.command(command)
        for line in untagged:
            self.hear(line)
        return tagged

    def hear(self, line: bytes) -> None:
        words = line.split()
        if words[2:3] == [b"EXISTS"]:
            count = int(words[1])
            assert count >= len(self.uids), "EXISTS must not shrink a mailbox"
            self.uids += [None] * (count - len(self.uids))
        elif words[2:3] == [b"EXPUNGE"]:
            del self.uids[int(words[1]) - 1]
        elif found := _FETCH.match(line):
            number, uid = int(found[1]), int(found[2])
            known = self.uids[number - 1]
            assert known in (None, uid), f"{number} is UID {known}, the server says {uid}"
            self.uids[number - 1] = uid


async def _step(rng: random.Random, imap: Imap, mirror: Mirror) -> None:
    count = len(mirror.uids)
    number = rng.randint(1, count) if count else 0
    choice = rng.randrange(9)
    if choice == 0:
        await imap.deliver(message("New"))
    elif choice == 1 and number:
        await mirror.run(f"STORE {number} +FLAGS (\\Deleted)")
    elif choice == 2:
        await mirror.run("EXPUNGE")
    elif choice == 3 and number:
        await mirror.run(f"MOVE {number} Trash")
    elif choice == 4 and number:
        await mirror.run(f"COPY {number} INBOX")
    elif choice == 5 and number:
        await mirror.run(f"FETCH {number}:* (UID FLAGS)")
    elif choice == 6:
        await mirror.run("UID FETCH 1:* (FLAGS)")
    elif choice == 7:
        await mirror.run("SEARCH ALL")
    else:
        await mirror.run("NOOP")


@pytest.mark.parametrize("seed", range(6))
async def test_three_sessions_never_disagree_with_the_server(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    async with serving(tmp_path) as imap:
        for number in range(5):
            await imap.deliver(message(f"{number}"))
        mirrors = [Mirror(await imap.session()) for _ in range(3)]
        for mirror in mirrors:
            await mirror.run("SELECT INBOX")
        for _ in range(80):
            await _step(rng, imap, rng.choice(mirrors))
        for mirror in mirrors:
            await mirror.run("NOOP")
            await mirror.run("UID FETCH 1:* (UID)")
        assert mirrors[0].uids == mirrors[1].uids == mirrors[2].uids
        assert None not in mirrors[0].uids


async def test_a_fetch_under_way_keeps_its_numbers(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for number in range(4):
            await imap.deliver(message(f"{number}"))
        slow, quick = await imap.session(mailbox="INBOX"), await imap.session(mailbox="INBOX")
        await quick.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        await slow.ok("NOOP")
        await quick.ok("EXPUNGE")
        untagged, tagged = await slow.command("FETCH 1:4 (UID)")
        assert untagged == [b"* 3 FETCH (UID 3)", b"* 4 FETCH (UID 4)"]
        assert tagged.startswith(b"NO [EXPUNGEISSUED]")
        assert (await slow.command("COPY 1 Trash"))[1].startswith(b"NO [EXPUNGEISSUED]")
        assert await slow.ok("UID FETCH 3 (FLAGS)") == [b"* 1 FETCH (UID 3 FLAGS ())"]


async def test_expunge_of_many_is_told_in_falling_numbers(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for number in range(6):
            await imap.deliver(message(f"{number}"))
        actor, watcher = await imap.session(mailbox="INBOX"), await imap.session(mailbox="INBOX")
        await actor.ok("STORE 1,3:4,6 +FLAGS.SILENT (\\Deleted)")
        told = await actor.ok("EXPUNGE")
        assert told == [b"* 1 EXPUNGE", b"* 2 EXPUNGE", b"* 2 EXPUNGE", b"* 3 EXPUNGE"]
        assert (await watcher.ok("NOOP"))[:4] == told
        assert await watcher.ok("FETCH 1:* UID") == [b"* 1 FETCH (UID 2)", b"* 2 FETCH (UID 5)"]
