"""What accounts are told of address books and mailboxes that are shared with them, until they put
it away.

Invariant: a notice is written in the transaction of the change that it tells of, with its row of
the journal; KEPT of an account are kept.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_contact_tables import share_notice
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, note
from storage.contact_values import NoSuchContact
from storage.values import AccountId

KEPT: Final = 500
_n = share_notice.c


class Shared(Enum):
    """Types of what is shared, by their names in JMAP."""

    BOOK = "AddressBook"
    MAILBOX = "Mailbox"


@dataclass(frozen=True, slots=True)
class ShareNotice:
    """Rights in a book or a mailbox of `owner`, whose number is `book`, by `giver`: letters of
    storage/book_shares.py, or of auth/rights.py. `created` is in seconds since 1970.
    """

    id: int
    created: float
    owner: AccountId
    giver: AccountId
    book: int
    name: str
    old: str
    new: str
    kind: Shared = Shared.BOOK


class ShareNotices:
    """Belongs to storage/contacts.py. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    async def of(self, account: AccountId) -> list[ShareNotice]:
        """The oldest first."""
        return await self._database.finish(self._of(account))

    async def dismiss(self, account: AccountId, number: int) -> None:
        """Raises NoSuchContact."""
        await self._database.finish(self._dismiss(account, number))

    async def _of(self, account: AccountId) -> list[ShareNotice]:
        columns = (_n.id, _n.created, _n.owner, _n.giver, _n.book, _n.name, _n.old, _n.new)
        query = select(*columns, _n.kind).where(_n.account == account).order_by(_n.id)
        async with self._database.reading() as at:
            rows = (await at.execute(query)).all()
        return [ShareNotice(*row[:8], kind=Shared(row.kind)) for row in rows]

    async def _dismiss(self, account: AccountId, number: int) -> None:
        async with self._database.writing() as at:
            mine = (_n.account == account) & (_n.id == number)
            gone = (await at.execute(delete(share_notice).where(mine).returning(_n.id))).first()
            if gone is None:
                raise NoSuchContact("There is no such notice")
            await note(at, account, [Change(Kind.SHARE_NOTICE, How.DELETED, str(number))])


async def tell(at: AsyncConnection, account: AccountId, notice: ShareNotice) -> None:
    """The account gets a notice; the oldest go where there are too many."""
    values = {
        "account": account,
        "created": notice.created,
        "owner": notice.owner,
        "giver": notice.giver,
        "book": notice.book,
        "name": notice.name,
        "old": notice.old,
        "new": notice.new,
        "kind": notice.kind.value,
    }
    number = (await at.execute(insert(share_notice).values(values).returning(_n.id))).scalar_one()
    newest = select(_n.id).where(_n.account == account).order_by(_n.id.desc())
    query = newest.offset(KEPT)
    gone = (await at.execute(query)).scalars().all()
    if gone:
        await at.execute(delete(share_notice).where(_n.account == account, _n.id.in_(gone)))
    changes = [Change(Kind.SHARE_NOTICE, How.DELETED, str(one)) for one in sorted(gone)]
    await note(at, account, [*changes, Change(Kind.SHARE_NOTICE, How.CREATED, str(number))])
