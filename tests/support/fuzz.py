"""Random and mutated conversations for SMTP and IMAP, seeded, and what must hold after each.

A single line with no data behind it gets the answers that the standard gives any line, and the
next command is obeyed: the connection is in step. A whole stream, cut anywhere, ends: the server
answers in lawful lines and closes when the client has.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.fuzz_seeds import SMTP_LINES, Seeds

SECONDS = 30
"""No answer for so long is a hang."""
_SMTP_LINE = re.compile(rb"[2-5]\d\d(?:-[^\r\n]*\r\n[2-5]\d\d)*(?: [^\r\n\0]*)?\r\n")
_IMAP_LINE = re.compile(
    rb"(?:\* |\+ |\+\r|[^ \r\n\0]+ (?:OK|NO|BAD)[ \r])[^\r\n\0]*\r?\n?", re.DOTALL
)
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_MARK = re.compile(rb"\{\d+[+-]?\}\s*$")
_LATER = (b"DATA", b"BDAT", b"AUTH", b"STARTTLS", b"QUIT")
_OWN = (
    *(b"LOGOUT", b"IDLE", b"AUTHENTICATE", b"STARTTLS", b"DELETE", b"RENAME"),
    *(b"UNAUTHENTICATE", b"COMPRESS"),
)
_OPAQUE = re.compile(rb"\x16\x03|COMPRESS", re.IGNORECASE)
"""Behind these the answer is no text."""

_SPICE: Sequence[bytes] = (
    b"\0", b"\r", b"\n", b"\xff", b"\xc3", b"\t", b" ", b"  ", b'"', b"\\", b"(", b")", b"((((",
    b"<", b">", b"@", b",", b":", b";", b"{", b"}", b"{5}", b"{5+}", b"{0+}\r\n", b"*", b"%", b"~",
    b"[", b"]", b"[]<0.0>", b"NIL", b"0", b"4294967295", b"4294967296", b"-1", b"9" * 40, b"=",
    b"a" * 300, b"BODY[", b"=?utf-8?q?=", b"\x1b[2J", b"\xe2\x80\xa8", b"\r\n.\r\n", b"+FF",
)  # fmt: skip


def mutated(chance: random.Random, text: bytes, others: Sequence[bytes]) -> bytes:
    """A few changes: octets dropped, doubled, replaced, spiced, and pieces of another seed."""
    data = bytearray(text)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5, 8))):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + chance.choice((1, 1, 2, 5, 20)))
        kind = chance.randrange(6)
        if kind == 0:
            del data[at:until]
        elif kind == 1:
            data[at:at] = data[at:until] * chance.choice((1, 2, 50))
        elif kind == 2:
            data[at:until] = chance.randbytes(until - at)
        elif kind == 3:
            other = chance.choice(others)
            begin = chance.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + chance.randrange(30)]
        else:
            data[at:at] = chance.choice(_SPICE)
    return bytes(data)


@dataclass(slots=True)
class Fuzzer:
    """One worker: connections one after another until the time is over. It has an account of its
    own; `other` is one that is not to be changed.
    """

    smtp: int
    imap: int
    account: str
    password: str
    other: str
    seeds: Seeds
    chance: random.Random
    lines: int = 0
    streams: int = 0

    async def run(self, seconds: float, streams: int) -> None:
        """For so long, or so many streams. Raises AssertionError with what was sent when something
        does not hold.
        """
        end = time.monotonic() + seconds
        kinds: Sequence[Callable[[], object]] = (
            self._smtp_lines,
            self._imap_lines,
            self._smtp_stream,
            *[self._imap_stream] * 5,
        )
        while time.monotonic() < end and self.streams < streams:
            work = self.chance.choice(kinds)()
            assert asyncio.iscoroutine(work)
            async with asyncio.timeout(SECONDS):
                await work

    def _fill(self, text: bytes) -> bytes:
        filled = text.replace(b"{account}", self.account.encode())
        filled = filled.replace(b"{other}", self.other.encode())
        return filled.replace(b"{password}", self.password.encode())

    # One line at a time: in step after each.

    async def _smtp_lines(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.smtp)
        try:
            await _smtp_reply(reader)
            writer.write(b"EHLO fuzz.test\r\n")
            await _smtp_reply(reader)
            for _ in range(20):
                line = mutated(self.chance, self._fill(self.chance.choice(SMTP_LINES)), SMTP_LINES)
                line = line.replace(b"\n", b"\r")
                if line.lstrip()[:8].upper().startswith(_LATER):
                    continue
                self.lines += 1
                writer.write(line + b"\r\nNOOP\r\n")
                first, second = await _smtp_reply(reader), await _smtp_reply(reader)
                if first.startswith(b"421") or second.startswith(b"421"):
                    return
                assert second == b"250 2.0.0 Ok\r\n", (line, first, second)
        finally:
            writer.close()

    async def _imap_lines(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.imap)
        try:
            await _imap_response(reader)
            login = f'in LOGIN {self.account} "{self.password}"\r\nin2 SELECT INBOX\r\n'
            writer.write(login.encode())
            await _imap_until(reader, b"in2 ")
            for number in range(15):
                text = self._fill(self.chance.choice(self.seeds.imap_lines))
                line = mutated(self.chance, text, self.seeds.imap_lines)
                line = line.replace(b"\n", b"\r")
                if _MARK.search(line) or line.lstrip().upper().startswith(_OWN):
                    continue
                self.lines += 1
                writer.write(b"f%d %b\r\ns%d NOOP\r\n" % (number, line, number))
                answers = await _imap_until(reader, b"s%d " % number)
                if any(answer.startswith(b"* BYE") for answer in answers):
                    return
                assert answers[-1].startswith(b"s%d OK" % number), (line, answers[-3:])
                tagged = [one for one in answers[:-1] if not one.startswith((b"* ", b"+ "))]
                assert len(tagged) == (line.strip(b"\r") != b"" or b"\r" in line or 1), (
                    line,
                    tagged,
                )
        finally:
            writer.close()

    # Whole streams, cut anywhere: lawful lines, and an end.

    async def _smtp_stream(self) -> None:
        sent, got = await self._stream(self.smtp, self.seeds.smtp_streams)
        if b"\x16\x03" in sent:
            return
        rest = got
        while rest:
            found = _SMTP_LINE.match(rest)
            assert found is not None, (sent, rest[:200])
            rest = rest[found.end() :]

    async def _imap_stream(self) -> None:
        sent, got = await self._stream(self.imap, self.seeds.imap_streams)
        if _OPAQUE.search(sent):
            return
        reader = asyncio.StreamReader(limit=2**24)
        reader.feed_data(got)
        reader.feed_eof()
        while response := await _imap_response(reader):
            assert _IMAP_LINE.match(response), (sent, response[:200])

    async def _stream(self, port: int, streams: Sequence[bytes]) -> tuple[bytes, bytes]:
        self.streams += 1
        data = mutated(self.chance, self._fill(self.chance.choice(streams)), streams)
        if self.chance.random() < 0.1:
            data = self.chance.randbytes(self.chance.randrange(5000))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        try:
            cut = self.chance.randrange(len(data) + 1)
            writer.write(data[:cut])
            await asyncio.sleep(self.chance.choice((0, 0, 0.001)))
            writer.write(data[cut:])
            writer.write_eof()
            return data, await reader.read()
        except OSError:  # the server has closed: what it said is lost with the reset
            return data, b""
        finally:
            writer.close()


async def _smtp_reply(reader: asyncio.StreamReader) -> bytes:
    lines = b""
    while True:
        line = await reader.readline()
        lines += line
        assert re.fullmatch(rb"[2-5]\d\d[ -][^\r\n\0]*\r\n", line), (lines, "no lawful reply")
        if line[3:4] == b" ":
            return lines


async def _imap_response(reader: asyncio.StreamReader) -> bytes:
    data = await reader.readline()
    while (found := _LITERAL.search(data)) is not None:
        data += await reader.readexactly(int(found[1]))
        data += await reader.readline()
    return data


async def _imap_until(reader: asyncio.StreamReader, tag: bytes) -> list[bytes]:
    answers: list[bytes] = []
    while True:
        response = await _imap_response(reader)
        assert response, answers[-3:]
        assert _IMAP_LINE.match(response), response[:200]
        answers.append(response)
        if response.startswith((tag, b"* BYE")):
            return answers
