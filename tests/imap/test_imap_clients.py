"""What real clients send, replayed: imaplib itself, Thunderbird, Outlook, Apple Mail, mbsync."""

import asyncio
import imaplib
import ssl
import time
from pathlib import Path

from tests.support.imap_server import PASSWORD, USER, Imap, message, serving, trusting


def _imaplib(port: int, tls_port: int) -> None:
    with imaplib.IMAP4("127.0.0.1", port) as client:
        client.login(USER, PASSWORD)
        assert client.enable("CONDSTORE")[0] == "OK"
        assert client.select("INBOX")[1] == [b"1"]
        status, data = client.append(
            "Drafts", "\\Draft", imaplib.Time2Internaldate(time.time()), message("Draft")
        )
        assert status == "OK", data
        assert client.search(None, "SUBJECT", "hello") == ("OK", [b"1"])
        status, fetched = client.fetch("1", "(RFC822)")
        assert isinstance(fetched[0], tuple)
        assert fetched[0][1] == message("Hello")
        assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge() == ("OK", [b"1"])
        assert client.list()[0] == "OK"
        assert client.status("Drafts", "(MESSAGES)") == ("OK", [b"Drafts (MESSAGES 1)"])
        assert client.namespace()[0] == "OK"
        assert client.close()[0] == "OK"
    context: ssl.SSLContext = trusting()
    with imaplib.IMAP4_SSL("127.0.0.1", tls_port, ssl_context=context) as secure:
        secure.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
    with imaplib.IMAP4("127.0.0.1", port) as upgraded:
        upgraded.starttls(context)
        upgraded.login(USER, PASSWORD)


