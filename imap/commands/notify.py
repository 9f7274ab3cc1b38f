"""NOTIFY SET and NOTIFY NONE (RFC 5465 §3). What is told when stands in imap/notifier.py."""

from dataclasses import replace
from typing import Final

from imap.grammar.message_commands import Notify
from imap.grammar.notify_group import NotifyEvent
from imap.mailboxes import spelled
from imap.notifier import Notifier
from imap.notify_rules import SUPPORTED, Rules, first_items, listed, status
from imap.replies import No, Reply
from imap.session import Session

_NAMES: Final = 1_000


async def notify(session: Session, command: Notify) -> Reply:
    asked = {event for group in command.groups for event in group.events}
    if not asked.issubset(SUPPORTED) or any(group.unknown for group in command.groups):
        raise No("Not every event is supported", _badevent())
    if sum(len(group.names) for group in command.groups) > _NAMES:
        raise No("Too many mailbox names", b"NOTIFICATIONOVERFLOW")
    groups = [replace(group, names=tuple(map(spelled, group.names))) for group in command.groups]
    notifier = Notifier(session, Rules(groups))
    if command.groups:
        session.updates(expunge=True)  # SET implies a NOOP
        if command.status or notifier.rules.beyond:
            await _look(session, notifier, command.status)
    session.notify(notifier)
    return Reply("NOTIFY completed")


def _badevent() -> bytes:
    """The code lists what there is."""
    return b"BADEVENT (%s)" % " ".join(event.value for event in SUPPORTED).encode()


async def _look(session: Session, notifier: Notifier, told: bool) -> None:
    """Tells how the mailboxes stand for which events of messages are wanted, and which of those
    that are watched can't be read (RFC 5465 §3.1).
    """
    session.notify(notifier)  # what happens from here on is told
    now = await notifier.now()
    for place in now.places.values():
        box, selected = place.box, session.selected
        if box is None or not box.selectable or (selected is not None and selected.is_at(box)):
            continue
        events: frozenset[NotifyEvent] = notifier.rules.events(place.shown, now.subscribed)
        if "r" not in place.rights:
            if events:
                session.send(listed(place.shown, box, now.places, lost=True, utf8=session.utf8))
            continue
        if not told:
            continue
        items = first_items(events)
        if items:
            session.send(status(place.shown, box, items, session.utf8))
            await session.connection.breathe()
