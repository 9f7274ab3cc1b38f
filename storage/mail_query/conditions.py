"""What is asked of an Email: conditions under AllOf, AnyOf and Not, and the order of Emails. Pure.

JMAP's filters and the queries of search boxes become these; storage/mail_query/evaluate.py says
which Emails meet them. Text is compared as storage/search compares it: a substring, without case.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from sys import getsizeof
from typing import Final, TypeAlias

from message.collations import USUAL
from storage.values import Flags, MailboxId


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one; without any, every Email."""

    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One at least."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class InMailbox:
    """In one of these at least."""

    boxes: frozenset[MailboxId]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """In one at least that is none of these."""

    boxes: frozenset[MailboxId]


@dataclass(frozen=True, slots=True)
class Received:
    """At or after (`since`), else before a time in Unix seconds; whole seconds are compared."""

    since: bool
    when: float


@dataclass(frozen=True, slots=True)
class Size:
    """Of so many octets or more (`least`), else of fewer."""

    least: bool
    octets: int


@dataclass(frozen=True, slots=True)
class Flagged:
    """With all of these flags; keywords in lower case."""

    flags: Flags


class Among(Enum):
    """Which Emails of a thread have a flag."""

    ALL = "all"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class ThreadFlagged:
    """All Emails of the Email's thread, or some, have the flags."""

    among: Among
    flags: Flags


@dataclass(frozen=True, slots=True)
class Attached:
    """Something is offered for download (RFC 8621 §4.1.4 hasAttachment)."""


@dataclass(frozen=True, slots=True)
class FileNamed:
    """The name of a file in the message contains a text."""

    text: str


class Where(Enum):
    """Everything, or bodies alone."""

    TEXT = "text"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Contains:
    """A text stands in the message."""

    where: Where
    text: str


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """A text stands in a header field of that name; "" asks whether there is one."""

    name: str
    text: str


_Asked: TypeAlias = InMailbox | Elsewhere | Received | Size | Flagged | ThreadFlagged
_Read: TypeAlias = Attached | FileNamed | Contains | HeaderContains
Condition: TypeAlias = AllOf | AnyOf | Not | _Asked | _Read
EVERY: Final = AllOf()
NONE: Final = Not(EVERY)
_EACH: Final = 500


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions under the operators."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def octets_of(condition: Condition) -> int:
    """What a condition takes of memory, about."""
    if isinstance(condition, AllOf | AnyOf):
        return _EACH + sum(map(octets_of, condition.parts))
    if isinstance(condition, Not):
        return _EACH + octets_of(condition.part)
    if isinstance(condition, InMailbox | Elsewhere):
        return _EACH + getsizeof(condition.boxes)
    texts = (getattr(condition, name, "") for name in ("text", "name"))
    return _EACH + sum(map(getsizeof, texts))


class Key(Enum):
    """What Emails are sorted by, as RFC 8621 §4.4.2 names it."""

    RECEIVED = "receivedAt"
    SIZE = "size"
    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    SENT = "sentAt"
    FLAG = "hasKeyword"
    ALL_IN_THREAD = "allInThreadHaveKeyword"
    SOME_IN_THREAD = "someInThreadHaveKeyword"


@dataclass(frozen=True, slots=True)
class Order:
    """`flags` of the keys that ask for them; `collation` of those that are text."""

    key: Key
    ascending: bool = True
    flags: Flags = Flags()
    collation: str = USUAL


@dataclass(frozen=True, slots=True)
class MailQuery:
    """Without `order` the Emails received last come first. `collapse`: of each thread only the
    Email that comes first.
    """

    condition: Condition = EVERY
    order: tuple[Order, ...] = ()
    collapse: bool = False

    @property
    def by_thread(self) -> bool:
        """Whether other Emails of its thread decide about an Email."""
        if self.collapse or any(isinstance(one, ThreadFlagged) for one in leaves(self.condition)):
            return True
        return any(one.key in (Key.ALL_IN_THREAD, Key.SOME_IN_THREAD) for one in self.order)

    @property
    def is_immutable(self) -> bool:
        """Whether it looks at nothing of an Email that changes: keywords and mailboxes do."""
        changing = (InMailbox, Elsewhere, Flagged, ThreadFlagged)
        if self.collapse or any(isinstance(one, changing) for one in leaves(self.condition)):
            return False
        still = (Key.FLAG, Key.ALL_IN_THREAD, Key.SOME_IN_THREAD)
        return all(one.key not in still for one in self.order)
