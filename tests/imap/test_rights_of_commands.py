"""The right that each command needs at another user's mailbox, one by one (RFC 4314 §4).

With every right but that one a command is refused; with hardly more than that one it is not.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.imap_server import OTHER, USER, Client, Imap, message, serving

THERE = f'"Other Users/{USER}/Shared"'
EVERY = "lrswipkxtea"
_TEXT = "{15+}\r\nSubject: x\r\n\r\nx"
URL = f"/Other%20Users/{USER}/Shared;UIDVALIDITY=%d/;UID=1"

# Command, rights that it needs; each of them is taken away once.
ELSEWHERE = [
    (f"SELECT {THERE}", "r"),
    (f"EXAMINE {THERE}", "r"),
    (f"STATUS {THERE} (MESSAGES)", "r"),
    (f"GETQUOTAROOT {THERE}", "r"),
    (f'APPEND Sent CATENATE (URL "{URL}")', "r"),
    (f"APPEND {THERE} {_TEXT}", "i"),
    (f"APPEND {THERE} CATENATE (TEXT {_TEXT})", "i"),
    (f"COPY 1 {THERE}", "i"),
    (f"UID MOVE 1 {THERE}", "i"),
    (f"REPLACE 1 {THERE} {_TEXT}", "i"),
    (f'CREATE "Other Users/{USER}/Shared/made"', "k"),
    (f"DELETE {THERE}", "x"),
    (f'RENAME {THERE} "Other Users/{USER}/Top/moved"', "x"),
    (f'RENAME "Other Users/{USER}/Top" "Other Users/{USER}/Shared/moved"', "k"),
    (f"GETACL {THERE}", "a"),
    (f"LISTRIGHTS {THERE} anyone", "a"),
    (f"SETACL {THERE} admin@example.test lr", "a"),
    (f"DELETEACL {THERE} admin@example.test", "a"),
]
SELECTED = [
    (r"STORE 1 +FLAGS (\Seen)", "s"),
    (r"UID STORE 1 -FLAGS.SILENT (\Deleted)", "t"),
    (r"STORE 1 +FLAGS (\Flagged)", "w"),
    ("STORE 1 +FLAGS.SILENT ($label1)", "w"),
    ("EXPUNGE", "e"),
    ("UID EXPUNGE 1:*", "e"),
    ("MOVE 1 Archive", "t"),
    ("UID MOVE 1 Archive", "e"),
    (f"REPLACE 1 Sent {_TEXT}", "t"),
    (f"UID REPLACE 1 Sent {_TEXT}", "e"),
]


@pytest.fixture
async def imap(tmp_path: Path) -> AsyncIterator[Imap]:
    async with serving(tmp_path) as made:
        await made.deliver(message("one"), user=OTHER)
        for name in ("Shared", "Top"):
            await made.store.create(made.accounts[USER], name)
        await made.deliver(message("shared"), "Shared")
        yield made


async def _shared(imap: Imap, rights: str) -> Client:
    """The other user's session, who has these rights and those of the mailbox `Top` too."""
    owner = await imap.session()
    await owner.ok(f"SETACL Top {OTHER} lrkx")
    await owner.ok(f"SETACL Shared {OTHER} {rights}")
    return await imap.session(OTHER, "INBOX")


async def _written(imap: Imap, command: str) -> str:
    if "%d" not in command:
        return command
    box = await imap.store.named(imap.accounts[USER], "Shared")
    return command.replace("%d", str(box.uidvalidity))


@pytest.mark.parametrize(("command", "right"), ELSEWHERE)
async def test_a_command_elsewhere(imap: Imap, command: str, right: str) -> None:
    session = await _shared(imap, EVERY.replace(right, ""))
    written = await _written(imap, command)
    _, tagged = await session.command(written)
    refused = b"NO [BADURL" if "URL" in command else b"NO [NOPERM]"
    assert tagged.startswith(refused), tagged
    await (await imap.session()).ok(f"SETACL Shared {OTHER} l{right}")
    await session.ok(written)


@pytest.mark.parametrize(("command", "right"), SELECTED)
async def test_a_command_in_the_selected_mailbox(imap: Imap, command: str, right: str) -> None:
    session = await _shared(imap, EVERY.replace(right, ""))
    await session.ok(f"SELECT {THERE}")
    _, tagged = await session.command(command)
    assert tagged.startswith(b"NO [NOPERM]"), tagged
    enough = "te" if right in "te" and "EXPUNGE" not in command else right
    await (await imap.session()).ok(f"SETACL Shared {OTHER} lr{enough}")
    await session.ok("NOOP")
    await session.ok(command)
