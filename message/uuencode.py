"""Files that stand uuencoded in text: `begin 644 name`, lines of up to 45 octets, `end`.

As POSIX has it (uuencode). A line that is none ends a file; so time and memory are those of the
text, whatever it is. Never raises.
"""

import re
from binascii import Error, a2b_uu
from collections.abc import Iterator
from typing import Final

MARK: Final = b"begin "
_BEGIN: Final = re.compile(rb"^begin [ \t]*[0-7]{3,4}[ \t]+([^\r\n]{1,300})\r?\n", re.MULTILINE)
# A count, 84 characters for 63 octets, and what some append as a check.
_MOST_LINE: Final = 90


def uu_files(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file with something in it, in order."""
    found = _BEGIN.search(text)
    while found is not None:
        content, at = _content(text, found.end())
        if content:
            yield found[1].decode("utf-8", "replace").strip(), content
        found = _BEGIN.search(text, at)


def _content(text: bytes, at: int) -> tuple[bytes, int]:
    """What the lines from there on hold, and where the first stands that is none."""
    pieces: list[bytes] = []
    while True:
        end = text.find(b"\n", at, at + _MOST_LINE + 2)
        line = text[at : end if end >= 0 else at + _MOST_LINE].rstrip(b"\r")
        size = (line[0] - 32) & 63 if line else 0
        if not size or line == b"end":
            break
        try:
            pieces.append(a2b_uu(line[: 1 + -(-size // 3) * 4]))
        except Error:
            break
        if end < 0:
            break
        at = end + 1
    return b"".join(pieces), at
