"""Loads views and feeds them what was committed; turns changes into events, in commit order.

A view is read in pieces by UID while commits go on: what arrives meanwhile is kept and applied to
the loaded arrays, where modseqs and UIDs make a repetition harmless. The loop's thread only.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.errors import NoSuchAccount, NoSuchMailbox
from storage.images import Images, box_of
from storage.packed_views import PackedViews
from storage.schema import KEYWORD_SHIFT, message
from storage.statements import Query
from storage.transaction import Delta, DeltaKind
from storage.values import AccountId, MailboxChanged, MailboxId
from storage.view import View

Key = tuple[AccountId, MailboxId]
PIECE = 2_500
IDLE_VIEWS = 256
IDLE_MESSAGES = 4_000_000
_m = message.c
_LOAD = Query(
    lambda _: (
        select(_m.uid, _m.flags + _m.keywords * (1 << KEYWORD_SHIFT), _m.modseq)
        .where(
            _m.account == bindparam("account"),
            _m.mailbox == bindparam("mailbox"),
            _m.uid > bindparam("after"),
            _m.uid < bindparam("below"),
        )
        .order_by(_m.uid)
        .limit(bindparam("piece"))
    )
)


class Views:
    """Views by account and mailbox, one of each; unused ones stay a while."""

    def __init__(self, database: Database, images: Images, packed: PackedViews) -> None:
        self._database, self._images, self._packed = database, images, packed
        self._views: dict[Key, View] = {}
        self._idle: OrderedDict[Key, View] = OrderedDict()
        self._idle_messages = 0
        self._loading: dict[Key, asyncio.Task[None]] = {}
        self._pending: dict[Key, list[list[Delta]]] = {}  # one of each reader

    async def get(self, account: AccountId, mailbox: MailboxId) -> View:
        """The view, with one user more. Raises NoSuchAccount, NoSuchMailbox."""
        key = (account, mailbox)
        # What was loaded may be forgotten again, with nobody to use it, before this goes on.
        while (view := self._views.get(key)) is None:
            task = self._loading.get(key)
            if task is None:
                task = self._loading[key] = asyncio.create_task(self._load(key))
                task.add_done_callback(_seen)
            await asyncio.shield(task)
        if not view.users and self._idle.pop(key, None) is not None:
            self._idle_messages -= len(view)
        view.users += 1
        return view

    def kept(self, account: AccountId, mailbox: MailboxId, uid: int) -> bool:
        """Whether a session still lists the expunged `uid`."""
        view = self._views.get((account, mailbox))
        return view is not None and view.kept(uid)

    def apply(self, delta: Delta) -> MailboxChanged:
        """Brings the view up to date; the event to publish afterwards."""
        key = (delta.account, delta.mailbox)
        for mine in self._pending.get(key, ()):
            mine.append(delta)
        view = self._views.get(key)
        if view is not None:
            feed(view, delta)
        return event_of(delta)

    async def refresh(self, account: AccountId) -> list[MailboxChanged]:
        """Reads views anew after a change that came as no delta; what changed as events."""
        events: list[MailboxChanged] = []
        await self._packed.drop(account)
        for key in [key for key in self._views if key[0] == account]:
            view = self._views.get(key)
            if view is None:
                continue
            if not view.users:
                self._forget(key)
                continue
            try:
                fresh = await self._read(key, packed=False)
            except (NoSuchMailbox, NoSuchAccount):
                events += _differences(view, view.empty())
            else:
                events += _differences(view, fresh)
        return events

    async def close(self) -> None:
        """Ends loads under way, and packs large views."""
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._packed.close(self._views.values())

    async def forget(self, account: AccountId) -> None:
        """The account is gone."""
        await self._packed.drop(account)

    async def _load(self, key: Key) -> None:
        try:
            view = await self._read(key)
            self._views[key] = self._idle[key] = view
            self._idle_messages += len(view)
            self._packed.keep(view)
        finally:
            del self._loading[key]

    def _agrees(self, view: View) -> bool:
        """Whether a view has the sums of its mailbox's row: a packed one may not."""
        box = self._images.box(view.account, view.mailbox)
        return box is not None and (len(view), view.unseen()) == (box.messages, box.unseen)

    async def _read(self, key: Key, *, packed: bool = True) -> View:
        """A view of what is committed, with the changes that came while it was read."""
        account, mailbox = key
        mine: list[Delta] = []
        self._pending.setdefault(key, []).append(mine)
        try:
            keywords = await self._images.keywords(account)
            box = box_of(await self._images.get(account), mailbox)
            view = View(box, keywords, self._unused)
            filled = packed and await self._packed.fill(view, box)
            after = view.uids[-1] if filled and view.uids else 0
            while True:
                rows = await self._database.fetch(
                    _LOAD,
                    account=account,
                    mailbox=mailbox,
                    after=after,
                    below=box.uidnext,
                    piece=PIECE,
                )
                if rows:
                    uids, flags, modseqs = zip(*rows, strict=True)
                    view.load(uids, flags, modseqs)
                    after = uids[-1]
                if len(rows) < PIECE:
                    break
                await asyncio.sleep(0)
            for delta in mine:
                feed(view, delta)
            if not filled or self._agrees(view):
                return view
        finally:
            others = [other for other in self._pending.pop(key) if other is not mine]
            if others:
                self._pending[key] = others
        await self._packed.drop(*key)
        return await self._read(key, packed=False)

    def _unused(self, view: View) -> None:
        key = (view.account, view.mailbox)
        if self._views.get(key) is not view or key in self._idle:
            return
        self._idle[key] = view
        self._idle_messages += len(view)
        while len(self._idle) > IDLE_VIEWS or self._idle_messages > IDLE_MESSAGES:
            self._forget(next(iter(self._idle)))

    def _forget(self, key: Key) -> None:
        view = self._views.pop(key, None)
        if view is not None and self._idle.pop(key, None) is not None:
            self._packed.keep(view)
            self._idle_messages = max(0, self._idle_messages - len(view))
        if not self._idle:
            self._idle_messages = 0


