"""Messages in and out: small and large, whole and in parts, refused ones."""

import hashlib
from pathlib import Path

from tests.support.imap_server import USER, Client, message, serving

_LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 * 50_000


def _body(response: bytes) -> bytes:
    """The one literal of a FETCH response."""
    head, _, rest = response.partition(b"}\r\n")
    return rest[: int(head.rpartition(b"{")[2])]


async def _fetch(client: Client, what: str) -> bytes:
    (response,) = await client.ok(f"FETCH 1 {what}")
    return _body(response + b"\r\n")


async def test_a_large_message_comes_back_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        assert (await client.append(_LARGE)).startswith(b"OK [APPENDUID")
        await client.ok("SELECT INBOX")
        whole = await _fetch(client, "BODY.PEEK[]")
        assert hashlib.sha256(whole).digest() == hashlib.sha256(_LARGE).digest()
        assert await _fetch(client, "BODY.PEEK[]<1000000.65536>") == _LARGE[1_000_000:1_065_536]
        assert await _fetch(client, "BODY.PEEK[TEXT]<0.10>") == b"0123456789"
        assert await _fetch(client, f"BODY.PEEK[]<{len(_LARGE) - 3}.65536>") == b"def"
        assert not list((tmp_path / "data" / "tmp").glob("append*"))


async def test_partial_fetches_read_only_what_they_send(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.append(_LARGE)
        await client.ok("SELECT INBOX")
        read: list[int] = []
        inner = imap.store.read_message

        async def spy(*args: object, **named: object) -> bytes:
            data = await inner(*args, **named)  # type: ignore[arg-type]
            read.append(len(data))
            return data

        imap.store.read_message = spy  # type: ignore[method-assign]
        for offset in range(0, 200_000, 65_536):
            await client.ok(f"FETCH 1 BODY.PEEK[]<{offset}.65536>")
        assert read == [65_536] * 4


async def test_bare_line_feeds_become_crlf(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.append(b"Subject: unix\n\none\r\ntwo\n")
        await client.ok("SELECT INBOX")
        (response,) = await client.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[])")
        assert b"RFC822.SIZE 27 " in response
        assert _body(response) == b"Subject: unix\r\n\r\none\r\ntwo\r\n"


async def test_a_full_account_says_so_and_stores_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.store.set_limits(imap.accounts[USER], 2000, 0)
        client = await imap.session(mailbox="INBOX")
        assert (await client.append(message("fits"))).startswith(b"OK")
        refused = await client.command(f"APPEND INBOX {{{5000}}}")
        assert refused[1].startswith(b"NO [OVERQUOTA]")
        assert (await client.append(b"Subject: x\r\n\r\n" + b"y" * 1950)).startswith(
            b"NO [OVERQUOTA]"
        )
        assert (await client.command("COPY 1 Trash"))[1].startswith(b"OK")
        assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 1"]


async def test_a_refused_large_message_leaves_no_file(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        assert (await client.append(_LARGE, "Nowhere")).startswith(b"NO [TRYCREATE]")
        await client.send(b"a APPEND INBOX {5000000+}\r\n" + _LARGE)
        await client.close()
        await imap.server.stop()
    assert not list((tmp_path / "data" / "tmp").glob("append*"))


async def test_multiappend_is_all_or_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.store.set_limits(imap.accounts[USER], 1000, 0)
        client = await imap.session(mailbox="INBOX")
        body = b"Subject: x\r\n\r\n" + b"y" * 586
        _, tagged = await client.command(b"APPEND INBOX {600+}\r\n" + body + b" {600+}\r\n" + body)
        assert tagged.startswith(b"NO [OVERQUOTA]")
        assert await client.ok("UID SEARCH ALL") == [b"* SEARCH"]


async def test_two_thousand_flags_in_one_command(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        one = b" {12+}\r\nSubject: x\r\n"
        for _ in range(4):
            await client.ok(b"APPEND INBOX" + one * 500)
        await client.ok("NOOP")
        lines = await client.ok("UID FETCH 1:* (FLAGS)")
        assert len(lines) == 2000
        assert lines[1999] == b"* 2000 FETCH (UID 2000 FLAGS ())"
        told = await client.ok("STORE 1:* +FLAGS (\\Seen)")
        assert len(told) == 2000
        assert await client.ok("SEARCH UNSEEN") == [b"* SEARCH"]


async def test_search_sees_what_was_just_stored(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="Drafts")
        other = await imap.session()
        await other.append(message("Fresh", Message_ID="<fresh@x>"), "Drafts")
        await client.ok("NOOP")
        found = await client.ok('UID SEARCH HEADER Message-ID "<fresh@x>"')
        assert found == [b"* SEARCH 1"]


async def test_text_is_searched_decoded(tmp_path: Path) -> None:
    encoded = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?b?S/ZsbiA=?=\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nRHJlaSBUw7xyZW4gw7ZmZm5lbg==\r\n"
        b"--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Stra=DFe in M=\r\n=FCnchen</p>\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\n\r\nhidden\r\n--b--\r\n"
    )
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.append(encoded)
        await client.append(b"Subject: other\r\n\r\n" + b"filler text\r\n" * 8000 + b"needle")
        await client.ok("SELECT INBOX")
        for key, expected in {
            "SUBJECT grüße": b" 1",
            "SUBJECT KÖLN": b" 1",
            "BODY türen": b" 1",
            "BODY münchen": b" 1",
            "BODY hidden": b"",
            "BODY grüße": b"",
            "TEXT grüße": b" 1",
            "BODY NEEDLE": b" 2",
            "NOT BODY needle": b" 1",
            "OR BODY needle BODY türen": b" 1 2",
        }.items():
            words = key.split()
            literal = words[-1].encode()
            head = f"SEARCH CHARSET UTF-8 {' '.join(words[:-1])} {{{len(literal)}+}}\r\n".encode()
            assert await client.ok(head + literal) == [b"* SEARCH" + expected], key


async def test_a_lost_file_is_named_as_the_servers_fault(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for title in ("one", "two", "three"):
            await imap.deliver(message(title))
        client = await imap.session(mailbox="INBOX")
        (lost,) = imap.store.maildir(imap.accounts[USER]).glob("*/*,U=2*")
        lost.unlink()
        untagged, tagged = await client.command("UID FETCH 1:* (BODY.PEEK[])")
        assert tagged.startswith(b"NO [SERVERBUG]")
        assert [line.split()[4] for line in untagged] == [b"1", b"3"]
        assert len(await client.ok("FETCH 1:* (FLAGS ENVELOPE)")) == 3
        await client.ok("FETCH 3 BODY[]")
