"""Tells listeners what has changed in accounts: once a tenth of a second at most, whatever happens.

An event of the store or of config.db only wakes; what is told stands in the journals
(storage/type_states.py). So a lost event is caught up with the next one, or when all that anybody
listens to is looked at anew, every LOOK seconds. Invariants: nothing is read for accounts that
nobody listens to; a listener is told nothing from before the point that it was given.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from config.logging import Logger
from storage.book_shares import BookShares
from storage.config_changes import state_of
from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.errors import NoSuchAccount, StoreError
from storage.store import Store
from storage.type_states import StatePoint, TypeChanges, TypeStates
from storage.values import AccountId, Event, Mailbox, MailboxId, QueueChanged
from web.jmap.contacts.accounts import mark_of, marked

PAUSE: Final = 0.1
"""Seconds from the first change to when it is told."""
LOOK: Final = 60.0
RETRY: Final = 2.0
"""Seconds until the journals are asked again that could not be read."""
Boxes = Mapping[MailboxId, Mailbox]
Found = tuple[TypeChanges, Boxes]
_SHARED: Final = {"AddressBook": Kind.BOOK, "ContactCard": Kind.CARD}


class Listener(Protocol):
    """Who is told. Bounded by what it is: of a type the last state alone is worth telling."""

    @property
    def sees_all(self) -> bool:
        """Whether it may hear of every mailbox; else `heard` gets the mailboxes."""

    def heard(self, account: AccountId, changes: TypeChanges, boxes: Boxes) -> None:
        """Called in the loop; must not wait."""

    def heard_shared(self, owner: AccountId, states: Mapping[str, str]) -> None:
        """The states of address books and cards of an account that shares some, as it shows them
        to this one. As `heard`, where `sees_all`.
        """


class _Watched:
    """An account that is listened to; all up to `point` was told. `followers` are the accounts
    that see address books of it, `follows` those of which it sees some, with what it may do there.
    """

    __slots__ = ("followers", "follows", "listeners", "point", "timer", "working")

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.followers: set[AccountId] = set()
        self.follows: dict[AccountId, str] = {}
        self.point: StatePoint | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.working: asyncio.Task[None] | None = None

    def stop(self) -> None:
        for one in (self.timer, self.working):
            if one is not None:
                one.cancel()


class Hub:
    """One a process. `start` when the store is open, `stop` before it closes."""

    def __init__(
        self,
        states: TypeStates,
        store: Store,
        config: ConfigDatabase,
        shares: BookShares,
        log: Logger,
    ) -> None:
        self.states, self._store, self._config, self._log = states, store, config, log
        self._shares = shares
        self._watched: dict[AccountId, _Watched] = {}
        self._unsubscribe: Callable[[], None] = lambda: None
        self._looker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Hears of events from here on."""
        self._unsubscribe = self._store.bus.subscribe(None, self._event)
        self._config.on_noted = self._store.submissions.changed = self.wake
        self._looker = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Tells nothing any more."""
        self._unsubscribe()
        self._config.on_noted = self._store.submissions.changed = lambda account: None
        if self._looker is not None:
            self._looker.cancel()
        working = [one.working for one in self._watched.values() if one.working is not None]
        for watched in self._watched.values():
            watched.stop()
        await asyncio.gather(*working, return_exceptions=True)
        self._watched.clear()

    async def listen(self, account: AccountId, listener: Listener) -> StatePoint:
        """The point from which on the listener is told. Raises NoSuchAccount, StoreError."""
        watched = self._watched.get(account)
        if watched is None:
            watched = self._watched[account] = _Watched()
        watched.listeners.add(listener)
        try:
            point = watched.point or await self.states.now(account)
            if watched.point is None:
                watched.point = point
            await self._follow(account, watched, tell=False)
        except BaseException:
            self.leave(account, listener)
            raise
        return watched.point

    def leave(self, account: AccountId, listener: Listener) -> None:
        """Tells it nothing more; also one that does not listen."""
        watched = self._watched.get(account)
        if watched is not None:
            watched.listeners.discard(listener)
            if not watched.listeners:
                for owner in watched.follows:
                    self._unfollow(owner, account)
                watched.follows = {}
                self._drop_unheard(account)

    def wake(self, account: AccountId) -> None:
        """Something may have changed."""
        self._wake_in(account, PAUSE)

    async def since(self, account: AccountId, point: StatePoint, limited: bool) -> Found:
        """What there was since a point; mailboxes where they are to be looked at."""
        changes = await self.states.since(account, point)
        return changes, await self._boxes(account) if limited and changes.states else {}

    def _wake_in(self, account: AccountId, seconds: float) -> None:
        watched = self._watched.get(account)
        if watched is not None and watched.timer is None:
            loop = asyncio.get_running_loop()
            watched.timer = loop.call_later(seconds, self._begin, account, watched)

    def _event(self, event: Event) -> None:
        if not isinstance(event, QueueChanged):
            self.wake(event.account)

    def _begin(self, account: AccountId, watched: _Watched) -> None:
        watched.timer = None
        if watched.point is None or watched.working is not None:
            self.wake(account)  # not yet
            return
        watched.working = asyncio.create_task(self._tell(account, watched, watched.point))

    async def _tell(self, account: AccountId, watched: _Watched, point: StatePoint) -> None:
        try:
            limited = any(not one.sees_all for one in watched.listeners)
            changes, boxes = await self.since(account, point, limited)
            shared = {one: changes.states[one] for one in _SHARED if one in changes.states}
            followers = [(one, await self._seen(one)) for one in tuple(watched.followers) if shared]
            if "AddressBook" in shared:
                await self._follow(account, watched, tell=True)
        except NoSuchAccount:
            return
        except StoreError as error:
            self._log.warning("changes cannot be read", account=account, reason=str(error))
            self._wake_in(account, RETRY)
            return
        finally:
            watched.working = None
        watched.point = changes.until
        if changes.states:
            for listener in tuple(watched.listeners):
                listener.heard(account, changes, boxes)
        for follower, seen in followers:
            if account in seen:
                self._tell_shared(follower, account, _marked(shared, seen[account]))

    # Address books of others.

    async def tell_shared(self, account: AccountId, listener: Listener) -> None:
        """How all that others share with the account stands now."""
        if listener.sees_all:
            for owner, mark in (await self._seen(account)).items():
                listener.heard_shared(owner, _marked(await self._shared_now(owner), mark))

    async def _follow(self, account: AccountId, watched: _Watched, *, tell: bool) -> None:
        """Hears from here on of who shares books with an account, and of nobody else; with `tell`
        how that stands which is new.
        """
        seen = await self._seen(account)
        if self._watched.get(account) is not watched or not watched.listeners:
            return
        before, watched.follows = watched.follows, seen
        for owner in before.keys() - seen.keys():
            self._unfollow(owner, account)
        for owner, mark in seen.items():
            if before.get(owner) == mark:
                continue
            theirs = self._watched.setdefault(owner, _Watched())
            theirs.followers.add(account)
            try:
                point = theirs.point or await self.states.now(owner)
                told = _marked(await self._shared_now(owner), mark) if tell else {}
            except NoSuchAccount:
                self._unfollow(owner, account)
                continue
            if theirs.point is None:
                theirs.point = point
            self._tell_shared(account, owner, told)

    def _unfollow(self, owner: AccountId, account: AccountId) -> None:
        if (theirs := self._watched.get(owner)) is not None:
            theirs.followers.discard(account)
            self._drop_unheard(owner)

    def _drop_unheard(self, account: AccountId) -> None:
        watched = self._watched[account]
        if not watched.listeners and not watched.followers:
            del self._watched[account]
            watched.stop()

    def _tell_shared(self, account: AccountId, owner: AccountId, states: Mapping[str, str]) -> None:
        watched = self._watched.get(account)
        for listener in tuple(watched.listeners) if watched is not None else ():
            if listener.sees_all and states:
                listener.heard_shared(owner, states)

    async def _seen(self, account: AccountId) -> dict[AccountId, str]:
        """Who shares books with an account, with the mark of what it may do there."""
        books: dict[AccountId, dict[int, str]] = {}
        for one in await self._shares.seen_by(account):
            books.setdefault(one.owner, {})[one.book.id] = one.rights
        return {owner: mark_of(rights) for owner, rights in books.items()}

    async def _shared_now(self, owner: AccountId) -> dict[str, str]:
        found = {}
        for name, kind in _SHARED.items():
            found[name] = str(await state_of(self._config, owner, (kind,)))
        return found

    async def _boxes(self, account: AccountId) -> Boxes:
        return {box.id: box for box in await self._store.mailboxes(account)}

    async def _look(self) -> None:
        """Wakes accounts of which an event was lost."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                points = await self.states.points(self._watched)
            except StoreError as error:
                self._log.warning("changes cannot be looked for", reason=str(error))
                continue
            for account, point in points.items():
                watched = self._watched.get(account)
                if watched is not None and (watched.point or point)[:2] != point[:2]:
                    self.wake(account)


def _marked(states: Mapping[str, str], mark: str) -> dict[str, str]:
    return {name: marked(state, mark) for name, state in states.items()}
