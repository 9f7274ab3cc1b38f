"""Email/set (RFC 8621 §4.6): keywords and mailboxes of Emails, and their end.

Keywords are set on every copy. A change of mailboxes copies first and removes afterwards: what
breaks off in between leaves a copy too many.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from auth.rights import Rights
from storage.emails import StoredEmail
from storage.errors import NoSuchMailbox, OverQuota, TooMany
from storage.object_ids import blob_of, mailbox_number, mailbox_of
from storage.values import FlagChange, Flags, MailboxId, Settable, System
from web.jmap.context import Account, Context
from web.jmap.errors import SetError, invalid_properties
from web.jmap.mail.email import KEYWORDS, EmailType, keywords
from web.jmap.methods import Call
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Object

MAX_KEYWORDS: Final = 100
_WORD: Final = re.compile(r"[!-~]{1,255}")
_NOT_IN_IMAP: Final = frozenset('(){]%*"\\')
_SYSTEM: Final = {name: flag for flag, name in KEYWORDS.items()}


class EmailSet(EmailType, Changeable[Context, Account]):
    """Email with /set; Emails come into being by delivery and by IMAP."""

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        raise SetError("forbidden", "Emails cannot be made by JMAP")

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        rights = await self._rights(account)
        email = await self._email(account, id_, rights)
        if unknown := {name.partition("/")[0] for name in patch} - {"mailboxIds", "keywords"}:
            raise invalid_properties("cannot be changed", *sorted(unknown))
        by_box = _by_box(email)
        before = {
            "keywords": keywords(email.flags),
            "mailboxIds": {mailbox_number(account.id, box): True for box in by_box},
        }
        after = patched(before, patch)
        if after["mailboxIds"] != before["mailboxIds"]:
            wanted = self._mailboxes(call, account, after["mailboxIds"], rights)
        else:
            wanted = set(by_box)
        flags = _flags(after["keywords"])
        added, gone = wanted - by_box.keys(), by_box.keys() - wanted
        if any("i" not in rights.get(box, "") for box in added):
            raise SetError("forbidden", "nothing may be added to this mailbox")
        _check_removal(gone, rights)
        await self._mark(account, email, flags, rights)
        await self._add(account, email, added, rights)
        for box in gone:
            await self._store.remove(account.id, box, by_box[box])
        return None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        rights = await self._rights(account)
        email = await self._email(account, id_, rights)
        by_box = _by_box(email)
        _check_removal(by_box, rights)
        for box, uids in by_box.items():
            await self._store.remove(account.id, box, uids)

    async def _rights(self, account: Account) -> dict[MailboxId, Rights]:
        lists = await self._directory.acl.lists(account.id)
        boxes = await self._store.mailboxes(account.id)
        return {box.id: account.rights(box, lists) for box in boxes if box.selectable}

    async def _email(
        self, account: Account, id_: str, rights: Mapping[MailboxId, Rights]
    ) -> StoredEmail:
        blob = blob_of(id_)
        found = (await self._store.emails(account.id, [blob])).get(blob)
        if found is None or not any("r" in rights.get(box, "") for box, _ in found.places):
            raise SetError("notFound")
        return found

    def _mailboxes(
        self, call: Call[Context], account: Account, ids: Any, rights: Mapping[MailboxId, Rights]
    ) -> set[MailboxId]:
        """Raises SetError."""
        if not isinstance(ids, dict) or not ids or not all(one is True for one in ids.values()):
            raise invalid_properties("an object of ids, each true, is needed", "mailboxIds")
        found = set[MailboxId]()
        for id_ in ids:
            real = call.created.get(id_[1:], "") if id_.startswith("#") else id_
            box = mailbox_of(real, account.id)
            if box is None or "l" not in rights.get(box, ""):
                raise invalid_properties("there is no such mailbox", "mailboxIds")
            found.add(box)
        return found

    async def _mark(
        self,
        account: Account,
        email: StoredEmail,
        wanted: Flags,
        rights: Mapping[MailboxId, Rights],
    ) -> None:
        old = {word.lower() for word in email.flags.keywords}
        new = {word.lower() for word in wanted.keywords}
        added = Flags(wanted.system & ~email.flags.system, frozenset(new - old))
        taken = Flags(email.flags.system & ~wanted.system, frozenset(old - new))
        if not _needs(added) and not _needs(taken):
            return
        needed = _needs(added) | _needs(taken)
        for box, _ in email.places:
            if not needed <= set(rights.get(box, "")):
                raise SetError("forbidden", "this login, or the list of rights, does not allow it")
        for box, uids in _by_box(email).items():
            for change, flags in ((FlagChange.ADD, added), (FlagChange.REMOVE, taken)):
                if _needs(flags):
                    await self._store.store(account.id, box, uids, change, flags)

    async def _add(
        self,
        account: Account,
        email: StoredEmail,
        targets: set[MailboxId],
        rights: Mapping[MailboxId, Rights],
    ) -> None:
        source, uid = email.places[0]
        try:
            for target in sorted(targets):
                keep = _kept(rights[target])
                done = await self._store.copy(account.id, source, [uid], target, keep=keep)
                if not done.target:
                    raise SetError("notFound")
        except NoSuchMailbox:
            raise invalid_properties("there is no such mailbox", "mailboxIds") from None
        except (OverQuota, TooMany):
            raise SetError("overQuota") from None


def _check_removal(boxes: Iterable[MailboxId], rights: Mapping[MailboxId, Rights]) -> None:
    if not all({"t", "e"} <= set(rights.get(box, "")) for box in boxes):
        raise SetError("forbidden", "nothing may be removed from this mailbox")


def _by_box(email: StoredEmail) -> dict[MailboxId, list[int]]:
    found: dict[MailboxId, list[int]] = {}
    for box, uid in email.places:
        found.setdefault(box, []).append(uid)
    return found


def _needs(flags: Flags) -> set[str]:
    """The rights that a change of these needs (RFC 4314 §4)."""
    seen = {"s"} if flags.system & System.SEEN else set[str]()
    others = flags.system & ~System.SEEN or flags.keywords
    return seen | ({"w"} if others else set())


def _kept(rights: Rights) -> Settable:
    system = System.SEEN if "s" in rights else System(0)
    if "w" in rights:
        system |= System.ANSWERED | System.FLAGGED | System.DRAFT
    return Settable(system, keywords="w" in rights)


def _flags(wanted: Any) -> Flags:
    """Keywords that IMAP can carry (RFC 8621 §4.1.1). Raises SetError."""
    if not isinstance(wanted, dict) or not all(one is True for one in wanted.values()):
        raise invalid_properties("an object of keywords, each true, is needed", "keywords")
    if len(wanted) > MAX_KEYWORDS:
        raise SetError("tooManyKeywords")
    system, words = System(0), set[str]()
    for word in wanted:
        if not _WORD.fullmatch(word) or not _NOT_IN_IMAP.isdisjoint(word):
            raise invalid_properties("no keyword that IMAP can carry", "keywords")
        if (flag := _SYSTEM.get(word.lower())) is not None:
            system |= flag
        else:
            words.add(word.lower())
    return Flags(system, frozenset(words))
