"""BINARY of large parts: whole, in windows, in pieces; CATENATE's bounds; NUL in BODY."""

import base64
import quopri
from pathlib import Path
from random import Random

import pytest

from imap.sections import PIECE
from tests.support.imap_server import Client, serving
from tests.support.nested import fetched

_DATA = Random(1).randbytes(1_500_000)
_ENCODED = {
    "base64": base64.encodebytes(_DATA).replace(b"\n", b"\r\n"),
    "quoted-printable": quopri.encodestring(_DATA[:600_000].replace(b"\r", b"").replace(b"\n", b""))
    .replace(b"\n", b"\r\n"),
    "binary": _DATA.replace(b"\r", b"").replace(b"\n", b""),
}  # fmt: skip
_DECODED = {
    "base64": _DATA,
    "quoted-printable": _DATA[:600_000].replace(b"\r", b"").replace(b"\n", b""),
    "binary": _ENCODED["binary"],
}


async def _fetch(client: Client, *items: str) -> dict[bytes, object]:
    (response,) = await client.ok(f"FETCH 1 ({' '.join(items)})")
    return fetched(response)


@pytest.mark.parametrize("encoding", sorted(_ENCODED))
async def test_a_large_part_is_decoded_in_pieces(tmp_path: Path, encoding: str) -> None:
    head = f"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {encoding}\r\n"
    data, expected = head.encode() + b"\r\n" + _ENCODED[encoding], _DECODED[encoding]
    async with serving(tmp_path) as imap:
        await imap.deliver(data)
        client = await imap.session(mailbox="INBOX")
        read: list[int] = []
        inner = imap.store.read_message

        async def spy(*args: object, **named: object) -> bytes:
            octets = await inner(*args, **named)  # type: ignore[arg-type]
            read.append(len(octets))
            return octets

        imap.store.read_message = spy  # type: ignore[method-assign]
        found = await _fetch(client, "BINARY.SIZE[1]", "BINARY.PEEK[1]")
        assert found == {b"BINARY.SIZE[1]": b"%d" % len(expected), b"BINARY[1]": expected}
        assert max(read) == PIECE
        for offset, size in ((0, 10), (len(expected) - 5, 99), (400_001, 300_000), (9**9, 5)):
            read.clear()
            found = await _fetch(client, f"BINARY.PEEK[1]<{offset}.{size}>")
            assert found == {f"BINARY[1]<{offset}>".encode(): expected[offset : offset + size]}
        # a window near the end is not decoded from the start
        read.clear()
        await _fetch(client, f"BINARY.PEEK[1]<{len(expected) - 5}.5>")
        assert sum(read) <= 5 * PIECE


async def test_a_part_that_loses_its_file_ends_the_connection(tmp_path: Path) -> None:
    data = b"Content-Transfer-Encoding: base64\r\n\r\n" + _ENCODED["base64"]
    async with serving(tmp_path) as imap:
        await imap.deliver(data)
        client = await imap.session(mailbox="INBOX")
        await client.ok("FETCH 1 BINARY.SIZE[1]")
        for path in (tmp_path / "data").rglob("*,U=1*"):
            path.write_bytes(data[: len(data) // 2])
        await client.send("x FETCH 1 BINARY.PEEK[1]\r\n")
        assert (await client.line()).startswith(b"* 1 FETCH (BINARY[1] ~{")
        with pytest.raises((EOFError, OSError, ConnectionError)):
            while True:
                if not await client.line():
                    raise EOFError


async def test_a_nul_goes_as_octet_128_but_in_binary(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.deliver(b"Subject: x\r\n\r\na\0b")
        client = await imap.session(mailbox="INBOX")
        for item, start in (("BODY.PEEK[]", b"Subject: x\r\n\r\n"), ("BODY.PEEK[TEXT]", b"")):
            (response,) = await client.ok(f"FETCH 1 {item}")
            assert response.endswith(b"}\r\n" + start + b"a\x80b)")
        (response,) = await client.ok("FETCH 1 BINARY.PEEK[1]")
        assert response == b"* 1 FETCH (BINARY[1] ~{3}\r\na\0b)"


async def test_catenate_keeps_to_the_size_of_a_message(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"message_size": 100_000}) as imap:
        client = await imap.session()
        assert (await client.append(b"Subject: x\r\n\r\n" + b"y" * 60_000)).startswith(b"OK")
        url = 'URL "/INBOX/;UID=1"'
        assert await client.ok(f"APPEND Drafts CATENATE ({url})") == []
        _, tagged = await client.command(f"APPEND Drafts CATENATE ({url} {url})")
        assert tagged.startswith(b"NO [TOOBIG]")
        text = b"z" * 60_000
        head = f"APPEND Drafts CATENATE ({url} TEXT {{{len(text)}+}}\r\n".encode()
        _, tagged = await client.command(head + text + b")")
        assert tagged.startswith(b"NO [TOOBIG]")
        assert (await client.ok("STATUS Drafts (MESSAGES)"))[0].endswith(b"(MESSAGES 1)")
        assert not list((tmp_path / "data" / "tmp").iterdir())


async def test_catenate_puts_large_texts_and_split_line_ends_together(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        pieces = [b"Subject: x\r", b"\n\r\n" + b"0123456789abcde\n" * 100_000, b"end"]
        command = b"APPEND INBOX CATENATE ("
        command += b" ".join(b"TEXT {%d+}\r\n%b" % (len(piece), piece) for piece in pieces)
        assert (await client.command(command + b")"))[1].startswith(b"OK [APPENDUID")
        await client.ok("SELECT INBOX")
        whole = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 100_000 + b"end"
        assert await _fetch(client, "BODY.PEEK[]") == {b"BODY[]": whole}
