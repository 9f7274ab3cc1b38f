"""X-GM-EXT-1 for an account that has it switched on: ids, labels as copies, and queries."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.imap_server import OTHER, USER, Client, Imap, message, serving

ATTACHED = (
    b"From: Bob <bob@example.org>\r\nTo: user@example.test\r\nCc: Cy <cy@example.org>\r\n"
    b"Subject: the report\r\nMessage-ID: <attached@example.org>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nsee below\r\n--b\r\n'
    b'Content-Type: application/pdf; name="Report 2026.PDF"\r\n'
    b'Content-Disposition: attachment; filename="Report 2026.PDF"\r\n\r\nabc\r\n--b--\r\n'
)


@pytest.fixture
async def imap(tmp_path: Path) -> AsyncIterator[Imap]:
    async with serving(tmp_path) as made:
        await made.directory.set_imap(USER, gmail_labels=True)
        yield made


async def session_with(imap: Imap, *arrivals: bytes, seen: bool = False) -> Client:
    """A session that has messages in INBOX, the first one seen or not."""
    for data in arrivals:
        await imap.deliver(data, flags=["\\Seen"] if seen else [])
        seen = False
    return await imap.session(mailbox="INBOX")


async def labels(client: Client, which: str = "1") -> set[str]:
    lines = await client.ok(f"FETCH {which} (X-GM-LABELS)")
    (line,) = [line for line in lines if b"X-GM-LABELS" in line]
    found = re.search(rb"X-GM-LABELS \((.*)\)\)", line)
    assert found is not None, line
    return set(re.findall(r'"[^"]*"|[^ ]+', found[1].decode()))


async def found(client: Client, program: str) -> list[int]:
    (line,) = [line for line in await client.ok(f"SEARCH {program}") if b"SEARCH" in line]
    return [int(number) for number in line.split()[2:]]


async def count(client: Client, mailbox: str) -> int:
    (line,) = [one for one in await client.ok(f"STATUS {mailbox} (MESSAGES)") if b"STATUS" in one]
    return int(line.split()[-1].rstrip(b")"))


async def test_it_is_off_until_it_is_switched_on(imap: Imap) -> None:
    on, off = await imap.session(mailbox="INBOX"), await imap.session(OTHER, "INBOX")
    await imap.deliver(message(), user=OTHER)
    assert b"X-GM-EXT-1" in b"".join(await on.ok("CAPABILITY"))
    assert b"X-GM-EXT-1" not in b"".join(await off.ok("CAPABILITY"))
    for command in (
        "FETCH 1 (FLAGS X-GM-MSGID)",
        "STORE 1 +X-GM-LABELS (x)",
        "SEARCH X-GM-RAW x",
        "SEARCH OR SEEN NOT X-GM-LABELS x",
        "SORT (DATE) UTF-8 X-GM-THRID 5",
    ):
        _, tagged = await off.command(command)
        assert tagged.startswith(b"BAD"), command


async def test_copies_share_their_id_and_conversations_theirs(imap: Imap) -> None:
    first = message("one", Message_ID="<one@example.org>")
    client = await session_with(imap, first, message("Re: one", In_Reply_To="<one@example.org>"))
    await client.ok("COPY 1 Sent")
    lines = b"".join(await client.ok("FETCH 1:2 (X-GM-MSGID X-GM-THRID BODY.PEEK[HEADER])"))
    ids = [int(number) for number in re.findall(rb"X-GM-MSGID (\d+)", lines)]
    threads = [int(number) for number in re.findall(rb"X-GM-THRID (\d+)", lines)]
    assert ids[0] != ids[1]
    assert threads[0] == threads[1]
    assert await found(client, f"X-GM-MSGID {ids[1]}") == [2]
    assert await found(client, f"X-GM-THRID {threads[0]} UNSEEN") == [1, 2]
    assert await found(client, "X-GM-MSGID 5 X-GM-THRID 9223372036854775807") == []
    await client.ok("SELECT Sent")
    assert f"X-GM-MSGID {ids[0]}".encode() in b"".join(await client.ok("FETCH 1 X-GM-MSGID"))


async def test_labels_are_copies(imap: Imap) -> None:
    client = await session_with(imap, message())
    assert await labels(client) == set()
    given = 'work "two words" \\Starred \\Important \\Sent'
    lines = await client.ok(f"STORE 1 +X-GM-LABELS ({given})")
    (line,) = [line for line in lines if b"X-GM-LABELS" in line]
    told = {'"two words"', "work", "\\Starred", "\\Important", "\\Sent"}
    assert set(re.findall(r'"[^"]*"|\\?\w+', line.decode().partition("(")[2])) >= told
    assert await labels(client) == told
    assert await client.ok("UID STORE 1 +X-GM-LABELS.SILENT (work)") == []
    assert [await count(client, name) for name in ("work", '"two words"', "Sent", "INBOX")] == [
        1
    ] * 4
    assert b"\\Flagged" in b"".join(await client.ok("FETCH 1 FLAGS"))
    assert await found(client, "X-GM-LABELS work X-GM-LABELS \\Starred") == [1]
    assert await found(client, "X-GM-LABELS \\Inbox X-GM-LABELS \\Important") == [1]
    assert await found(client, "X-GM-LABELS nowhere") == []
    await client.ok("STORE 1 -X-GM-LABELS (work \\Important nowhere)")
    assert await labels(client) == told - {"work", "\\Important"}
    assert await count(client, "work") == 0
    await client.ok("STORE 1 X-GM-LABELS (other)")
    assert await labels(client) == {"other"}
    assert await count(client, "Sent") == 0
    await client.ok("STORE 1 X-GM-LABELS ()")
    assert await labels(client) == set()
    assert await count(client, "INBOX") == 1


async def test_taking_off_inbox_archives_and_nothing_is_lost(imap: Imap) -> None:
    client = await session_with(imap, message())
    await client.ok("STORE 1 -X-GM-LABELS \\Inbox")
    assert b"* 1 EXPUNGE" in await client.ok("NOOP")
    assert [await count(client, name) for name in ("INBOX", "Archive")] == [0, 1]
    await client.ok("SELECT Archive")
    assert await labels(client) == set()
    _, tagged = await client.command("STORE 1 -X-GM-LABELS (Archive)")
    assert tagged.startswith(b"NO [CANNOT]")
    await client.ok("STORE 1 +X-GM-LABELS (\\Inbox later)")
    assert await labels(client) == {"\\Inbox", "later"}
    await client.ok("SELECT later")
    await client.ok("STORE 1 -X-GM-LABELS (later)")
    assert [await count(client, name) for name in ("INBOX", "Archive", "later")] == [1, 1, 0]


async def test_trash_takes_it_out_of_everything(imap: Imap) -> None:
    client = await session_with(imap, message())
    await client.ok("STORE 1 +X-GM-LABELS (a b)")
    await client.ok("STORE 1 +X-GM-LABELS (\\Trash)")
    assert [await count(client, name) for name in ("INBOX", "a", "b", "Trash")] == [0, 0, 0, 1]


async def test_what_is_refused(imap: Imap) -> None:
    client = await session_with(imap, message())
    for command, answer in (
        ("STORE 1 +X-GM-LABELS (\\Muted)", b"NO [CANNOT]"),
        ("STORE 1 +X-GM-LABELS (a//b)", b"NO [CANNOT]"),
        ("STORE 1 (UNCHANGEDSINCE 5) +X-GM-LABELS (a)", b"BAD"),
        ("STORE 1 +X-GM-LABELS", b"BAD"),
        ("STORE 2 +X-GM-LABELS (a)", b"BAD"),
        ("SEARCH X-GM-RAW", b"BAD"),
        (f"SEARCH X-GM-RAW {'-' * 30}a", b"BAD"),
        ("SEARCH X-GM-MSGID x", b"BAD"),
        ("FETCH 1 X-GM-NOSUCH", b"BAD"),
    ):
        _, tagged = await client.command(command)
        assert tagged.startswith(answer), (command, tagged)
    await client.ok("EXAMINE INBOX")
    _, tagged = await client.command("STORE 1 +X-GM-LABELS (a)")
    assert tagged.startswith(b"NO [READ-ONLY]")


async def test_queries(imap: Imap) -> None:
    first = message("first words", "about cats\r\n")
    client = await session_with(imap, first, ATTACHED, seen=True)
    await client.ok("STORE 2 +X-GM-LABELS (work/in-progress)")
    for query, numbers in (
        ("", [1, 2]),
        ("cats", [1]),
        ("from:bob", [2]),
        ("to:cy", [2]),
        ("subject:(first words)", [1]),
        ('"first words" OR from:bob', [1, 2]),
        ("has:attachment", [2]),
        ("-has:attachment", [1]),
        ("filename:report", [2]),
        ("filename:pdf is:unread", [2]),
        ("filename:docx", []),
        ("is:read", [1]),
        ("is:starred", []),
        ("label:work-in-progress", [2]),
        ("in:inbox", [1, 2]),
        ("in:trash", []),
        ("in:anywhere cats", [1]),
        ("older_than:1d", []),
        ("newer_than:1d from:bob", [2]),
        ("after:2020/01/01 before:2020/01/02", []),
        ("larger:1M", []),
        ("smaller:1M", [1, 2]),
        ("rfc822msgid:attached@example.org", [2]),
        ("{from:bob subject:first} -cats", [2]),
    ):
        text = query.replace("\\", "\\\\").replace('"', '\\"')
        assert await found(client, f'X-GM-RAW "{text}"') == numbers, query
    assert await found(client, 'OR X-GM-RAW "cats" X-GM-RAW "from:bob"') == [1, 2]
    await client.ok('SETMETADATA "" (/private/filters/values/cats "X-GM-RAW cats")')
    assert await found(client, "NOT FILTER cats") == [2]
    esearch = await client.ok('ESEARCH IN (personal) RETURN (ALL) X-GM-RAW "from:bob"')
    assert len([line for line in esearch if b"* ESEARCH" in line]) == 2
