"""Long commands are told of by the server's one timer; short ones and silent clients are not."""

import asyncio
from pathlib import Path

import pytest

from imap.commands import fetch
from imap.context import Timing
from imap.progress import Work
from tests.support.imap_server import message, serving


async def test_a_long_command_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = asyncio.Event()

    async def slow(*_: object) -> None:
        await heard.wait()

    async with serving(tmp_path, timing=Timing(progress=0.1)) as imap:
        await imap.deliver(message())
        client = await imap.session(mailbox="INBOX")
        monkeypatch.setattr(fetch._Run, "send_rows", slow)
        await client.send("a FETCH 1 (RFC822.SIZE)\r\n")
        for _ in range(2):
            line = await client.line()
            assert line.startswith(b"* OK [INPROGRESS (") and b" 0 1)] " in line
        heard.set()
        rest, tagged = await client.until(b"a")
        assert tagged.startswith(b"OK")
        assert len([line for line in rest if b"INPROGRESS" in line]) <= 1
        assert not [line for line in await client.ok("NOOP") if b"INPROGRESS" in line]


async def test_short_commands_are_quiet(tmp_path: Path) -> None:
    async with serving(tmp_path, timing=Timing(progress=0.2)) as imap:
        await imap.deliver(message())
        client = await imap.session(mailbox="INBOX")
        for _ in range(5):
            await asyncio.sleep(0.1)
            lines = await client.ok("FETCH 1 (RFC822.SIZE FLAGS)")
            assert not [line for line in lines if b"INPROGRESS" in line]


def test_lines() -> None:
    assert Work("a1").line().startswith(b'* OK [INPROGRESS ("a1" NIL NIL)] ')
    assert Work("a1", 5, 10).line().startswith(b'* OK [INPROGRESS ("a1" 5 10)] ')
    assert Work("a1", 5, 0).line().startswith(b'* OK [INPROGRESS ("a1" 5 NIL)] ')
    assert Work("a]", 5, 5).line().startswith(b"* OK [INPROGRESS (NIL 5 NIL)] ")
