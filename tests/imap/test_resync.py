"""QRESYNC against what really happened: random changes, journals that don't reach back, speed."""

import random
import re
import time
from pathlib import Path

from imap.grammar.resync import SequenceMatch
from imap.grammar.values import SequenceSet
from imap.mode import Mode
from imap.resync import _matched
from storage.prune import Pruner
from storage.values import FlagChange, Flags, System
from tests.support.imap_server import USER, Client, Imap, message, serving

_DELETED, _FLAGGED = Flags(System.DELETED), Flags(System.FLAGGED)


async def reconnect(imap: Imap, known: str) -> list[bytes]:
    """What SELECT with QRESYNC says to a new session."""
    client = await imap.session()
    await client.ok("ENABLE QRESYNC")
    return await client.ok(f"SELECT INBOX (QRESYNC ({known}))")


async def standing(client: Client) -> tuple[int, int]:
    """UIDVALIDITY and HIGHESTMODSEQ."""
    (line,) = await client.ok("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)")
    found = re.search(rb"UIDVALIDITY (\d+) HIGHESTMODSEQ (\d+)", line)
    assert found is not None
    return int(found[1]), int(found[2])


def vanished(lines: list[bytes], *, earlier: bool = True) -> set[int]:
    """The UIDs of VANISHED."""
    mark = rb"\* VANISHED \(EARLIER\) (.*)" if earlier else rb"\* VANISHED (\d.*)"
    uids: set[int] = set()
    for line in lines:
        found = re.fullmatch(mark, line)
        for part in found[1].split(b",") if found else ():
            low, _, high = part.partition(b":")
            uids |= set(range(int(low), int(high or low) + 1))
    return uids


def fetched(lines: list[bytes]) -> dict[int, bytes]:
    """Flags by UID."""
    found = [re.fullmatch(rb"\* \d+ FETCH \(UID (\d+) FLAGS \((.*?)\) .*\)", x) for x in lines]
    return {int(match[1]): match[2] for match in found if match}


async def test_a_client_that_comes_back_agrees_with_the_mailbox(tmp_path: Path) -> None:
    """Random changes between reconnects: the client's copy, brought up to date, is the mailbox."""
    chance = random.Random(7162)
    async with serving(tmp_path) as imap:
        account = imap.accounts[USER]
        watcher = await imap.session()
        box = await imap.store.mailbox(account, "INBOX")
        copy: dict[int, bytes] = {}
        validity, known = await standing(watcher)
        for _ in range(25):
            for _ in range(chance.randrange(6)):
                await change(imap, box.id, chance)
            lines = await reconnect(imap, f"{validity} {known}")
            gone = vanished(lines)
            assert not gone & fetched(lines).keys()
            copy = {uid: flags for uid, flags in copy.items() if uid not in gone}
            copy |= fetched(lines)
            validity, known = await standing(watcher)
            other = await imap.session(mailbox="INBOX")
            answer = await other.ok("UID FETCH 1:* (FLAGS)")
            told = [re.fullmatch(rb"\* \d+ FETCH \(UID (\d+) FLAGS \((.*)\)\)", x) for x in answer]
            assert copy == {int(match[1]): match[2] for match in told if match}


async def change(imap: Imap, box: int, chance: random.Random) -> None:
    """One random change of INBOX."""
    account = imap.accounts[USER]
    uidnext = (await imap.store.mailbox(account, "INBOX")).uidnext
    uids = sorted({chance.randrange(1, uidnext + 1) for _ in range(chance.randrange(1, 5))})
    what = chance.randrange(6)
    if what < 3 or uidnext < 8:
        await imap.deliver(message())
    elif what == 3:
        kind = chance.choice((FlagChange.ADD, FlagChange.REMOVE))
        await imap.store.store(account, box, uids, kind, _FLAGGED)  # type: ignore[arg-type]
    elif what == 4:
        await imap.store.store(account, box, uids, FlagChange.ADD, _DELETED)  # type: ignore[arg-type]
        await imap.store.expunge(account, box, uids)  # type: ignore[arg-type]
    else:
        await imap.store.move(account, box, uids, "Trash")  # type: ignore[arg-type]


