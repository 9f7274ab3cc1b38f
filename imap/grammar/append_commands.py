"""APPEND and REPLACE with the messages that they bring, as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from imap.grammar.values import Flag, Literal, SequenceSet


@dataclass(frozen=True, slots=True)
class CatenateText:
    """Octets of a message that is put together; `utf8`: they came as `UTF8 (~{n})`."""

    literal: Literal
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class CatenateUrl:
    """What an IMAP URL names (RFC 5092), as it was written."""

    url: str


CatenatePart: TypeAlias = CatenateText | CatenateUrl


@dataclass(frozen=True, slots=True)
class Catenate:
    """A message put together from its parts (RFC 4469 §3)."""

    parts: tuple[CatenatePart, ...]


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message of APPEND; `date` is aware, None when the server is to take the present.

    `utf8`: it came as `UTF8 (~{n})` (RFC 6855 §4), which Thunderbird sends.
    """

    data: Literal | Catenate
    flags: tuple[Flag, ...] = ()
    date: datetime | None = None
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND of one or more messages (RFC 9051 §6.3.12, RFC 3502)."""

    tag: str
    mailbox: str
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """REPLACE and UID REPLACE (RFC 8508 §3); `sequence` names one message."""

    tag: str
    uid: bool
    sequence: SequenceSet
    mailbox: str
    message: AppendMessage
