"""Which mailboxes a group of NOTIFY is about, and the lines that tell of them (RFC 5465 §5, §6).

A mailbox has the events of every group that it belongs to; one that belongs to a group with NONE
has none. The groups for the selected mailbox count for that one only, by imap/notifier.py.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Final

from imap.grammar.encode import mailbox
from imap.grammar.mailbox_commands import StatusItem
from imap.grammar.notify import CHANGES, MESSAGES, SELECTED
from imap.grammar.notify_group import NotifyEvent, NotifyGroup, NotifyScope
from imap.grammar.responses import list_line, status_line
from imap.place import is_others
from storage.values import Mailbox

SUPPORTED: Final = (
    NotifyEvent.MESSAGE_NEW,
    NotifyEvent.MESSAGE_EXPUNGE,
    NotifyEvent.FLAG_CHANGE,
    NotifyEvent.MAILBOX_NAME,
    NotifyEvent.SUBSCRIPTION_CHANGE,
    NotifyEvent.MAILBOX_METADATA_CHANGE,
    NotifyEvent.SERVER_METADATA_CHANGE,
)
_METADATA: Final = frozenset(
    {NotifyEvent.MAILBOX_METADATA_CHANGE, NotifyEvent.SERVER_METADATA_CHANGE}
)
_NOTHING: Final[frozenset[NotifyEvent]] = frozenset()


class Kind(Flag):
    """What became of a mailbox that is not selected."""

    MESSAGES = auto()
    FLAGS = auto()


@dataclass(frozen=True, slots=True)
class Rules:
    """The groups of a NOTIFY SET; none of them after NOTIFY NONE."""

    groups: Sequence[NotifyGroup] = ()

    @property
    def selected(self) -> NotifyGroup | None:
        """The group for the selected mailbox, if it wants anything."""
        return next((g for g in self.groups if g.scope in SELECTED and g.events), None)

    @property
    def elsewhere(self) -> bool:
        """Whether anything but the selected mailbox is watched."""
        return any(g.scope not in SELECTED and g.events for g in self.groups)

    @property
    def metadata(self) -> bool:
        """Whether any metadata is watched."""
        return any(not _METADATA.isdisjoint(g.events) for g in self.groups)

    def metadata_of(self, name: str, subscribed: Collection[str]) -> bool:
        """Whether metadata of a mailbox is watched; the name of the server is empty."""
        if name:
            return NotifyEvent.MAILBOX_METADATA_CHANGE in self.events(name, subscribed)
        return any(NotifyEvent.SERVER_METADATA_CHANGE in g.events for g in self.groups)

    @property
    def beyond(self) -> bool:
        """Whether mailboxes of others may be watched."""
        return any(
            g.scope is NotifyScope.SUBSCRIBED or any(not n or is_others(n) for n in g.names)
            for g in self.groups
        )

    def events(self, name: str, subscribed: Collection[str]) -> frozenset[NotifyEvent]:
        """What is wanted of the mailbox with this name."""
        wanted = _NOTHING
        for group in self.groups:
            if _belongs(group, name, subscribed):
                if not group.events:
                    return _NOTHING
                wanted = wanted.union(group.events)
        return wanted


def _belongs(group: NotifyGroup, name: str, subscribed: Collection[str]) -> bool:
    scope = group.scope
    if scope is NotifyScope.INBOXES or scope is NotifyScope.PERSONAL:
        # A Sieve script may deliver anywhere, so that every personal mailbox is an inbox (§6.3).
        return not is_others(name)
    if scope is NotifyScope.SUBSCRIBED:
        return name in subscribed
    if scope is NotifyScope.MAILBOXES:
        return name in group.names
    if scope is NotifyScope.SUBTREE:
        return any(not top or name == top or name.startswith(top + "/") for top in group.names)
    return False


def first_items(events: frozenset[NotifyEvent]) -> tuple[StatusItem, ...]:
    """What NOTIFY SET STATUS tells of a mailbox (RFC 5465 §3.1)."""
    if events.isdisjoint(MESSAGES):
        return ()
    items = (StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY)
    return items if events.isdisjoint(CHANGES) else (*items, StatusItem.HIGHESTMODSEQ)


def changed_items(
    kinds: Kind, events: frozenset[NotifyEvent], condstore: bool
) -> tuple[StatusItem, ...]:
    """What a change is told by (RFC 5465 §5.1 to §5.3)."""
    items: list[StatusItem] = []
    if Kind.MESSAGES in kinds and not events.isdisjoint(MESSAGES):
        items += [StatusItem.UIDNEXT, StatusItem.MESSAGES]
    if Kind.FLAGS in kinds and not events.isdisjoint(CHANGES):
        items += [StatusItem.UIDVALIDITY, StatusItem.UNSEEN]
    return (*items, StatusItem.HIGHESTMODSEQ) if items and condstore else tuple(items)


def status(shown: str, box: Mailbox, items: Iterable[StatusItem], utf8: bool) -> bytes:
    """The STATUS line of a mailbox."""
    values: dict[StatusItem, int | bytes | None] = {
        StatusItem.MESSAGES: box.messages,
        StatusItem.UIDNEXT: box.uidnext,
        StatusItem.UIDVALIDITY: box.uidvalidity,
        StatusItem.UNSEEN: box.unseen,
        StatusItem.HIGHESTMODSEQ: max(1, box.highestmodseq),
    }
    return status_line(shown, {item: values[item] for item in items}, utf8)


def listed(
    name: str,
    box: Mailbox | None,
    names: Iterable[str],
    *,
    subscribed: bool = False,
    old: str = "",
    lost: bool = False,
    utf8: bool = False,
) -> bytes:
    """The LIST line of a name that came, went, was renamed from `old`, or subscribed to (§5.4,
    §5.5). `names` are those of all mailboxes; `lost`: a right that is needed is not there.
    """
    marks = ["\\NonExistent"] if box is None else [] if box.selectable else ["\\Noselect"]
    if lost:
        marks.append("\\NoAccess")
    if subscribed:
        marks.append("\\Subscribed")
    has_children = any(other.startswith(name + "/") for other in names)
    marks.append("\\HasChildren" if has_children else "\\HasNoChildren")
    if box is not None and box.special_use and not is_others(name):
        marks.append(box.special_use)
    line = list_line(name, marks, "/", utf8=utf8)
    if not old:
        return line
    return line.removesuffix(b"\r\n") + b' ("OLDNAME" (%s))\r\n' % mailbox(old, utf8)
