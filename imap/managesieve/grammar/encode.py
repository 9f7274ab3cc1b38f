"""What the server says, as octets (RFC 5804 §1.2, §4)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

# A longer string goes as a literal (RFC 5804 §4: at most 1024 octets between the quotes).
_QUOTED: Final = re.compile(rb"[^\0\r\n]{0,1024}")
_SPECIAL: Final = re.compile(rb'(["\\])')


class Status(Enum):
    """The word of a response."""

    OK = b"OK"
    NO = b"NO"
    BYE = b"BYE"


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a command. `code` is what stands in the brackets, without them."""

    text: str
    code: bytes = b""
    status: Status = Status.OK

    @property
    def wire(self) -> bytes:
        """The line with its CRLF."""
        code = b" (%s)" % self.code if self.code else b""
        text = b" " + string(self.text.encode("utf-8", "replace")) if self.text else b""
        return self.status.value + code + text + b"\r\n"


def string(data: bytes) -> bytes:
    """Quoted where that is possible, else as a literal."""
    if _QUOTED.fullmatch(data):
        quoted = b'"%s"' % _SPECIAL.sub(rb"\\\1", data)
        if len(quoted) <= 1026 and _is_text(data):
            return quoted
    return b"{%d}\r\n%s" % (len(data), data)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def capability(name: str, value: str | None) -> bytes:
    """One line of CAPABILITY (RFC 5804 §1.7)."""
    line = string(name.encode())
    return line + (b"" if value is None else b" " + string(value.encode())) + b"\r\n"


def script_lines(scripts: Iterable[tuple[str, bool]]) -> bytes:
    """What LISTSCRIPTS gives: names, and which one is active."""
    return b"".join(
        string(name.encode()) + (b" ACTIVE\r\n" if active else b"\r\n") for name, active in scripts
    )


def challenge(wire: bytes) -> bytes:
    """A challenge of AUTHENTICATE, already in base64."""
    return string(wire) + b"\r\n"


def sasl_code(wire: bytes) -> bytes:
    """The response code with what belongs to a success, in base64 (RFC 5804 §1.3)."""
    return b"SASL " + string(wire)


def tag_code(tag: bytes) -> bytes:
    """The response code that gives back what NOOP brought (RFC 5804 §2.13)."""
    return b"TAG " + string(tag)
