"""Names of mailboxes over the wire and on disk: charsets, odd characters, trees, deletion."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from imap.grammar import utf7
from imap.grammar.encode import quoted
from storage.maildir_names import folder_path
from tests.support.imap_server import USER, Client, Imap, message, serving

ODD = (
    "Entw\u00fcrfe",
    "\u53f0\u5317 \u65e5\u672c\u8a9e",
    "smile \U0001f600",
    "e\u0301 is not \u00e9",
    "a&b",
    "&",
    "R&-D",
    "&AOQ-",
    "one.two",
    ".hidden",
    "..",
    "a/../../b",
    "tmp/new/cur",
    "~root",
    "-dash",
    " leading and trailing ",
    'quo"te',
    "back\\slash",
    "{5}",
    "(list)",
    "semi;colon|pipe$(id)`id`",
    "inboxes",
    "NIL",
    "level/" + "deep/" * 20 + "end",
    "long " + "x" * 200,
)
REFUSED = (
    "",
    "/",
    "/root",
    "a//b",
    "a%b",
    "a*b",
    "a\x01b",
    "a\x7f",
    "a\nb",
    "a\u2028b",
    "x" * 260,
    "\u00e4" * 130,
    "/".join("a" * 65),
)


@pytest.fixture
async def imap(tmp_path: Path) -> AsyncIterator[Imap]:
    async with serving(tmp_path) as made:
        yield made


def wire(name: str) -> bytes:
    """The name as an IMAP4rev1 client quotes it."""
    return quoted(utf7.encode(name))


async def listed(client: Client, pattern: bytes = b'"*"') -> set[str]:
    found = await client.ok(b'LIST "" ' + pattern)
    names = [line.split(b' "/" ', 1)[1] for line in found]
    return {utf7.decode(_unquoted(name)) for name in names}


def _unquoted(name: bytes) -> bytes:
    if name.startswith(b"{"):
        return name.partition(b"\r\n")[2]
    if name.startswith(b'"'):
        return name[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    return name


def folders(imap: Imap) -> set[str]:
    """The folders of the account on disk, INBOX's own parts left out."""
    root = imap.store.maildir(imap.accounts[USER])
    return {path.name for path in root.iterdir() if (path / "cur").is_dir()}


