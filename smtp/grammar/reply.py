"""Replies: a code, an enhanced status code (RFC 3463, RFC 2034) and lines of text.

Invariants: the wire form is made once, when the value is made; text is printable ASCII or UTF-8
without controls; no line is longer than RFC 5321 §4.5.3.1.5 allows.
"""

import re
from dataclasses import dataclass, field

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_LINE = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `status` is "" for 220, 221-greetings, 334, 354 and EHLO (RFC 2034 §3)."""

    code: int
    status: str
    lines: tuple[str, ...]
    wire: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599 or not self.lines:
            raise ValueError("a reply needs a code of 200 to 599 and a line")
        object.__setattr__(self, "wire", _encode(self.code, self.status, self.lines))

    @property
    def ok(self) -> bool:
        """True for 2yz and 3yz."""
        return self.code < 400

    @property
    def temporary(self) -> bool:
        """True for 4yz."""
        return 400 <= self.code < 500

    @property
    def text(self) -> str:
        """All lines as one."""
        return " ".join(self.lines)


def reply(code: int, status: str, *lines: str) -> Reply:
    """A reply of one or more lines; controls in the text become spaces."""
    return Reply(code, status, tuple(_CONTROLS.sub(" ", line) for line in lines))


def _encode(code: int, status: str, lines: tuple[str, ...]) -> bytes:
    lead = f"{status} " if status else ""
    last = len(lines) - 1
    return b"".join(
        _cut(f"{code}{' ' if at == last else '-'}{lead}{line}".encode("utf-8", "replace"))
        for at, line in enumerate(lines)
    )


def _cut(line: bytes) -> bytes:
    if len(line) > _LINE:
        line = line[:_LINE].decode("utf-8", "ignore").encode()
    return line + b"\r\n"


_PARSED = re.compile(rb"([2-5]\d\d)([ -])(?:([245]\.\d{1,3}\.\d{1,3}) )?([^\r\n]*)\r\n")


def parse_reply(wire: bytes) -> Reply:
    """The reply of its wire form. Raises ValueError when it is none."""
    found: list[tuple[bytes, bytes, bytes, bytes]] = _PARSED.findall(wire)
    if not found or b"".join(_joined(*part) for part in found) != wire:
        raise ValueError("not a reply")
    codes = {(code, status) for code, _, status, _ in found}
    ends = [mark for _, mark, _, _ in found]
    if len(codes) != 1 or ends != [b"-"] * (len(found) - 1) + [b" "]:
        raise ValueError("not one reply")
    code, status = codes.pop()
    return Reply(int(code), status.decode(), tuple(text.decode() for *_, text in found))


def _joined(code: bytes, mark: bytes, status: bytes, text: bytes) -> bytes:
    return code + mark + (status + b" " if status else b"") + text + b"\r\n"
