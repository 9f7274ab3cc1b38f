"""The octets of the parts rebuild the message, over the wire, whatever its MIME is like.

Header and text make the whole; a multipart is its parts between delimiters; a message inside is its
header and its text. Partials, sizes and line counts agree with the octets.
"""

import re
from pathlib import Path

import pytest

from message.headers import header_fields
from tests.support.hostile_mime import Maker
from tests.support.imap_server import Client, Imap, serving
from tests.support.messages import hostile
from tests.support.nested import fetched

_MESSAGES = 80


async def _items(client: Client, number: int, *names: str) -> dict[bytes, object]:
    (response,) = await client.ok(f"FETCH {number} ({' '.join(names)})")
    return fetched(response)


async def _octets(client: Client, number: int, *sections: str) -> list[bytes]:
    names = [f"BODY.PEEK[{section}]" for section in sections]
    found = await _items(client, number, *names)
    values = [found[f"BODY[{section}]".encode()] for section in sections]
    assert all(isinstance(value, bytes) for value in values), sections
    return [value for value in values if isinstance(value, bytes)]


class Check:
    """The checks of one message."""

    def __init__(self, client: Client, number: int) -> None:
        self._client, self._number = client, number

    async def run(self) -> None:
        client, number = self._client, self._number
        items = await _items(client, number, "RFC822.SIZE", "BODYSTRUCTURE", "ENVELOPE")
        whole, header, text = await _octets(client, number, "", "HEADER", "TEXT")
        assert header + text == whole
        assert items[b"RFC822.SIZE"] == b"%d" % len(whole)
        await self._header_lists(header)
        await self._partial("", whole)
        structure = items[b"BODYSTRUCTURE"]
        assert isinstance(structure, list)
        if isinstance(structure[0], list):
            await self._multipart("", structure, text)
        else:
            await self._leaf("1", structure, text)

    async def _header_lists(self, header: bytes) -> None:
        """Kept fields, others, and both."""
        for names in ("Subject FROM content-type", "X Subject", "X"):
            for kind, invert in (("HEADER.FIELDS", False), ("HEADER.FIELDS.NOT", True)):
                name = f"BODY.PEEK[{kind} ({names})]"
                found = await _items(self._client, self._number, "UID", name)
                expected = header_fields(header, names.encode().split(), invert)
                assert found[f"BODY[{kind} ({names})]".encode()] == expected

    async def _part(self, path: str, structure: list[object], body: bytes) -> None:
        if isinstance(structure[0], list):
            await self._multipart(path + ".", structure, body)
        else:
            await self._leaf(path, structure, body)

    async def _leaf(self, path: str, structure: list[object], body: bytes) -> None:
        kind = (structure[0], structure[1])
        assert structure[6] == b"%d" % len(body)
        (found,) = await _octets(self._client, self._number, path)
        assert found == body
        if structure[0] == b"TEXT":
            assert structure[7] == b"%d" % body.count(b"\n")
        if kind in ((b"MESSAGE", b"RFC822"), (b"MESSAGE", b"GLOBAL")):
            await self._message(path, structure, body)
        await self._partial(path, body)
        await self._binary(path, structure[5])

    async def _message(self, path: str, structure: list[object], body: bytes) -> None:
        header, text = await _octets(self._client, self._number, f"{path}.HEADER", f"{path}.TEXT")
        assert header + text == body
        inner = structure[8]
        assert isinstance(inner, list) and structure[9] == b"%d" % body.count(b"\n")
        if isinstance(inner[0], list):
            await self._multipart(path + ".", inner, text)
        else:
            await self._leaf(path + ".1", inner, text)

    async def _multipart(self, prefix: str, structure: list[object], body: bytes) -> None:
        parts = [value for value in structure if isinstance(value, list)]
        kinds = [isinstance(value, list) for value in structure]
        parts = parts[: kinds.index(False)]
        parameters = structure[len(parts) + 1]
        assert isinstance(parameters, list)
        boundary = dict(zip(parameters[::2], parameters[1::2], strict=True))[b"BOUNDARY"]
        assert isinstance(boundary, bytes)
        line = re.compile(
            rb"(?:\A|\r\n)--" + re.escape(boundary.rstrip(b" ")) + rb"[ \t]*(?:\r\n|\Z)"
        )
        done = 0
        for place, part in enumerate(parts, 1):
            path = f"{prefix}{place}"
            mime, inside = await _octets(self._client, self._number, f"{path}.MIME", path)
            found = line.search(body, done)
            assert found is not None, (path, body)
            if place > 1:
                assert found.start() == done, (path, body)
            done = found.end() + len(mime) + len(inside)
            assert body[found.end() : done] == mime + inside, (path, body)
            await self._part(path, part, inside)
        rest = body[done:]
        closing = b"--" + boundary.rstrip(b" ") + b"--"
        assert not rest or rest.lstrip(b"\r\n").startswith(closing), (prefix, body)
        assert await _items(self._client, self._number, f"BODY.PEEK[{prefix}{len(parts) + 1}]") == {
            f"BODY[{prefix}{len(parts) + 1}]".encode(): None
        }

    async def _partial(self, path: str, body: bytes) -> None:
        middle = len(body) // 2
        wanted = [(0, 5), (middle, 7), (max(0, len(body) - 3), 100), (len(body) + 5, 3)]
        names = [f"BODY.PEEK[{path}]<{offset}.{size}>" for offset, size in wanted]
        for (offset, size), name in zip(wanted, names, strict=True):
            found = await _items(self._client, self._number, name)
            assert list(found.values()) == [body[offset : offset + size]]

    async def _binary(self, path: str, encoding: object) -> None:
        names = f"(BINARY.SIZE[{path}] BINARY.PEEK[{path}])"
        responses, tagged = await self._client.command(f"FETCH {self._number} {names}")
        if not responses:
            assert tagged.startswith(b"NO [UNKNOWN-CTE]")
            assert encoding not in (b"7BIT", b"8BIT", b"BINARY", b"BASE64", b"QUOTED-PRINTABLE")
            return
        found = fetched(responses[0])
        data = found[f"BINARY[{path}]".encode()]
        assert isinstance(data, bytes)
        assert found[f"BINARY.SIZE[{path}]".encode()] == b"%d" % len(data)


