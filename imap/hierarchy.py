"""The rights that CREATE and RENAME need, and what becomes of lists of rights (RFC 4314 §4).

What is made takes over the list of the nearest mailbox above it; a list goes with its mailbox and
stays through a change of name. Lists are changed after the store: what a crash leaves in between is
a mailbox that nobody else sees, or a list that no mailbox has.
"""

from collections.abc import Iterable

from auth.rights import ALL
from imap.mailboxes import resolve
from imap.place import Place, is_others
from imap.replies import No
from imap.session import Session
from storage.acl import BoxKey, Entries
from storage.errors import NoSuchMailbox, TooMany
from storage.names import parents
from storage.values import Mailbox


class Birth:
    """Mailboxes about to be made at a place and above it: `begin` before, `finish` after."""

    __slots__ = ("_entries", "_names", "_place", "_session")

    def __init__(self, session: Session, place: Place, names: list[str], entries: Entries) -> None:
        self._session, self._place = session, place
        self._names, self._entries = names, entries

    @classmethod
    async def begin(cls, session: Session, place: Place) -> "Birth":
        """Raises No for whoever may not make the mailbox."""
        if session.grant.cut(ALL, place.shown, "") != ALL:
            raise No("You may not create mailboxes there", b"NOPERM")
        names = [place.name]
        above: Place | None = None
        prefix = place.shown.removesuffix(place.name) if place.name else ""
        for name in reversed(parents(place.name)):
            above = await resolve(session, prefix + name)
            if above.box is not None:
                break
            names.append(name)
        if above is None or above.box is None:
            if is_others(place.shown):
                raise No("You may not create mailboxes there", b"NOPERM")
            return cls(session, place, names, ())
        if "k" not in above.rights:
            raise No("You may not create mailboxes there", b"NOPERM")
        lists = await session.context.directory.acl.lists(place.account)
        return cls(session, place, names, lists.get(BoxKey.of(above.box), ()))

    async def finish(self, *, itself: bool = True) -> None:
        """The mailboxes exist. `itself`: the one at the place was made and not renamed."""
        names = self._names if itself else self._names[1:]
        account, store = self._place.account, self._session.store
        acl = self._session.context.directory.acl
        lists = await acl.lists(account)
        if not lists:
            return
        for name in names:
            try:
                key = BoxKey.of(await store.named(account, name))
                if lists.get(key, ()) != self._entries:
                    await acl.change(account, key, lambda _: self._entries)
            except NoSuchMailbox:  # gone again
                continue
            except TooMany:
                self._session.log.warning("list of rights too long to be taken over", mailbox=name)


async def forget(session: Session, boxes: Iterable[Mailbox]) -> None:
    """The lists of mailboxes that were deleted."""
    acl = session.context.directory.acl
    for box in boxes:
        if BoxKey.of(box) in await acl.lists(box.account):
            await acl.change(box.account, BoxKey.of(box), lambda _: ())
