"""What the language of a search box (message/query.py) asks of Emails, as conditions. Pure.

Labels are mailboxes by their name, the last part of it or their use, and tags.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final

from message import query as words
from storage.mail_query.conditions import (
    NONE,
    AllOf,
    AnyOf,
    Attached,
    Condition,
    Contains,
    Elsewhere,
    FileNamed,
    Flagged,
    HeaderContains,
    InMailbox,
    Not,
    Received,
    Size,
    Where,
)
from storage.values import Flags, Mailbox, MailboxId, System

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
    words.State.UNANSWERED: Not(Flagged(Flags(System.ANSWERED))),
    words.State.FORWARDED: Flagged(Flags(System(0), frozenset({"$forwarded"}))),
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a query is about: the mailboxes that the login may read, `now` in Unix seconds, days are
    those of `zone`. `tags` are keywords by the names that they are shown with, in lower case; `own`
    the user's addresses, which `from:me` means. Emails in `left_out` alone are found only by a
    query that names a label, or `in:anywhere`.
    """

    boxes: Sequence[Mailbox]
    now: float
    zone: tzinfo = UTC
    tags: Mapping[str, str] = field(default_factory=dict)
    own: Sequence[str] = ()
    left_out: frozenset[MailboxId] = frozenset()


@dataclass(frozen=True, slots=True)
class Understood:
    """What is searched, and the query as it was read; `plain`: as its words alone, since it could
    not be read otherwise.
    """

    condition: Condition
    query: words.Query
    plain: bool = False


def understood(text: str, around: Surroundings) -> Understood:
    """What is typed into a search box: the one way for REST and web pages. Never fails."""
    try:
        query, plain = words.parse_query(text), False
    except words.QueryError:
        query, plain = words.plain_words(text), True
    condition = Meaning(around).of(query)
    if around.left_out and not words.names_place(query):
        condition = AllOf((condition, Elsewhere(around.left_out)))
    return Understood(condition, query, plain)


class Meaning:
    """Of queries in an account."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._boxes, self._now, self._zone = around.boxes, around.now, around.zone

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

    def _word(self, where: words.Field, value: str) -> Condition:
        if where in _HEADERS:
            own = self._around.own if value.casefold() == "me" else ()
            texts = own or (value,)
            parts = tuple(HeaderContains(name, text) for name in _HEADERS[where] for text in texts)
            return parts[0] if len(parts) == 1 else AnyOf(parts)
        if where is words.Field.FILENAME:
            return FileNamed(value)
        if where is words.Field.TAG:
            return self._tagged(value)
        if where is words.Field.LABEL:
            return self._label(value)
        return Contains(Where.BODY if where is words.Field.BODY else Where.TEXT, value)

    def _label(self, name: str) -> Condition:
        boxes = frozenset(box.id for box in _named(self._boxes, name))
        if not boxes:
            return self._tagged(name)
        return AnyOf((InMailbox(boxes), self._tagged(name)))

    def _tagged(self, name: str) -> Condition:
        keyword = self._around.tags.get(name.casefold(), name)
        if not _KEYWORD.fullmatch(keyword):
            return NONE
        return Flagged(Flags(System(0), frozenset({keyword.lower()})))


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