def _seen(task: "asyncio.Task[None]") -> None:
    """Takes note of an error even when everybody who waited has gone."""
    if not task.cancelled():
        task.exception()


def feed(view: View, delta: Delta) -> None:
    """One change into the arrays."""
    if delta.kind is DeltaKind.APPENDED:
        view.extend(delta.uids, delta.fields, delta.modseqs)
    elif delta.kind is DeltaKind.EXPUNGED:
        view.remove(delta.uids)
    else:
        view.change(delta.uids, delta.fields, delta.modseq)
    if delta.value is not None:
        view.settle(delta.value)


def event_of(delta: Delta) -> MailboxChanged:
    """The change as consumers see it."""
    none: tuple[int, ...] = ()
    kind = delta.kind
    return MailboxChanged(
        delta.account,
        delta.mailbox,
        delta.modseq,
        appended=delta.uids if kind is DeltaKind.APPENDED else none,
        expunged=delta.uids if kind is DeltaKind.EXPUNGED else none,
        flagged=delta.uids if kind is DeltaKind.FLAGGED else none,
    )


def _differences(view: View, fresh: View) -> Iterable[MailboxChanged]:
    """Makes `view` like `fresh`; one event for what that changed, if anything."""
    old = dict(zip(view.uids, zip(view.flags, view.modseqs, strict=True), strict=True))
    new = dict(zip(fresh.uids, zip(fresh.flags, fresh.modseqs, strict=True), strict=True))
    expunged = [uid for uid in old if uid not in new]
    appended = [uid for uid in new if uid not in old]
    flagged = [uid for uid, value in new.items() if uid in old and old[uid] != value]
    view.replace(fresh)
    if not (expunged or appended or flagged):
        return ()
    modseq = fresh.highestmodseq
    return (MailboxChanged(view.account, view.mailbox, modseq, appended, expunged, flagged),)
