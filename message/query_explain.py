"""How the query of a search box was understood, as a tree: each condition in words, with the place
in the text that it comes from, so that a page can show it as chips and take one away. Pure.

message/query_words.py tells the same as a text.
"""

from dataclasses import dataclass
from typing import Any, Final

from message.query import (
    Age,
    AllOf,
    AnyOf,
    Day,
    Field,
    Is,
    NoneOf,
    Query,
    Size,
    Span,
    State,
    Word,
)


@dataclass(frozen=True, slots=True)
class Told:
    """`kind` is `all`, `any` and `not`, which have `parts`, or `condition`: `field` is its operator
    and `value` what was asked for, `says` it in words. `start` and `end` are places in the text.
    """

    kind: str
    field: str = ""
    value: str = ""
    says: str = ""
    start: int = 0
    end: int = 0
    parts: tuple["Told", ...] = ()

    def members(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"kind": self.kind, "start": self.start, "end": self.end}
        if self.kind == "condition":
            return found | {"field": self.field, "value": self.value, "says": self.says}
        return found | {"parts": [part.members() for part in self.parts]}


def explain(query: Query) -> Told:
    """Of a parsed query; one without conditions has no parts."""
    if isinstance(query, AllOf):
        if query.span != (0, 0) and not query.parts:
            return _told(query.span, "in", "anywhere", "in any folder")
        return _joined("all", query.parts, query.span)
    if isinstance(query, AnyOf):
        return _joined("any", query.parts, query.span)
    if isinstance(query, NoneOf):
        start, end = query.span
        return Told("not", start=start, end=end, parts=(explain(query.part),))
    if isinstance(query, Word):
        says = f"{_FIELDS[query.field]} “{query.value}”"
        return _told(query.span, query.field.value, query.value, says)
    if isinstance(query, Is):
        field = "has" if query.state is State.ATTACHMENT else "is"
        return _told(query.span, field, query.state.value, _STATES[query.state])
    if isinstance(query, Day):
        day = query.day.isoformat()
        says = f"received on {day} or later" if query.since else f"received before {day}"
        return _told(query.span, "after" if query.since else "before", day, says)
    if isinstance(query, Age):
        age = _age(query.seconds)
        says = f"received more than {age} ago" if query.older else f"received in the last {age}"
        return _told(query.span, "older_than" if query.older else "newer_than", age, says)
    return _size(query)


def _told(span: Span, field: str, value: str, says: str) -> Told:
    return Told("condition", field, value, says, *span)


def _joined(kind: str, parts: tuple[Query, ...], span: Span) -> Told:
    made = tuple([explain(part) for part in parts])
    start, end = span
    if made and span == (0, 0):
        start, end = min(one.start for one in made), max(one.end for one in made)
    return Told(kind, start=start, end=end, parts=made)


def _size(query: Size) -> Told:
    octets = str(query.octets)
    says = f"larger than {octets} octets" if query.larger else f"smaller than {octets} octets"
    return _told(query.span, "larger" if query.larger else "smaller", octets, says)


def _age(seconds: int) -> str:
    """In the largest unit that divides it."""
    for name, unit in (("years", 365 * 86_400), ("days", 86_400), ("hours", 3_600)):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name if count > 1 else name[:-1]}"
    return f"{seconds} seconds"


_FIELDS: Final = {
    Field.TEXT: "anything contains",
    Field.BODY: "the text contains",
    Field.FROM: "the sender contains",
    Field.TO: "a recipient contains",
    Field.CC: "Cc contains",
    Field.BCC: "Bcc contains",
    Field.SUBJECT: "the subject contains",
    Field.LABEL: "in the folder or with the tag",
    Field.TAG: "with the tag",
    Field.FILENAME: "the name of a file contains",
    Field.LIST: "the mailing list contains",
    Field.MESSAGE_ID: "the Message-ID contains",
    Field.DELIVERED_TO: "delivered to",
}
_STATES: Final = {
    State.UNREAD: "not read",
    State.READ: "read",
    State.STARRED: "starred",
    State.UNSTARRED: "not starred",
    State.IMPORTANT: "important",
    State.ANSWERED: "answered",
    State.UNANSWERED: "not answered",
    State.FORWARDED: "forwarded",
    State.DRAFT: "a draft",
    State.ATTACHMENT: "with an attachment",
}
