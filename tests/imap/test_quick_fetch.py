"""FETCH of one whole message has a short way: it says what the usual one says."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.store import Store
from storage.values import AccountId, MailboxId
from tests.support.imap_server import USER, Imap, message, serving

_SHORT = (
    "FETCH 2 BODY.PEEK[]",
    "UID FETCH 2 BODY.PEEK[]",
    "UID FETCH 2 (BODY.PEEK[])",
    "uid fetch 2 (UID FLAGS body.peek[])",
    "FETCH 3 (FLAGS RFC822.PEEK)",
)
_USUAL = (
    "FETCH 0 BODY.PEEK[]",
    "FETCH 9 BODY.PEEK[]",
    "UID FETCH 9 BODY.PEEK[]",
    "UID FETCH 99999999999 BODY.PEEK[]",
    "FETCH 2  BODY.PEEK[]",
    "FETCH 2 BODY.PEEK[]x",
    "FETCH 2 BODY.PEEK[]<0.5>",
    "FETCH 2 BODY.PEEK[TEXT]",
    "FETCH 2 (INTERNALDATE BODY.PEEK[])",
    "FETCH 2 (BODY.PEEK[] BODY.PEEK[TEXT])",
    "FETCH 2:3 BODY.PEEK[]",
)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """On a disk: where tests keep what they write otherwise, in memory, there is no RWF_NOWAIT, by
    which the short way reads.
    """
    here = Path(__file__).parents[2] / "var"
    here.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=here) as folder:
        yield Path(folder)


class _Switch:
    """Counts what went the short way; `closed` sends everything the usual way."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.closed, self.count = False, 0
        inner = Store.message_at_once

        def at_once(store: Store, account: AccountId, mailbox: MailboxId, uid: int) -> bytes | None:
            data = None if self.closed else inner(store, account, mailbox, uid)
            self.count += data is not None
            return data

        patch.setattr(Store, "message_at_once", at_once)


async def _mailbox(imap: Imap) -> None:
    client = await imap.session()
    for number in range(4):
        await client.append(message(f"number {number}"), flags="\\Flagged" if number % 2 else "")


async def test_both_ways_answer_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = _Switch(monkeypatch)
    async with serving(tmp_path) as imap:
        await _mailbox(imap)
        for condstore in (False, True):
            client = await imap.session()
            await client.ok("SELECT INBOX (CONDSTORE)" if condstore else "SELECT INBOX")
            for text, short in [(t, True) for t in _SHORT] + [(t, False) for t in _USUAL]:
                before = switch.count
                quick = await client.command(text)
                assert (switch.count > before) is short, text
                switch.closed = True
                assert quick == await client.command(text)
                switch.closed = False


@pytest.mark.parametrize("name", ["QRESYNC", "UIDONLY", "UTF8=ACCEPT", "IMAP4rev2"])
async def test_both_ways_answer_alike_whatever_is_enabled(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = _Switch(monkeypatch)
    async with serving(tmp_path, more={"imap": {"uidonly": True}}) as imap:
        await _mailbox(imap)
        client = await imap.session()
        await client.ok(f"ENABLE {name}")
        await client.ok("SELECT INBOX")
        for text in (*_SHORT, *_USUAL):
            quick = await client.command(text)
            switch.closed = True
            assert quick == await client.command(text)
            switch.closed = False
        assert switch.count


async def test_what_else_happened_is_told_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = _Switch(monkeypatch)
    async with serving(tmp_path) as imap:
        await _mailbox(imap)
        client, other = await imap.session(mailbox="INBOX"), await imap.session(mailbox="INBOX")
        await other.ok("STORE 1 +FLAGS.SILENT (\\Answered)")
        await imap.deliver(message("late"))
        fetched, *told = await client.ok("UID FETCH 2 BODY.PEEK[]")
        assert fetched.startswith(b"* 2 FETCH (UID 2 BODY[] {")
        assert told == [b"* 5 EXISTS", b"* 1 FETCH (UID 1 FLAGS (\\Answered))"]
        assert switch.count == 1


async def test_an_expunged_message_and_a_lost_file_go_the_usual_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = _Switch(monkeypatch)
    async with serving(tmp_path) as imap:
        await _mailbox(imap)
        client, other = await imap.session(mailbox="INBOX"), await imap.session(mailbox="INBOX")
        await other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        await other.ok("EXPUNGE")
        untagged, tagged = await client.command("FETCH 2 BODY.PEEK[]")
        assert not [line for line in untagged if b"BODY[]" in line]
        assert tagged.startswith(b"NO [EXPUNGEISSUED]")
        for file in imap.store.maildir(imap.accounts[USER]).glob("*/*,U=4*"):
            file.unlink()
        await client.ok("NOOP")
        assert (await client.command("UID FETCH 4 BODY.PEEK[]"))[1].startswith(b"NO")
        assert switch.count == 0