async def _check_all(imap: Imap, utf8: bool) -> None:
    client = await imap.session()
    if utf8:
        await client.ok("ENABLE UTF8=ACCEPT")
    await client.ok("EXAMINE INBOX")
    view = await imap.store.mailbox(imap.accounts["user@example.test"], "INBOX")
    for number in range(1, view.messages + 1):
        try:
            await Check(client, number).run()
        except AssertionError as error:
            (response,) = await client.ok(f"FETCH {number} (BODY.PEEK[] BODYSTRUCTURE)")
            raise AssertionError(response.decode("latin-1")) from error


@pytest.mark.parametrize("utf8", [False, True], ids=["ascii", "utf8"])
async def test_made_at_random(tmp_path: Path, utf8: bool) -> None:
    async with serving(tmp_path) as imap:
        for seed in range(_MESSAGES):
            data = Maker(seed).message() or b"\r\n"
            await imap.deliver(data if seed % 3 else data.replace(b"\r\n", b"\n"))
        await _check_all(imap, utf8)


async def test_attacks(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for data in hostile(3_000).values():
            await imap.deliver(data.replace(b"\0", b"0"))
        client = await imap.session(mailbox="INBOX")
        for number in range(1, len(hostile(10)) + 1):
            whole, header, text = await _octets(client, number, "", "HEADER", "TEXT")
            assert header + text == whole
            first = await _items(client, number, "BODYSTRUCTURE", "BODY.PEEK[1]")
            assert first[b"BODY[1]"] is not None