async def eventually(holds: Callable[[], bool]) -> None:
    """The mirror follows within seconds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the mirror tells nobody
            await asyncio.sleep(0.05)


async def test_odd_names_work_and_stay_in_the_account(imap: Imap) -> None:
    client = await imap.session()
    root = imap.store.maildir(imap.accounts[USER])
    before = await listed(client)
    for name in ODD:
        await client.ok(b"CREATE " + wire(name))
        head = b"APPEND %s {%d+}\r\n" % (wire(name), len(message()))
        await client.ok(head + message())
        await client.ok(b"SELECT " + wire(name))
        (body,) = await client.ok("FETCH 1 BODY.PEEK[]")
        assert message() in body
        await client.ok("UNSELECT")
        assert (root / folder_path(name)).resolve().parent == root.resolve()
    parents = {
        "/".join(name.split("/")[:count]) for name in ODD for count in range(1, name.count("/") + 1)
    }
    assert await listed(client) == before | set(ODD) | parents
    assert {folder_path(name) for name in ODD} <= folders(imap)
    assert {path.name for path in root.parent.parent.iterdir()} == {
        path.parent.name for path in root.parent.parent.glob("*/*")
    }
    for name in ODD:
        await client.ok(b"DELETE " + wire(name))
    await eventually(lambda: not {folder_path(name) for name in ODD} & folders(imap))


async def test_what_is_no_name_is_refused(imap: Imap) -> None:
    client = await imap.session()
    await client.ok("CREATE here")
    before = await listed(client)
    for name in REFUSED:
        for command in (b"CREATE ", b"RENAME here "):
            _, tagged = await client.command(command + wire(name))
            assert tagged.startswith((b"NO [CANNOT]", b"NO [ALREADYEXISTS]")), (name, tagged)
    for octets in (b"a\0b", b"\xff\xfe"):
        _, tagged = await client.command(b"CREATE {%d+}\r\n%s" % (len(octets), octets))
        assert tagged.startswith(b"BAD")
    assert await listed(client) == before


async def test_half_a_character_is_no_name(imap: Imap) -> None:
    client = await imap.session()
    # what does not decode stands for itself, and so it is a name in US-ASCII
    await client.ok('CREATE "&2AA-"')
    assert "&2AA-" in await listed(client)


async def test_utf8_and_modified_utf7_name_the_same_mailbox(imap: Imap) -> None:
    old, new = await imap.session(), await imap.session()
    await new.ok("ENABLE UTF8=ACCEPT")
    await new.ok('CREATE "Entw\u00fcrfe & mehr"')
    await old.ok(b"CREATE " + wire("Gel\u00f6schtes"))
    assert b'* LIST (\\HasNoChildren) "/" "Entw&APw-rfe &- mehr"' in await old.ok('LIST "" "E*"')
    utf8 = await new.ok('LIST "" "*"')
    assert any('"Gel\u00f6schtes"'.encode() in line for line in utf8)
    assert any('"Entw\u00fcrfe & mehr"'.encode() in line for line in utf8)
    (status,) = await new.ok('STATUS "Gel\u00f6schtes" (MESSAGES)')
    assert '"Gel\u00f6schtes"'.encode() in status
    (lsub,) = await new.ok('LSUB "" "Gel*"')
    assert '"Gel\u00f6schtes"'.encode() in lsub
    # names in UTF-8 are taken from everybody
    await old.ok('STATUS "Gel\u00f6schtes" (MESSAGES)')
    await new.ok('DELETE "Gel\u00f6schtes"')
    _, tagged = await old.command(b"SELECT " + wire("Gel\u00f6schtes"))
    assert tagged.startswith(b"NO [NONEXISTENT]")


async def test_a_tree_moves_with_mail_and_subscriptions(imap: Imap) -> None:
    client = await imap.session()
    for name in ("a/b/c", "a/b2"):
        await client.ok(f"CREATE {name}")
        await client.append(message(name), name)
    await client.ok("UNSUBSCRIBE a/b")
    _, tagged = await client.command("RENAME a a/b/inside")
    assert tagged.startswith(b"NO [CANNOT]")
    _, tagged = await client.command("RENAME a/b a/b2")
    assert tagged.startswith(b"NO [ALREADYEXISTS]")
    _, tagged = await client.command("RENAME nowhere a/x")
    assert tagged.startswith(b"NO [NONEXISTENT]")
    await client.ok(b"RENAME a/b " + wire("x/y.z/\u00fcber"))
    assert await listed(client, b'("a*" "x*")') == {
        *("a", "a/b2"),
        *("x", "x/y.z", "x/y.z/\u00fcber", "x/y.z/\u00fcber/c"),
    }
    subscribed = await client.ok('LIST (SUBSCRIBED) "" "x*"')
    assert not [line for line in subscribed if line.endswith(b"&APw-ber")]
    await client.ok(b"SELECT " + wire("x/y.z/\u00fcber/c"))
    await eventually(lambda: ".x.y&AC4-z.&APw-ber.c" in folders(imap))
    await eventually(lambda: not {".a.b", ".a.b.c"} & folders(imap))
    (body,) = await client.ok("FETCH 1 BODY.PEEK[]")
    assert message("a/b/c") in body


async def test_renaming_inbox_moves_its_mail_and_nothing_else(imap: Imap) -> None:
    client = await imap.session()
    await client.ok("CREATE inbox/below")
    await client.append(message())
    await client.ok("RENAME inbox old/mail")
    names = await listed(client)
    assert {"INBOX", "INBOX/below", "old", "old/mail"} <= names
    assert b"* STATUS INBOX (MESSAGES 0)" in await client.ok("STATUS InBox (MESSAGES)")
    assert b"* STATUS old/mail (MESSAGES 1)" in await client.ok("STATUS old/mail (MESSAGES)")
    for target in ("old/mail", "INBOX"):
        _, tagged = await client.command(f"RENAME INBOX {target}")
        assert tagged.startswith(b"NO [ALREADYEXISTS]")


async def test_deletion_with_children(imap: Imap) -> None:
    client = await imap.session()
    await client.ok("CREATE top/below")
    await client.append(message(), "top")
    await client.ok("DELETE top")
    assert b'* LIST (\\Noselect \\HasChildren) "/" top' in await client.ok('LIST "" top')
    for command in ("SELECT top", "STATUS top (MESSAGES)"):
        _, tagged = await client.command(command)
        assert tagged.startswith(b"NO [NONEXISTENT]"), command
    assert (await client.append(message(), "top")).startswith(b"NO [TRYCREATE]")
    _, tagged = await client.command("DELETE top")
    assert tagged.startswith(b"NO [HASCHILDREN]")
    _, tagged = await client.command("DELETE INBOX")
    assert tagged.startswith(b"NO [CANNOT]")
    await client.ok("DELETE top/below")
    await client.ok("DELETE top")
    assert "top" not in await listed(client)
    await eventually(lambda: not {".top", ".top.below"} & folders(imap))
