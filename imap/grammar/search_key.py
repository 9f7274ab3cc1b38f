"""The tree of a SEARCH program, as values (RFC 9051 §6.4.4, RFC 5032, RFC 6203, RFC 7162,
RFC 8474, RFC 8514).

Words that mean the same share a node: SEEN is FlagKey(\\Seen, True), UNKEYWORD x is
FlagKey(x, False), OLD is FlagKey(\\Recent, False), NEW is an AndKey of two flags. An AndKey has at
least two keys. Strings are decoded; the charset is gone.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeAlias

from imap.grammar.values import Flag, SequenceSet


class TextField(Enum):
    """Where a TextKey looks; the value is the word on the wire."""

    BCC = "BCC"
    BODY = "BODY"
    CC = "CC"
    FROM = "FROM"
    SUBJECT = "SUBJECT"
    TEXT = "TEXT"
    TO = "TO"


class DateField(Enum):
    """Which date a DateKey compares: INTERNALDATE, the save date (RFC 8514) or the Date header; the
    value is the prefix.
    """

    INTERNAL = ""
    SAVED = "SAVED"
    SENT = "SENT"


class DateRelation(Enum):
    """How a DateKey compares; whole days, time and zone disregarded."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


class SearchReturn(Enum):
    """What `RETURN (...)` asks for (RFC 4731 §3.1, RFC 5182 §2, RFC 5267 §4, RFC 6203 §4,
    RFC 9394 §3.1).
    """

    MIN = "MIN"
    MAX = "MAX"
    ALL = "ALL"
    COUNT = "COUNT"
    SAVE = "SAVE"
    PARTIAL = "PARTIAL"
    UPDATE = "UPDATE"
    CONTEXT = "CONTEXT"
    RELEVANCY = "RELEVANCY"


@dataclass(frozen=True, slots=True)
class AllKey:
    """Every message."""


@dataclass(frozen=True, slots=True)
class FlagKey:
    """Messages that have the flag or keyword, or (`present` False) that lack it."""

    flag: Flag
    present: bool = True


@dataclass(frozen=True, slots=True)
class TextKey:
    """Messages whose field contains the value, without regard to case."""

    field: TextField
    value: str


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """Messages with a header of that name that contains the value; "" asks for its presence."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DateKey:
    """Messages by a date."""

    field: DateField
    relation: DateRelation
    day: date


@dataclass(frozen=True, slots=True)
class SizeKey:
    """Messages larger (or, `larger` False, smaller) than `size` octets."""

    larger: bool
    size: int


@dataclass(frozen=True, slots=True)
class SetKey:
    """Messages by sequence number or UID."""

    sequence: SequenceSet
    uid: bool = False


@dataclass(frozen=True, slots=True)
class ModseqKey:
    """Messages with a modseq of at least this; entry name and type (all, shared, priv) are kept."""

    modseq: int
    entry: str | None = None
    entry_type: str | None = None


class IdField(Enum):
    """Which object id an IdKey compares (RFC 8474 §5.5); the value is the word on the wire."""

    EMAILID = "EMAILID"
    THREADID = "THREADID"


@dataclass(frozen=True, slots=True)
class IdKey:
    """Messages with that object id."""

    field: IdField
    value: str


@dataclass(frozen=True, slots=True)
class AgeKey:
    """Messages that came `seconds` ago or earlier (or, `older` False, later; RFC 5032)."""

    older: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class FuzzyKey:
    """Messages that match about (RFC 6203 §3)."""

    key: "SearchKey"


class GmailField(Enum):
    """What a GmailKey looks at; the value is the word on the wire. The last two have none: queries
    of X-GM-RAW ask for them.
    """

    MSGID = "X-GM-MSGID"
    THRID = "X-GM-THRID"
    LABELS = "X-GM-LABELS"
    RAW = "X-GM-RAW"
    ATTACHMENT = "has:attachment"
    FILENAME = "filename"


@dataclass(frozen=True, slots=True)
class GmailKey:
    """A key of X-GM-EXT-1; replaced by keys of the standard before anything is searched."""

    field: GmailField
    value: str


@dataclass(frozen=True, slots=True)
class FilterKey:
    """Messages that a stored search finds (RFC 5466 §3.1); replaced before anything is searched."""

    name: str


@dataclass(frozen=True, slots=True)
class NotKey:
    """Messages that do not match."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class OrKey:
    """Messages that match one or both."""

    left: "SearchKey"
    right: "SearchKey"


@dataclass(frozen=True, slots=True)
class AndKey:
    """Messages that match all of them; two keys or more."""

    keys: tuple["SearchKey", ...]


SearchKey: TypeAlias = (
    AllKey
    | FlagKey
    | TextKey
    | HeaderKey
    | DateKey
    | SizeKey
    | SetKey
    | ModseqKey
    | AgeKey
    | FuzzyKey
    | IdKey
    | FilterKey
    | GmailKey
    | NotKey
    | OrKey
    | AndKey
)


def names_numbers(key: SearchKey) -> bool:
    """Whether sequence numbers stand anywhere in the program."""
    if isinstance(key, AndKey):
        return any(map(names_numbers, key.keys))
    if isinstance(key, OrKey):
        return names_numbers(key.left) or names_numbers(key.right)
    if isinstance(key, NotKey | FuzzyKey):
        return names_numbers(key.key)
    return isinstance(key, SetKey) and not key.uid and not key.sequence.saved