async def test_imaplib(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.deliver(message("Hello"))
        await asyncio.to_thread(_imaplib, imap.port, imap.tls_port)


_THUNDERBIRD_HEADERS = (
    "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups "
    "In-Reply-To Content-Type Reply-To"
)


async def _fill(imap: Imap) -> None:
    await imap.deliver(message("Hello", "x" * 200_000))
    await imap.deliver(message("Other"), flags=["\\Seen"])


async def test_thunderbird(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await _fill(imap)
        client = await imap.session()
        await client.ok('ID ("name" "Thunderbird" "version" "128.0")')
        listed = await client.ok('LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)')
        assert b'* LIST (\\Subscribed \\HasNoChildren \\Junk) "/" Junk' in listed
        described = await client.ok('SELECT "INBOX" (CONDSTORE)')
        assert any(line.startswith(b"* FLAGS") and b"$Junk" in line for line in described)
        assert any(b"\\*)" in line for line in described)
        lines = await client.ok("UID fetch 1:* (FLAGS)")
        assert [line.split(b" MODSEQ")[0] for line in lines] == [
            b"* 1 FETCH (UID 1 FLAGS ()",
            b"* 2 FETCH (UID 2 FLAGS (\\Seen)",
        ]
        (first, second) = await client.ok(
            "UID fetch 1:2 (UID RFC822.SIZE FLAGS "
            f"BODY.PEEK[HEADER.FIELDS ({_THUNDERBIRD_HEADERS})])"
        )
        assert b"Subject: Hello\r\n" in first
        assert b"Message-ID: " in second
        chunk = (await client.ok("UID fetch 1 (UID RFC822.SIZE BODY.PEEK[]<65536.65536>)"))[0]
        assert b"BODY[]<65536> {65536}" in chunk
        (preview,) = await client.ok("UID fetch 1 (UID BODY.PEEK[TEXT]<0.2048>)")
        assert b"BODY[TEXT]<0> {2048}" in preview
        await client.ok("UID store 1 +FLAGS (\\Seen $label1 NonJunk)")
        await client.ok("UID store 1 -FLAGS (Junk)")
        moved = await client.ok("UID MOVE 1 Trash")
        assert moved[0].startswith(b"* OK [COPYUID")
        await client.ok('STATUS "Trash" (UIDNEXT MESSAGES UNSEEN RECENT)')
        changed = await client.ok("UID fetch 1:* (FLAGS) (CHANGEDSINCE 1)")
        assert len(changed) == 1


async def test_outlook(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await _fill(imap)
        client = await imap.client()
        await client.ok(f'LOGIN "{USER}" "{PASSWORD}"')
        (capability,) = await client.ok("CAPABILITY")
        assert b"IMAP4rev1" in capability
        assert b'* LIST (\\HasNoChildren \\Sent) "/" Sent' in await client.ok('LIST "" "*"')
        await client.ok('LSUB "" "*"')
        await client.ok('SELECT "INBOX"')
        (one, _) = await client.ok("UID FETCH 1:* (UID FLAGS)")
        assert one == b"* 1 FETCH (UID 1 FLAGS ())"
        (whole,) = await client.ok("UID FETCH 2 (BODY.PEEK[] UID)")
        assert message("Other") in whole
        (header,) = await client.ok("UID FETCH 2 (BODY.PEEK[HEADER] UID)")
        assert b"Subject: Other" in header
        await client.ok("UID STORE 2 FLAGS (\\Seen \\Answered)")


async def test_apple_mail(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await _fill(imap)
        client = await imap.session()
        await client.ok("ENABLE CONDSTORE")
        await client.ok(
            'LIST "" "*" RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN UIDNEXT))'
        )
        await client.ok("SELECT INBOX")
        lines = await client.ok("UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 0)")
        assert len(lines) == 2
        assert b"MODSEQ" in lines[0]
        (structure,) = await client.ok(
            "UID FETCH 2 (INTERNALDATE UID RFC822.SIZE FLAGS BODYSTRUCTURE "
            "BODY.PEEK[HEADER.FIELDS (date subject from to cc message-id in-reply-to references "
            "x-priority x-uniform-type-identifier x-universally-unique-identifier list-id "
            "list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash "
            "authentication-results dkim-signature)])"
        )
        assert b"BODYSTRUCTURE (" in structure
        await client.send("i IDLE\r\nDONE\r\nn UID SEARCH RETURN (ALL) UNSEEN\r\n")
        assert await client.line() == b"+ idling"
        assert (await client.line()).startswith(b"i OK")
        assert await client.line() == b'* ESEARCH (TAG "n") UID ALL 1'
        assert (await client.line()).startswith(b"n OK")


async def test_mbsync_pipelines(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await _fill(imap)
        client = await imap.session()
        one = message("Pushed")
        await client.send(
            b'1 NAMESPACE\r\n2 LIST "" *\r\n3 SELECT INBOX\r\n'
            b"4 UID FETCH 1:2 (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Message-ID)])\r\n"
            b"5 APPEND INBOX (\\Seen) {%d+}\r\n%b\r\n"
            b"6 UID STORE 1 +FLAGS.SILENT (\\Deleted)\r\n7 CLOSE\r\n8 LOGOUT\r\n" % (len(one), one)
        )
        for tag in (b"1", b"2", b"3", b"4", b"5", b"6", b"7"):
            _, tagged = await client.until(tag)
            assert tagged.startswith(b"OK"), tagged
        untagged, tagged = await client.until(b"8")
        assert untagged[0].startswith(b"* BYE")


async def test_a_server_name_with_a_dot_at_its_end(tmp_path: Path) -> None:
    """Outlook sends one in SNI."""
    async with serving(tmp_path) as imap:
        context = trusting()
        context.check_hostname = False
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", imap.tls_port, ssl=context, server_hostname="localhost."
        )
        assert (await reader.readline()).startswith(b"* OK")
        writer.close()
        await writer.wait_closed()


async def test_as_many_tags_as_a_user_likes(tmp_path: Path) -> None:
    """Each is listed in FLAGS, found, and there for the next session, in the case it came in."""
    tags = [f"Tag_{number:03}" for number in range(300)]
    async with serving(tmp_path) as imap:
        for number in range(30):
            await imap.deliver(message(f"No. {number}"))
        client = await imap.session(mailbox="INBOX")
        for number in range(30):
            some = " ".join(tags[10 * number : 10 * number + 10])
            await client.ok(f"STORE {number + 1} +FLAGS.SILENT ({some})")
        await client.ok(f"STORE 1 +FLAGS.SILENT ({' '.join(tags)})")
        again = await imap.session()
        described = await again.ok("SELECT INBOX")
        (flags,) = [line for line in described if line.startswith(b"* FLAGS")]
        assert {tag.encode() for tag in tags} <= set(flags[9:-1].split())
        assert await again.ok("SEARCH KEYWORD tag_299") == [b"* SEARCH 1 30"]
        assert await again.ok("SEARCH KEYWORD Tag_150 UNKEYWORD Tag_000") == [b"* SEARCH 16"]
        (first,) = await again.ok("FETCH 1 FLAGS")
        assert first[18:-2].split() == [tag.encode() for tag in tags]