async def test_below_the_floor_every_missing_uid_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        account = imap.accounts[USER]
        watcher = await imap.session()
        validity, known = await standing(watcher)
        for _ in range(12):
            await imap.deliver(message())
        box = await imap.store.mailbox(account, "INBOX")
        gone = [1, 2, 5, 9, 10, 11, 12]
        await imap.store.store(account, box.id, gone, FlagChange.ADD, _DELETED)
        await imap.store.expunge(account, box.id, gone)
        await imap.store.store(account, box.id, [4], FlagChange.ADD, _FLAGGED)
        await imap.store.mirror.settle()
        clock = imap.server._context.clock
        short = Pruner(
            imap.store.database, imap.store.run_job, clock, keep_seconds=-60.0, keep_numbers=1
        )
        assert await short.prune()
        lines = await reconnect(imap, f"{validity} {known}")
        assert b"* VANISHED (EARLIER) 1:2,5,9:12" in lines
        assert set(fetched(lines)) == {3, 4, 6, 7, 8}
        lines = await reconnect(imap, f"{validity} {known} 2:4,8:10")
        assert b"* VANISHED (EARLIER) 2,9:10" in lines
        assert set(fetched(lines)) == {3, 4, 8}
        # up to the last number that still fits nothing can be missing
        lines = await reconnect(imap, f"{validity} {known} (1:5 3:4,6:8)")
        assert b"* VANISHED (EARLIER) 9:12" in lines
        lines = await reconnect(imap, f"{validity} {known} 1:12 (3,5,8 5,8,12)")
        assert b"* VANISHED (EARLIER) 9:12" in lines
        client = await imap.session()
        await client.ok("ENABLE QRESYNC")
        await client.ok("SELECT INBOX")
        lines = await client.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known} VANISHED)")
        assert b"* VANISHED (EARLIER) 1:2,5,9:12" in lines


async def test_messages_the_session_counts_are_not_told_as_earlier(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for _ in range(3):
            await imap.deliver(message())
        client = await imap.session()
        await client.ok("ENABLE QRESYNC")
        await client.ok("SELECT INBOX")
        _, known = await standing(client)
        other = await imap.session(mailbox="INBOX")
        await other.ok(r"STORE 2 +FLAGS (\Deleted)")
        await other.ok("EXPUNGE")
        lines = await client.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known} VANISHED)")
        assert not vanished(lines)
        assert vanished(lines, earlier=False) == {2}


async def test_close_gives_no_modseq_above_what_the_client_knows(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for _ in range(3):
            await imap.deliver(message())
        client = await imap.session()
        await client.ok("ENABLE QRESYNC")
        await client.ok("SELECT INBOX")
        await client.ok(r"STORE 1 +FLAGS (\Deleted)")
        _, known = await standing(client)
        other = await imap.session(mailbox="INBOX")
        await other.ok(r"STORE 2 +FLAGS (\Flagged)")
        _, tagged = await client.command("CLOSE")
        assert b"[HIGHESTMODSEQ %d]" % known in tagged


async def test_a_thousand_messages_expunged_come_in_one_range(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        watcher = await imap.session()
        for _ in range(3):
            await imap.deliver(message())
        validity, known = await standing(watcher)
        client = await imap.session(mailbox="INBOX")
        for _ in range(5):
            await client.ok("COPY 1:* Archive")
        await client.ok("SELECT Archive")
        for _ in range(5):
            await client.ok("COPY 1:* INBOX")
        await client.ok("SELECT INBOX")
        await client.ok(r"STORE 4:* +FLAGS.SILENT (\Deleted)")
        await client.ok("EXPUNGE")
        began = time.perf_counter()
        lines = await reconnect(imap, f"{validity} {known}")
        assert time.perf_counter() - began < 5
        (line,) = [line for line in lines if line.startswith(b"* VANISHED")]
        assert line == b"* VANISHED (EARLIER) 4:78"


def test_values() -> None:
    match = SequenceMatch(SequenceSet(((1, 3),)), SequenceSet(((4, 6),)))
    assert match.numbers.largest == 3
    assert Mode.of({"QRESYNC"}, False) == Mode(True, True, False)
    assert Mode.of({"UIDONLY"}, False).vanished


async def test_sequence_match_data_of_any_form(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for _ in range(6):
            await imap.deliver(message())
        account = imap.accounts[USER]
        box = await imap.store.mailbox(account, "INBOX")
        await imap.store.store(account, box.id, [3], FlagChange.ADD, _DELETED)
        await imap.store.expunge(account, box.id, [3])
        client = await imap.session(mailbox="INBOX")
        del client
        session = next(iter(imap.server._connections)).session
        for numbers, uids, above in [
            ("1:2", "1:2", 2),
            ("1:6", "1:6", 2),
            ("3:5", "4:6", 6),
            ("1,3,5", "1,4,6", 6),
            ("1:1000000000", "1:1000000000", 2),
            ("2", "3", 0),
        ]:
            pair = [_set(numbers), _set(uids)]
            assert _matched(session.mailbox, SequenceMatch(*pair)) == above


def _set(text: str) -> SequenceSet:
    parts = [part.partition(":") for part in text.split(",")]
    return SequenceSet(tuple((int(low), int(high or low)) for low, _, high in parts))
