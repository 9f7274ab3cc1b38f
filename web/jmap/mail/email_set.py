"""Email/set (RFC 8621 §4.6): new Emails (creating.py), keywords and mailboxes, and the end.

Keywords are set on every copy that the login sees; others it neither sees nor touches. A change of
mailboxes copies first, which may be refused, then marks, and removes last: what breaks off in
between leaves a copy too many.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from auth.rights import NONE, Rights, needed_for
from net.threads import Busy, Offload
from storage.directory import Directory
from storage.emails import StoredEmail, by_mailbox
from storage.errors import NoSuchMailbox, OverQuota, StoreError, TooMany
from storage.object_ids import blob_of, mailbox_number
from storage.store import Store
from storage.values import FlagChange, Flags, MailboxId
from web.jmap.context import Account, Context
from web.jmap.errors import SetError, invalid_properties
from web.jmap.limits import Limits
from web.jmap.mail.body import DEFAULT_PART
from web.jmap.mail.content import BodyOptions
from web.jmap.mail.creating import Creating
from web.jmap.mail.email import EmailType, keywords
from web.jmap.mail.intake import check_targets, refusal
from web.jmap.mail.keyword_values import flags_of, settable
from web.jmap.mail.placing import mailboxes_of, place_of, rights_of
from web.jmap.methods import Call
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Object

_OTHERS: Final = (EmailType.properties | {"id", "headers", "bodyStructure"}) - {
    "mailboxIds",
    "keywords",
}


class EmailSet(EmailType, Changeable[Context, Account]):
    """Email with /set."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        offload: Offload,
        limits: Limits,
        creating: Creating,
    ) -> None:
        super().__init__(store, directory, offload, limits)
        self._creating = creating

    def is_read_only(self, account: Account) -> bool:
        return account.read_only

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        rights = await rights_of(self._store, self._directory, account)
        place = place_of(call, account, made, rights)
        return await self._creating.create(account, made, place)

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        rights = await rights_of(self._store, self._directory, account)
        email = await self._email(account, id_, rights)
        by_box = by_mailbox([email])
        before = {
            "keywords": keywords(email.flags),
            "mailboxIds": {mailbox_number(account.id, box): True for box in by_box},
        }
        changing = {_same_case(name): value for name, value in patch.items()}
        changing = await self._settable(account, id_, changing)
        after = patched(before, changing)
        wanted = mailboxes_of(call, account, after["mailboxIds"], rights)
        flags = flags_of({} if after["keywords"] is None else after["keywords"])
        added, gone = wanted - by_box.keys(), by_box.keys() - wanted
        check_targets(sorted(added), rights)
        _check_removal(gone, rights)
        _check_marks(email, flags, rights)
        copies = await self._add(account, email, added, rights)
        staying = {box: uids for box, uids in by_box.items() if box in wanted}
        if gone:  # what only the copy had that goes
            copies |= staying
        await self._mark(account, email, flags, staying | copies, copies.keys(), rights)
        for box in gone:
            await self._store.remove(account.id, box, by_box[box])
        return None

    async def _settable(self, account: Account, id_: str, patch: Object) -> Object:
        """Those of a patch that may be changed; others may be there as they are (RFC 8620 §5.3).
        Raises SetError.
        """
        others = {
            name: value
            for name, value in patch.items()
            if name.partition("/")[0] not in ("mailboxIds", "keywords")
        }
        if unknown := sorted(others.keys() - _OTHERS):
            raise invalid_properties("cannot be changed", *unknown)
        if others:
            options = BodyOptions(DEFAULT_PART)
            found, _ = await self.get(account, [id_], frozenset(others) - {"id"}, options)
            if not found:
                raise SetError("notFound")
            if unlike := [name for name in others if others[name] != found[0][name]]:
                raise invalid_properties("cannot be changed", *sorted(unlike))
        return {name: value for name, value in patch.items() if name not in others}

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        rights = await rights_of(self._store, self._directory, account)
        email = await self._email(account, id_, rights)
        by_box = by_mailbox([email])
        _check_removal(by_box, rights)
        for box, uids in by_box.items():
            await self._store.remove(account.id, box, uids)

    async def _email(
        self, account: Account, id_: str, rights: Mapping[MailboxId, Rights]
    ) -> StoredEmail:
        blob = blob_of(id_)
        seen = [box for box, mine in rights.items() if {"l", "r"} <= set(mine)]
        found = (await self._store.emails(account.id, [blob], seen)).get(blob)
        if found is None:
            raise SetError("notFound")
        return found

    async def _mark(
        self,
        account: Account,
        email: StoredEmail,
        wanted: Flags,
        places: Mapping[MailboxId, Sequence[int]],
        copies: Collection[MailboxId],
        rights: Mapping[MailboxId, Rights],
    ) -> None:
        """The copies in `places`; those in `copies` get all that is wanted, for they may lack what
        another one had.
        """
        added, taken = _marks(email, wanted)
        for box, uids in places.items():
            kept = settable(rights.get(box, NONE))
            more = kept.among(wanted) if box in copies else added
            for change, flags in (
                (FlagChange.ADD, more),
                (FlagChange.REMOVE, kept.among(taken)),
            ):
                if needed_for(flags):
                    await self._store.store(account.id, box, uids, change, flags)

    async def _add(
        self,
        account: Account,
        email: StoredEmail,
        targets: set[MailboxId],
        rights: Mapping[MailboxId, Rights],
    ) -> dict[MailboxId, Sequence[int]]:
        """The copies made; none where one cannot be made. Raises SetError."""
        source, uid = email.places[0]
        made: dict[MailboxId, Sequence[int]] = {}
        try:
            for target in sorted(targets):
                keep = settable(rights[target])
                done = await self._store.copy(account.id, source, [uid], target, keep=keep)
                if not done.target:
                    raise SetError("notFound")
                made[target] = done.target
        except (SetError, StoreError, Busy) as error:
            for target, uids in made.items():
                with suppress(StoreError, Busy):
                    await self._store.remove(account.id, target, uids)
            if isinstance(error, NoSuchMailbox | OverQuota | TooMany):
                raise refusal(error) from None
            raise
        return made


def _same_case(name: str) -> str:
    """A path of a patch: keywords have no case (RFC 8621 §4.1.1)."""
    return name.lower() if name.startswith("keywords/") else name


def _marks(email: StoredEmail, wanted: Flags) -> tuple[Flags, Flags]:
    """What is to be set and taken."""
    old = {word.lower() for word in email.flags.keywords}
    new = {word.lower() for word in wanted.keywords}
    added = Flags(wanted.system & ~email.flags.system, frozenset(new - old))
    return added, Flags(email.flags.system & ~wanted.system, frozenset(old - new))


def _check_marks(email: StoredEmail, wanted: Flags, rights: Mapping[MailboxId, Rights]) -> None:
    added, taken = _marks(email, wanted)
    needed = needed_for(added) | needed_for(taken)
    if any(not needed <= set(rights.get(box, "")) for box, _ in email.places):
        raise SetError("forbidden", "this login, or the list of rights, does not allow it")


def _check_removal(boxes: Iterable[MailboxId], rights: Mapping[MailboxId, Rights]) -> None:
    if not all({"t", "e"} <= set(rights.get(box, "")) for box in boxes):
        raise SetError("forbidden", "nothing may be removed from this mailbox")
