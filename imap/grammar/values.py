"""The small values of IMAP commands: literals, sequence sets, flags and mailbox names.

Values only: how they look on the wire stands in tokens (in) and encode (out). A sequence set keeps
`*` as STAR, which is larger than every number, so that each range is ordered until it is resolved.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NewType

Flag = NewType("Flag", str)

STAR: Final = 1 << 32
INBOX: Final = "INBOX"

SEEN: Final = Flag("\\Seen")
ANSWERED: Final = Flag("\\Answered")
FLAGGED: Final = Flag("\\Flagged")
DELETED: Final = Flag("\\Deleted")
DRAFT: Final = Flag("\\Draft")
RECENT: Final = Flag("\\Recent")
SYSTEM_FLAGS: Final = (ANSWERED, FLAGGED, DELETED, SEEN, DRAFT, RECENT)
_CANONICAL: Final = {flag.lower(): flag for flag in SYSTEM_FLAGS}


def canonical_flag(text: str) -> Flag:
    """A flag with system flags in their usual case; keywords keep the case they came in."""
    return _CANONICAL.get(text.lower(), Flag(text))


def canonical_mailbox(name: str) -> str:
    """The name with INBOX in upper case, whatever case it came in (RFC 9051 §5.1)."""
    return INBOX if name.upper() == INBOX else name


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal of a command: its bytes, or the number under which they were streamed out.

    `stream` counts the streamed literals of one command from 0 and is None when `data` holds the
    bytes. `binary` says that it came as literal8 (`~{n}`), which alone may hold NUL.
    """

    size: int
    data: bytes | None = None
    stream: int | None = None
    binary: bool = False

    @classmethod
    def of(cls, data: bytes, binary: bool = False) -> "Literal":
        """A literal held in memory."""
        return cls(len(data), data, None, binary)


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Message numbers or UIDs as ranges (low, high), in the order they were given (RFC 9051 §9).

    Every low is at most its high; STAR stands for `*`. What STAR means is known only to `resolve`.
    `saved` is `$`, the result of the last SEARCH that saved one; it has no ranges of its own.
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "SequenceSet":
        """The set of these numbers; ascending runs become one range."""
        ranges: list[tuple[int, int]] = []
        for number in numbers:
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return cls(tuple(ranges))

    @property
    def has_star(self) -> bool:
        """Whether the meaning depends on the largest number in use."""
        return any(high == STAR for _, high in self.ranges)

    @property
    def largest(self) -> int:
        """The largest number that is named, STAR left out; 0 when only `*` is named."""
        return max((n for pair in self.ranges for n in pair if n != STAR), default=0)

    def resolve(self, largest: int) -> tuple[tuple[int, int], ...]:
        """Sorted, disjoint ranges with `*` taken as `largest` (`9:*` with largest 3 is 3:9)."""
        if not self.ranges or (len(self.ranges) == 1 and self.ranges[0][1] != STAR):
            return self.ranges
        pairs = [(low, largest if high == STAR else high) for low, high in self.ranges]
        pairs = [(largest if low == STAR else low, high) for low, high in pairs]
        pairs = [(low, high) if low <= high else (high, low) for low, high in pairs]
        if len(pairs) == 1:
            return tuple(pairs)
        return tuple(_merged(sorted(pairs)))

    def contains(self, number: int, largest: int) -> bool:
        """Whether the number belongs to the set when `*` means `largest`."""
        return any(low <= number <= high for low, high in self.resolve(largest))


SAVED: Final = SequenceSet((), True)
NO_MESSAGES: Final = SequenceSet(())


def _merged(pairs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start, end = pairs[0]
    for low, high in pairs[1:]:
        if low > end + 1:
            yield start, end
            start, end = low, high
        elif high > end:
            end = high
    yield start, end


@dataclass(frozen=True, slots=True)
class Partial:
    """The octets from `offset` on, at most `size` of them (`<offset.size>`)."""

    offset: int
    size: int
