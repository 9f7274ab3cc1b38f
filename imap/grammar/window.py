"""PARTIAL: a part of an ordered result, counted from its start or its end (RFC 9394 §4).

The numbers stay as they came, since ESEARCH repeats them; negative ones count from the end.
"""

import re
from dataclasses import dataclass
from typing import Final

from imap.grammar.tokens import MAX_NUMBER, Cursor

_RANGE: Final = re.compile(
    rb"(?:([0-9]{1,10}):([0-9]{1,10})|-([0-9]{1,10}):-([0-9]{1,10}))(?=[ )]|$)"
)


@dataclass(frozen=True, slots=True)
class Window:
    """`first:last` in any order, both positive or both negative; 1 is the first, -1 the last."""

    first: int
    last: int

    def of(self, count: int) -> range:
        """The places from 0 on that it names among `count` members."""
        low, high = sorted((self.first, self.last))
        if low > 0:
            return range(min(low - 1, count), min(high, count))
        return range(max(0, count + low), max(0, count + high + 1))

    def encode(self) -> bytes:
        """As it came."""
        return b"%d:%d" % (self.first, self.last)


def parse_window(cursor: Cursor) -> Window:
    """The argument of PARTIAL."""
    start = cursor.position
    found = cursor.match(_RANGE, "a range such as 1:50 or -1:-50")
    first, last = (int(number) for number in found.groups() if number is not None)
    if not (0 < first <= MAX_NUMBER and 0 < last <= MAX_NUMBER):
        cursor.position = start
        cursor.fail(f"a range of numbers from 1 to {MAX_NUMBER}")
    return Window(-first, -last) if found[3] is not None else Window(first, last)
