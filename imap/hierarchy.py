"""The rights that CREATE and RENAME need (RFC 4314 §4); what becomes of lists of rights stands in
auth/mailbox_lists.py.
"""

from auth.mailbox_lists import take_over
from auth.rights import ALL
from imap.mailboxes import resolve
from imap.place import Place, is_others
from imap.replies import No
from imap.session import Session
from storage.acl import BoxKey, Entries
from storage.names import parents


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
        session = self._session
        acl = session.context.directory.acl
        account = self._place.account
        await take_over(acl, session.store, account, names, self._entries, session.log)
