"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3).

An identifier is the address of an account, `anyone`, or one of these behind `-`, which takes rights
away. Who may not see a mailbox hears that it does not exist (§6). One that only holds others has
its list too, which says who makes mailboxes below it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from auth.rights import ALL, KEPT, NONE, Rights, edited, rights_of, shown, without
from auth.sasl.prep import prepared
from imap.grammar.acl import (
    DeleteAcl,
    GetAcl,
    ListRights,
    MyRights,
    SetAcl,
    acl_line,
    listrights_line,
    myrights_line,
)
from imap.mailboxes import resolve
from imap.replies import Bad, No, Reply
from imap.session import Session
from storage.acl import EVERYBODY, BoxKey, Entries, Entry
from storage.values import AccountId, Mailbox

_ANYONE = "anyone"
_ANY = frozenset("lrikxa")


@dataclass(frozen=True, slots=True)
class Identifier:
    """Whom an entry is about; `negative` takes rights away."""

    grantee: AccountId
    negative: bool

    def entry(self, rights: Rights = NONE) -> Entry:
        """The entry that gives or takes these rights."""
        return Entry(self.grantee, self.negative, rights)


async def setacl(session: Session, command: SetAcl) -> Reply:
    try:
        rights = rights_of(command.rights)
    except ValueError:
        raise Bad("Rights are letters out of lrswipkxteacd") from None
    box = await _administered(session, command.mailbox)
    changed = (await _identifier(session, command.identifier)).entry(rights)
    allowed = session.context.settings.imap.share_with_anyone
    if (
        changed.grantee == EVERYBODY
        and not changed.negative
        and not allowed
        and command.sign != "-"
    ):
        raise No("Mailboxes are not shared with anyone here", b"CANNOT")

    def edit(entries: Entries) -> Entries:
        return edited(entries, changed, command.sign, box.account)

    await _change(session, box, edit)
    session.log.info(
        "access given",
        mailbox=command.mailbox,
        to=command.identifier,
        rights=command.sign + command.rights,
    )
    return Reply("SETACL completed")


async def deleteacl(session: Session, command: DeleteAcl) -> Reply:
    """The owner's entry gone means that the owner has every right."""
    box = await _administered(session, command.mailbox)
    gone = (await _identifier(session, command.identifier)).entry()
    await _change(
        session, box, lambda entries: tuple(one for one in entries if one[:2] != gone[:2])
    )
    session.log.info("access taken", mailbox=command.mailbox, to=command.identifier)
    return Reply("DELETEACL completed")


async def getacl(session: Session, command: GetAcl) -> Reply:
    """The owner comes first, who needs no entry."""
    box = await _administered(session, command.mailbox)
    lists = await session.context.directory.acl.lists(box.account)
    entries = lists.get(BoxKey.of(box), ())
    owner = [one for one in entries if one.grantee == box.account and not one.negative]
    rest = [one for one in entries if one not in owner]
    pairs = []
    for one in (*(owner or [Entry(box.account, False, ALL)]), *rest):
        name = await _name(session, one.grantee)
        if name is not None:
            pairs.append(("-" * one.negative + name, shown(Rights(one.rights))))
    session.send(acl_line(command.mailbox, pairs, session.utf8))
    return Reply("GETACL completed")


async def listrights(session: Session, command: ListRights) -> Reply:
    """No right is tied to another."""
    box = await _administered(session, command.mailbox)
    whom = await _identifier(session, command.identifier)
    required = KEPT if whom == Identifier(box.account, negative=False) else NONE
    optional = without(ALL, required) + "cd"
    session.send(
        listrights_line(
            command.mailbox, command.identifier, required, tuple(optional), session.utf8
        )
    )
    return Reply("LISTRIGHTS completed")


async def myrights(session: Session, command: MyRights) -> Reply:
    place = await resolve(session, command.mailbox)
    if place.box is None or _ANY.isdisjoint(place.rights):
        raise No("The mailbox does not exist", b"NONEXISTENT")
    session.send(myrights_line(command.mailbox, shown(place.rights), session.utf8))
    return Reply("MYRIGHTS completed")


async def _administered(session: Session, name: str) -> Mailbox:
    return (await resolve(session, name)).named("a")


async def _change(session: Session, box: Mailbox, edit: Callable[[Entries], Entries]) -> None:
    await session.context.directory.acl.change(box.account, BoxKey.of(box), edit)


async def _identifier(session: Session, text: str) -> Identifier:
    """Whom an identifier means. Raises Bad for what is none, No where nobody is called so."""
    try:
        name = prepared(text)
    except ValueError:
        name = ""
    negative = name.startswith("-")
    name = name.removeprefix("-")
    if not name:
        raise Bad("An identifier is an address, or anyone")
    if name == _ANYONE:
        return Identifier(EVERYBODY, negative)
    directory = session.context.directory
    domain = None if "@" in name else directory.sole_domain()
    account = await directory.account(f"{name}@{domain}" if domain else name)
    if account is None:
        raise No("There is no such user", b"CANNOT")
    return Identifier(account.id, negative)


async def _name(session: Session, grantee: AccountId) -> str | None:
    """The identifier of a grantee; None when the account has gone."""
    if grantee == EVERYBODY:
        return _ANYONE
    account = await session.context.directory.account_by_id(grantee)
    return None if account is None else account.address
