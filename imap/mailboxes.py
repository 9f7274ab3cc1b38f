"""Where a mailbox name leads for a session; every command that names a mailbox asks here.

What a place allows stands in imap/place.py, what a list of rights comes to in auth/rights.py. The
accounts that share something with a user are found by the user, never by a look at all accounts.
"""

from collections.abc import AsyncIterator
from typing import Final

from auth.rights import ALL, NONE, effective
from imap.place import Place, is_others
from imap.session import Session
from storage.acl import EVERYBODY, BoxKey, Lists
from storage.directory_values import Account
from storage.errors import NoSuchMailbox
from storage.names import OTHERS, normal
from storage.values import AccountId, Mailbox

_NOBODY: Final = AccountId(0)
_CHUNK: Final = 250


async def resolve(session: Session, name: str) -> Place:
    """The place of a name, whether there is a mailbox or not. Raises StoreError."""
    if is_others(name):
        return await _of_other(session, name)
    name = normal(name)
    return await _place(session, session.account, name, name)


def spelled(name: str) -> str:
    """A name as places show it, whether there is a mailbox or not; an address stays as it came."""
    if not is_others(name):
        return normal(name)
    levels = name.split("/", 2)
    return "/".join((*levels[:2], *map(normal, levels[2:])))


async def visible(session: Session) -> list[Place]:
    """Every mailbox with the right `l`, the user's own first. Raises StoreError."""
    found = await _visible_of(session, session.account, "")
    async for owner in _sharing(session):
        found += await _visible_of(session, owner.id, f"{OTHERS}/{owner.address}/")
    return found


async def _of_other(session: Session, name: str) -> Place:
    """A place below `Other Users/`; one without an account where there is nothing to see."""
    nowhere = Place(_NOBODY, "", name, None, NONE)
    levels = name.split("/", 2)
    if len(levels) < 3:
        return nowhere
    owner = await session.context.directory.account(levels[1])
    if owner is None or not owner.enabled or owner.id == session.account:
        return nowhere
    inside = normal(levels[2])
    return await _place(session, owner.id, inside, f"{OTHERS}/{owner.address}/{inside}")


async def _place(session: Session, account: AccountId, name: str, shown: str) -> Place:
    try:
        box = await session.store.named(account, name)
    except NoSuchMailbox:
        rights = ALL if account == session.account else NONE
        return Place(account, name, shown, None, session.grant.cut(rights, shown, ""))
    lists = await session.context.directory.acl.lists(account)
    return _with_rights(session, box, shown, lists)


def _with_rights(session: Session, box: Mailbox, shown: str, lists: Lists) -> Place:
    own = box.account == session.account
    entries = lists.get(BoxKey.of(box), ()) if lists else ()
    rights = ALL if own else NONE
    if entries:
        anyone = session.context.settings.imap.share_with_anyone
        rights = effective(entries, session.account, box.account, anyone)
    rights = session.grant.cut(rights, shown, box.special_use if own else "")
    return Place(box.account, box.name, shown, box, rights)


async def _visible_of(session: Session, account: AccountId, prefix: str) -> list[Place]:
    lists = await session.context.directory.acl.lists(account)
    boxes, found = await session.store.mailboxes(account), list[Place]()
    for start in range(0, len(boxes), _CHUNK):
        for box in boxes[start : start + _CHUNK]:
            if BoxKey.of(box) in lists if prefix else not is_others(box.name):
                place = _with_rights(session, box, prefix + box.name, lists)
                if "l" in place.rights:
                    found.append(place)
        await session.connection.breathe()
    return found


async def _sharing(session: Session) -> AsyncIterator[Account]:
    """The enabled accounts that give this user something, or everybody."""
    directory = session.context.directory
    giving = await directory.acl.owners(session.account)
    if session.context.settings.imap.share_with_anyone:
        giving |= await directory.acl.owners(EVERYBODY)
    for number in sorted(giving - {session.account}):
        owner = await directory.account_by_id(number)
        if owner is not None and owner.enabled:
            yield owner
