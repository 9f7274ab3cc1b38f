"""Replies as peers send them: liberal in form, bounded in size (RFC 5321 §4.2). Pure.

smtp/grammar/reply.py is for what we say; this is for what we hear.
"""

import re
from dataclasses import dataclass

MAX_LINE = 4096
MAX_LINES = 128
MAX_TEXT = 900

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


class BadReply(Exception):
    """What the peer sent is no reply, or has no end."""


@dataclass(frozen=True, slots=True)
class PeerReply:
    """One reply; `lines` without code, decoded tolerantly, controls replaced."""

    code: int
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True for 2yz."""
        return 200 <= self.code < 300

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 2034) when it fits the code, else ""."""
        found = _STATUS.match(self.lines[0])
        return found[1] if found and found[1][0] == str(self.code)[0] else ""

    @property
    def text(self) -> str:
        """Code and text on one line, cut to MAX_TEXT characters, as it is shown and reported."""
        status = self.status
        rest = [line.removeprefix(status).strip() if status else line for line in self.lines]
        words = " ".join(part for part in (str(self.code), status, *rest) if part)
        return words[:MAX_TEXT]


class ReplyParser:
    """Feed it bytes, take replies. Holds at most one incomplete reply."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = 0

    @property
    def pending(self) -> bool:
        """True when bytes wait that are no whole reply yet."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[PeerReply]:
        """Replies that are complete by now. Raises BadReply."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise BadReply("a reply line without end")
        replies: list[PeerReply] = []
        for line in lines:
            reply = self._line(line.removesuffix(b"\r"))
            if reply is not None:
                replies.append(reply)
        return replies

    def _line(self, line: bytes) -> PeerReply | None:
        match = _LINE.fullmatch(line)
        if match is None or len(line) > MAX_LINE or len(self._lines) >= MAX_LINES:
            raise BadReply("not an SMTP reply")
        code = int(match[1])
        if self._lines and code != self._code:
            raise BadReply("a reply with two codes")
        self._code = code
        self._lines.append(match[3] or b"")
        if match[2] == b"-":
            return None
        reply = PeerReply(code, tuple(_text(text) for text in self._lines))
        self._lines = []
        return reply


def _text(line: bytes) -> str:
    return _CONTROLS.sub(" ", line.decode("utf-8", "replace")).strip()
