"""NOTIFY to bytes, for encode_command."""

from imap.grammar.encode import fetch_item, mailbox
from imap.grammar.message_commands import Notify
from imap.grammar.notify import NAMED
from imap.grammar.notify_group import NotifyEvent, NotifyGroup


def encode_notify(command: Notify) -> list[bytes]:
    """The arguments."""
    if not command.groups:
        return [b"NONE"]
    return [b"SET", *([b"STATUS"] if command.status else []), *map(_group, command.groups)]


def _group(group: NotifyGroup) -> bytes:
    words = [group.scope.value.encode()]
    if group.scope in NAMED:
        words.append(b"(%s)" % b" ".join(map(mailbox, group.names)))
    if not (group.events or group.unknown):
        return b"(%s NONE)" % b" ".join(words)
    events = []
    for event in group.events:
        events.append(event.value.encode())
        if event is NotifyEvent.MESSAGE_NEW and group.fetch:
            items = [fetch_item(item, plus=True) for item in group.fetch]
            events.append(b"(%s)" % b" ".join(items))
    events += [word.encode() for word in group.unknown]
    return b"(%s (%s))" % (b" ".join(words), b" ".join(events))
