"""What a session hears of by NOTIFY: noted in the bus callback, told when it may be (RFC 5465).

Told means: by the connection's own task when no command runs, behind a command, or between two
lines of IDLE. Changes of one mailbox that come together become one STATUS. What the client did
itself is not told. Invariants: nothing waits in the callback; what is noted is bounded by MOST,
and beyond that the client is told NOTIFICATIONOVERFLOW and nothing further (§5.8).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from imap.commands.fetch import tell_messages
from imap.grammar import append_commands, mailbox_commands, message_commands
from imap.grammar.gmail import StoreLabels
from imap.grammar.notify_group import NotifyEvent, NotifyScope
from imap.mailboxes import spelled, visible
from imap.metadata_watch import MetadataWatch
from imap.notify_rules import Kind, Rules, changed_items, listed, status
from imap.place import Place, is_others
from imap.selected import Selected
from storage.acl import EVERYBODY, AclChange
from storage.values import (
    AccountId,
    Event,
    FoldersChanged,
    MailboxChanged,
    MailboxId,
    QueueChanged,
    UidMap,
)

if TYPE_CHECKING:
    from imap.session import Session

MOST: Final = 1_000
_MOST_ARRIVED: Final = 10_000
_MOST_OWN: Final = 20
_REMOVING: Final = (
    message_commands.Expunge,
    message_commands.Move,
    append_commands.Replace,
    StoreLabels,
)
_OVERFLOW: Final = b"* OK [NOTIFICATIONOVERFLOW] Too much happened, nothing further is told\r\n"


@dataclass(slots=True)
class _Due:
    """What became of one mailbox; `arrived` is None once more happened than messages coming."""

    kinds: Kind = Kind(0)
    arrived: list[int] | None = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Now:
    """The mailboxes as they are when something is told; `before` are those of others that were
    there when something was told last, `told` names that were told of since.
    """

    places: dict[str, Place]
    subscribed: frozenset[str]
    before: frozenset[str] = frozenset()
    told: set[str] = field(default_factory=set)


class Notifier:
    """One NOTIFY in effect, until the next or the end of the session."""

    __slots__ = (
        "_arrived",
        "_boxes",
        "_folders",
        "_made",
        "_metadata",
        "_mine",
        "_others",
        "_overflow",
        "_regranted",
        "_seen",
        "_session",
        "_unwatch",
        "_watched",
        "due",
        "rules",
    )

    def __init__(self, session: "Session", rules: Rules) -> None:
        self._session, self.rules = session, rules
        self.due = self._overflow = False
        self._boxes: dict[tuple[AccountId, MailboxId], _Due] = {}
        self._folders: list[FoldersChanged] = []
        self._arrived: list[int] = []
        self._seen: Selected | None = None
        self._made: dict[int, set[int]] = {}
        self._mine: list[FoldersChanged] = []
        self._metadata = MetadataWatch(session, self._on_metadata) if rules.metadata else None
        self._watched: dict[AccountId, Callable[[], None]] = {}
        self._others: frozenset[str] = frozenset()
        self._regranted = False
        acl = session.context.directory.acl
        self._unwatch = acl.watch(None, self._on_acl) if rules.beyond else _nothing

    def close(self) -> None:
        """Hears of nothing further."""
        for unsubscribe in self._watched.values():
            unsubscribe()
        self._watched = {}
        self._unwatch()
        if self._metadata is not None:
            self._metadata.close()
            self._metadata = None

    # The selected mailbox.

    def allows(self, selected: Selected, expunge: bool) -> bool | None:
        """Whether EXPUNGE may be sent with what is due of it; None when nothing may be.

        A client that wanted nothing has to know what its own commands took away.
        """
        rule = self.rules.selected
        if rule is None:
            selected.flagged.clear()
            own = isinstance(self._session.command, _REMOVING)
            return expunge if own else None
        if NotifyEvent.FLAG_CHANGE not in rule.events:
            selected.flagged.clear()
        return expunge or rule.scope is NotifyScope.SELECTED

    def made(self, done: UidMap) -> None:
        """The session made these messages itself."""
        self._made.setdefault(done.uidvalidity, set()).update(done.target)

    # What happens.

    def note(self, event: Event) -> None:
        """Remembers what is to be told."""
        if isinstance(event, MailboxChanged):
            selected = self._session.selected
            key = (event.account, event.mailbox)
            if selected is not None and key == (selected.account, selected.mailbox):
                self._note_selected(selected, event)
            elif self.rules.elsewhere:
                self._note_box(key, event)
        elif isinstance(event, FoldersChanged) and self.rules.elsewhere:
            if self._own(event):
                self._mine = [*self._mine[-_MOST_OWN:], event]
            else:
                self._folders.append(event)
                self.due = True
        full = len(self._boxes) > MOST or len(self._folders) > MOST
        if full or len(self._arrived) > _MOST_ARRIVED:
            self._give_up()

    def _note_selected(self, selected: Selected, event: MailboxChanged) -> None:
        rule = self.rules.selected
        if rule is None:
            return
        self.due = True
        if self._seen is not selected:
            self._seen, self._arrived = selected, []
        if rule.fetch:
            self._arrived += event.appended

    def _note_box(self, key: tuple[AccountId, MailboxId], event: MailboxChanged) -> None:
        due = self._boxes.setdefault(key, _Due())
        if event.appended or event.expunged:
            due.kinds |= Kind.MESSAGES
        if event.flagged:
            due.kinds |= Kind.FLAGS
        if event.expunged or event.flagged or due.arrived is None:
            due.arrived = None
        elif len(due.arrived) < _MOST_ARRIVED:
            due.arrived += event.appended
        else:
            due.arrived = None
        self.due = True

    def _on_metadata(self) -> None:
        # who said ENABLE METADATA hears of all of it, at any rate
        if self._session.metadata is None:
            self.due = True
            self._session.connection.attend()

    def _on_acl(self, change: AclChange) -> None:
        """The right `l` given or taken is a mailbox that came or went (RFC 5465 §5.4, §5.9)."""
        mine = {self._session.account, EVERYBODY}
        if change.account != self._session.account and not mine.isdisjoint(change.touched):
            self._regranted = self.due = True
            self._session.connection.attend()

    def _own(self, event: FoldersChanged) -> bool:
        """Whether the command under way did this."""
        command, others = self._session.command, event.account != self._session.account
        if isinstance(command, mailbox_commands.Rename):
            return _inside(command.source, others) in event.renamed
        if isinstance(command, mailbox_commands.Create):
            return _inside(command.mailbox.removesuffix("/"), others) in event.created
        if isinstance(command, mailbox_commands.Delete):
            return _inside(command.mailbox, others) in event.deleted
        if (
            isinstance(command, mailbox_commands.Subscribe | mailbox_commands.Unsubscribe)
            and not others
        ):
            return spelled(command.mailbox) in event.subscribed
        return False

    def _give_up(self) -> None:
        self.rules = Rules()
        self._boxes, self._folders, self._arrived = {}, [], []
        self.close()
        self._overflow = self.due = True

    # Telling.

    async def tell(self) -> None:
        """Sends what is due. Raises StoreError, Closing."""
        session, self.due = self._session, False
        if self._overflow:
            self._overflow = False
            session.send(_OVERFLOW)
        session.updates(expunge=session.idling)
        made, self._made = self._made, {}
        await self._tell_arrived(made)
        boxes, self._boxes = self._boxes, {}
        folders, self._folders = self._folders, []
        metadata = self._metadata if self._session.metadata is None else None
        regranted, self._regranted = self._regranted, False
        if boxes or folders or regranted or (metadata is not None and metadata.due):
            now = await self.now()
            if metadata is not None:
                wanted = partial(self.rules.metadata_of, subscribed=now.subscribed)
                session.send(metadata.take(wanted))
            for event in folders:
                self._tell_folders(event, now)
                await session.connection.breathe()
            if regranted:
                known = now.told | self._own_names(now)
                for name in sorted((now.before ^ self._others) - known):
                    self._tell_name(name, now, lost=name not in now.places)
            await self._tell_boxes(boxes, now, made)
        self._mine.clear()

    async def now(self) -> Now:
        """The mailboxes as they are; those of others are watched from here on."""
        session, before = self._session, self._others
        places = {place.shown: place for place in await visible(session)}
        if self.rules.beyond:
            self._watch({place.account for place in places.values()})
            self._others = frozenset(filter(is_others, places))
        subscribed = frozenset(await session.store.subscriptions(session.account))
        return Now(places, subscribed, before)

    def _watch(self, accounts: set[AccountId]) -> None:
        for account in accounts - {self._session.account, *self._watched}:
            self._watched[account] = self._session.store.bus.subscribe(account, self._note_others)

    def _note_others(self, event: Event) -> None:
        selected = self._session.selected
        if isinstance(event, QueueChanged) or (
            selected is not None and selected.account == event.account
        ):
            return  # the session hears of it itself
        self.note(event)
        if self.due:
            self._session.connection.attend()

    async def _tell_arrived(self, made: dict[int, set[int]]) -> None:
        """Messages that the client knows by EXISTS, with the items that it wanted."""
        selected, rule = self._session.selected, self.rules.selected
        if selected is None or selected is not self._seen or rule is None:
            self._arrived = []
            return
        known = selected.uids[selected.count - 1] if selected.count else 0
        own = made.get(selected.view.uidvalidity, set())
        uids = [uid for uid in self._arrived if uid <= known and uid not in own]
        self._arrived = [uid for uid in self._arrived if uid > known and uid not in own]
        indices = [selected.number(uid) - 1 for uid in uids if selected.number(uid)]
        if indices:
            await tell_messages(self._session, rule.fetch, indices)

    async def _tell_boxes(
        self,
        boxes: dict[tuple[AccountId, MailboxId], _Due],
        now: Now,
        made: dict[int, set[int]],
    ) -> None:
        session = self._session
        for place in now.places.values():
            box = place.box
            due = boxes.get((place.account, box.id)) if box is not None else None
            if box is None or due is None or not box.selectable or "r" not in place.rights:
                continue
            if due.arrived and made.get(box.uidvalidity, set()).issuperset(due.arrived):
                continue
            events = self.rules.events(place.shown, now.subscribed)
            items = changed_items(due.kinds, events, session.condstore)
            if items:
                session.send(status(place.shown, box, items, session.utf8))
                await session.connection.breathe()

    def _tell_folders(self, event: FoldersChanged, now: Now) -> None:
        prefix = self._prefix(event.account, now)
        if prefix is None:
            return
        for name in event.created:
            self._tell_name(prefix + name, now)
        for old, new in event.renamed.items():
            self._tell_name(prefix + new, now, prefix + old)
        for name in event.deleted:
            self._tell_name(prefix + name, now)
        if event.account == self._session.account:  # what others subscribe to is their own affair
            for name in event.subscribed:
                self._tell_subscription(name, now)

    def _own_names(self, now: Now) -> set[str]:
        """Mailboxes that the client made, renamed or deleted itself: those of others get and lose
        their lists of rights with that.
        """
        return {
            (self._prefix(event.account, now) or "") + name
            for event in self._mine
            for name in (*event.created, *event.renamed, *event.renamed.values(), *event.deleted)
        }

    def _prefix(self, account: AccountId, now: Now) -> str | None:
        """What stands before an account's names; None when none of them may be seen."""
        if account == self._session.account:
            return ""
        for place in now.places.values():
            if place.account == account:
                return place.shown.removesuffix(place.name)
        return None

    def _tell_name(self, name: str, now: Now, old: str = "", lost: bool = False) -> None:
        """Of others' mailboxes only those that are seen, or were."""
        if is_others(name) and name not in now.places and name not in now.before:
            return
        if not self._session.grant.sees(name):
            return
        now.told.update((name, old))
        events = self.rules.events(name, now.subscribed)
        if old:
            events |= self.rules.events(old, now.subscribed)
        place = now.places.get(name)
        if NotifyEvent.MAILBOX_NAME in events and (place is None or "l" in place.rights):
            box = place.box if place is not None else None
            utf8 = self._session.utf8
            self._session.send(listed(name, box, now.places, old=old, lost=lost, utf8=utf8))

    def _tell_subscription(self, name: str, now: Now) -> None:
        if not self._session.grant.sees(name):
            return
        on = name in now.subscribed
        events = self.rules.events(name, now.subscribed | {name})
        if NotifyEvent.SUBSCRIPTION_CHANGE in events:
            place = now.places.get(name)
            box = place.box if place is not None else None
            self._session.send(
                listed(name, box, now.places, subscribed=on, utf8=self._session.utf8)
            )


def _inside(name: str, others: bool) -> str:
    """A name within its account, "" where it is not one of others, or not one's own, as asked."""
    name = spelled(name)
    if is_others(name) is not others:
        return ""
    return "/".join(name.split("/")[2:]) if others else name


def _nothing() -> None:
    return
