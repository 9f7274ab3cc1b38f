"""Where a mailbox name leads for a session; every command that names a mailbox asks here.

What a place allows stands in imap/place.py.
"""

from typing import Final

from auth.rights import ALL, NONE
from imap.place import Place, is_others
from imap.session import Session
from storage.errors import NoSuchMailbox
from storage.names import normal
from storage.values import AccountId, Mailbox

_NOBODY: Final = AccountId(0)


async def resolve(session: Session, name: str) -> Place:
    """The place of a name, whether there is a mailbox or not. Raises StoreError."""
    if is_others(name):
        return Place(_NOBODY, "", name, None, NONE)
    name = normal(name)
    return Place(session.account, name, name, await _box(session, session.account, name), ALL)


async def visible(session: Session) -> list[Place]:
    """Every mailbox with the right `l`, the user's own first. Raises StoreError."""
    account = session.account
    return [
        Place(account, box.name, box.name, box, ALL)
        for box in await session.store.mailboxes(account)
    ]


async def _box(session: Session, account: AccountId, name: str) -> Mailbox | None:
    try:
        return await session.store.named(account, name)
    except NoSuchMailbox:
        return None
