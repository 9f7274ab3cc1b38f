"""Parser of NOTIFY (RFC 5465 §8).

A group that names an unknown event is no error of the grammar: its `unknown` holds the words, and
the answer is NO [BADEVENT]. What the RFC calls BAD is refused here: message events that must
come together, items of FETCH or other events where they have no place, two groups for the
selected mailbox.
"""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import Command
from imap.grammar.fetch import parse_items
from imap.grammar.fetch_item import FetchItem
from imap.grammar.message_commands import Notify
from imap.grammar.notify_group import NotifyEvent, NotifyGroup, NotifyScope
from imap.grammar.tokens import Cursor

SELECTED: Final = frozenset({NotifyScope.SELECTED, NotifyScope.SELECTED_DELAYED})
NAMED: Final = frozenset({NotifyScope.SUBTREE, NotifyScope.MAILBOXES})
MESSAGES: Final = frozenset({NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE})
CHANGES: Final = frozenset({NotifyEvent.FLAG_CHANGE, NotifyEvent.ANNOTATION_CHANGE})
_SCOPES: Final = {scope.value.upper(): scope for scope in NotifyScope}
_EVENTS: Final = {event.value.upper(): event for event in NotifyEvent}


def parse_notify(cursor: Cursor) -> Notify:
    """NOTIFY SET and NOTIFY NONE."""
    cursor.space()
    word = cursor.word("SET or NONE")
    if word == "NONE":
        return Notify(cursor.frame.tag)
    if word != "SET":
        raise cursor.error("expected SET or NONE")
    cursor.space()
    status = cursor.next_word() == "STATUS"
    if status:
        cursor.word("STATUS")
        cursor.space()
    groups = [_group(cursor)]
    while not cursor.at_end():
        groups.append(_group(cursor))
    if sum(group.scope in SELECTED for group in groups) > 1:
        raise cursor.error("only one group may be about the selected mailbox")
    return Notify(cursor.frame.tag, tuple(groups), status)


def _group(cursor: Cursor) -> NotifyGroup:
    cursor.open("mailboxes and events")
    scope = _SCOPES.get(cursor.word("mailboxes such as selected or personal"))
    if scope is None:
        raise cursor.error("expected mailboxes such as selected or personal")
    cursor.space()
    names = _names(cursor) if scope in NAMED else ()
    group = _events(cursor, scope, names)
    cursor.skip_spaces()
    cursor.expect(b")")
    _check(cursor, group)
    return group


def _names(cursor: Cursor) -> tuple[str, ...]:
    if cursor.peek() != b"(":
        names = [cursor.mailbox()]
        cursor.space()
        return tuple(names)
    cursor.open("mailbox names")
    names = [cursor.mailbox()]
    while cursor.more():
        names.append(cursor.mailbox())
    cursor.space()
    return tuple(names)


def _events(cursor: Cursor, scope: NotifyScope, names: tuple[str, ...]) -> NotifyGroup:
    if cursor.next_word() == "NONE":
        cursor.word("NONE")
        return NotifyGroup(scope, names)
    events: dict[NotifyEvent, None] = {}
    unknown: dict[str, None] = {}
    fetch: tuple[FetchItem, ...] = ()
    cursor.open("events, or NONE")
    while not (events or unknown) or cursor.more():
        word = cursor.atom("an event such as MessageNew")
        event = _EVENTS.get(word.upper())
        if event is None:
            unknown[word] = None
            continue
        events[event] = None
        if event is NotifyEvent.MESSAGE_NEW:
            cursor.skip_spaces()
            if cursor.peek() == b"(":
                if scope not in SELECTED:
                    raise cursor.error("items of FETCH are for the selected mailbox only")
                fetch = parse_items(cursor)
    return NotifyGroup(scope, names, tuple(events), fetch, tuple(unknown))


def _check(cursor: Cursor, group: NotifyGroup) -> None:
    """What must come together (RFC 5465 §5), and what the selected mailbox allows (§6.1)."""
    found = MESSAGES.intersection(group.events)
    if found and found != MESSAGES:
        raise cursor.error("MessageNew and MessageExpunge come together")
    if not found and not CHANGES.isdisjoint(group.events):
        raise cursor.error("FlagChange comes with MessageNew and MessageExpunge")
    if group.scope in SELECTED and not (MESSAGES | CHANGES).issuperset(group.events):
        raise cursor.error("the selected mailbox has events of messages only")


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {"NOTIFY": parse_notify}
