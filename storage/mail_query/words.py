"""What the language of a search box (message/query.py) asks of Emails, as conditions. Pure.

Labels are mailboxes by their name, the last part of it or their use, and tags.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final

from message import query as words
from storage.mail_query.conditions import (
    NONE,
    AllOf,
    AnyOf,
    Attached,
    Condition,
    Contains,
    FileNamed,
    Flagged,
    HeaderContains,
    InMailbox,
    Not,
    Received,
    Size,
    Where,
)
from storage.values import Flags, Mailbox, System

_HEADERS: Final = {
    words.Field.FROM: ("From",),
    words.Field.TO: ("To", "Cc"),
    words.Field.CC: ("Cc",),
    words.Field.BCC: ("Bcc",),
    words.Field.SUBJECT: ("Subject",),
    words.Field.LIST: ("List-Id",),
    words.Field.MESSAGE_ID: ("Message-ID",),
    words.Field.DELIVERED_TO: ("Delivered-To",),
}
_STATES: Final[dict[words.State, Condition]] = {
    words.State.UNREAD: Not(Flagged(Flags(System.SEEN))),
    words.State.READ: Flagged(Flags(System.SEEN)),
    words.State.STARRED: Flagged(Flags(System.FLAGGED)),
    words.State.UNSTARRED: Not(Flagged(Flags(System.FLAGGED))),
    words.State.IMPORTANT: Flagged(Flags(System(0), frozenset({"$important"}))),
    words.State.ANSWERED: Flagged(Flags(System.ANSWERED)),
    words.State.DRAFT: Flagged(Flags(System.DRAFT)),
    words.State.ATTACHMENT: Attached(),
}
_USES: Final = {
    "sent": "\\Sent",
    "drafts": "\\Drafts",
    "draft": "\\Drafts",
    "trash": "\\Trash",
    "bin": "\\Trash",
    "junk": "\\Junk",
    "spam": "\\Junk",
    "archive": "\\Archive",
}
_KEYWORD: Final = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}")


class Meaning:
    """In an account with these mailboxes, `now` in Unix seconds; days are those of `zone`."""

    def __init__(self, boxes: Iterable[Mailbox], now: float, zone: tzinfo) -> None:
        self._boxes, self._now, self._zone = list(boxes), now, zone

    def of(self, query: words.Query) -> Condition:
        """The condition that a query is."""
        if isinstance(query, words.AllOf):
            return AllOf(tuple(map(self.of, query.parts)))
        if isinstance(query, words.AnyOf):
            return AnyOf(tuple(map(self.of, query.parts)))
        if isinstance(query, words.NoneOf):
            return Not(self.of(query.part))
        if isinstance(query, words.Is):
            return _STATES[query.state]
        if isinstance(query, words.Size):
            return Size(query.larger, query.octets + 1 if query.larger else query.octets)
        if isinstance(query, words.Age):
            return Received(not query.older, self._now - query.seconds)
        if isinstance(query, words.Day):
            day = datetime(query.day.year, query.day.month, query.day.day, tzinfo=self._zone)
            return Received(query.since, day.timestamp())
        return self._word(query.field, query.value)

    def _word(self, field: words.Field, value: str) -> Condition:
        if field in _HEADERS:
            parts = tuple(HeaderContains(name, value) for name in _HEADERS[field])
            return parts[0] if len(parts) == 1 else AnyOf(parts)
        if field is words.Field.FILENAME:
            return FileNamed(value)
        if field is words.Field.TAG:
            return _tagged(value)
        if field is words.Field.LABEL:
            return self._label(value)
        return Contains(Where.BODY if field is words.Field.BODY else Where.TEXT, value)

    def _label(self, name: str) -> Condition:
        boxes = frozenset(box.id for box in _named(self._boxes, name))
        if not boxes:
            return _tagged(name)
        return AnyOf((InMailbox(boxes), _tagged(name)))


def _named(boxes: Sequence[Mailbox], name: str) -> list[Mailbox]:
    """By the whole name; else by use; else by the last part."""
    wanted = name.casefold()
    use = _USES.get(wanted)
    for found in (
        [box for box in boxes if box.name.casefold() == wanted],
        [box for box in boxes if use is not None and box.special_use == use],
        [box for box in boxes if box.name.rpartition("/")[2].casefold() == wanted],
    ):
        if found:
            return found
    return []


def _tagged(keyword: str) -> Condition:
    if not _KEYWORD.fullmatch(keyword):
        return NONE
    return Flagged(Flags(System(0), frozenset({keyword.lower()})))
