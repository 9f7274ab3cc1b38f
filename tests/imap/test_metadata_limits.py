"""METADATA beyond its bounds: values too long, entries too many (RFC 5464 §4.3)."""

from pathlib import Path

from storage.metadata import MAX_VALUE
from tests.support.imap_server import OTHER, serving


async def test_a_value_that_is_too_long(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        for mailbox in ("INBOX", '""'):
            for size in (MAX_VALUE, MAX_VALUE + 1):
                value = b"{%d+}\r\n%b" % (size, b"x" * size)
                command = f"SETMETADATA {mailbox} (/private/comment ".encode()
                await client.send(b"m %b%b)\r\n" % (command, value))
                _, tagged = await client.until(b"m")
                if size == MAX_VALUE:
                    assert tagged.startswith(b"OK")
                else:
                    assert tagged.startswith(b"NO [METADATA MAXSIZE %d]" % MAX_VALUE)
            (line,) = await client.ok(f"GETMETADATA {mailbox} /private/comment")
            assert line.count(b"x") == MAX_VALUE


async def test_more_entries_than_a_mailbox_may_have(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        for start in range(0, 1000, 100):
            pairs = [f'/private/vendor/test/e{n} "v"' for n in range(start, start + 100)]
            await client.ok(f"SETMETADATA INBOX ({' '.join(pairs)})")
        more = 'SETMETADATA INBOX (/private/vendor/test/e0 "w" /private/vendor/test/more "v")'
        _, tagged = await client.command(more)
        assert tagged.startswith(b"NO [METADATA TOOMANY]")
        (line,) = await client.ok("GETMETADATA INBOX (/private/vendor/test/e0)")
        assert line.endswith(b'(/private/vendor/test/e0 "v")')  # all or nothing
        await client.ok("SETMETADATA INBOX (/private/vendor/test/e1 NIL)")
        await client.ok('SETMETADATA INBOX (/private/vendor/test/more "v")')
        other = await imap.session(OTHER)
        await other.ok('SETMETADATA INBOX (/private/vendor/test/more "v")')
