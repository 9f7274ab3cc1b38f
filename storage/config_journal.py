"""What an account changed of its scripts, contacts and preferences, numbered by its modseq.

Clients that keep a copy ask what changed since they last looked. Invariants: a change and its row
are one transaction; at most KEPT rows of an account are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_schema import account as accounts
from storage.config_schema import journal
from storage.errors import NoSuchAccount
from storage.values import AccountId

KEPT: Final = 10_000
NOTED: Final = "noted"
"""Accounts of a transaction, kept by its connection until ConfigDatabase tells of them."""
_j = journal.c


class Kind(StrEnum):
    """What was changed."""

    SCRIPT = "script"
    BOOK = "address-book"
    CARD = "card"
    SHARE_NOTICE = "share-notice"
    TAG = "tag"
    PREFERENCE = "preference"
    IDENTITY = "identity"
    QUOTA = "quota"
    VACATION = "vacation"


class How(StrEnum):
    """What became of it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """`what` is its id, of a preference its key."""

    kind: Kind
    how: How
    what: str


async def note(at: AsyncConnection, account: AccountId, changes: Sequence[Change]) -> int:
    """Writes changes down, each with a modseq of its own; the last of them.

    Raises NoSuchAccount.
    """
    last = await skip(at, account, len(changes))
    first = last - len(changes) + 1
    rows = [
        {
            "account": account,
            "modseq": modseq,
            "kind": change.kind.value,
            "what": f"{change.how.value} {change.what}",
        }
        for modseq, change in enumerate(changes, first)
    ]
    if rows:
        await at.execute(insert(journal), rows)
    if first // 256 != last // 256 or last % 256 == 0:
        await at.execute(delete(journal).where(_j.account == account, _j.modseq <= last - KEPT))
    return last


async def skip(at: AsyncConnection, account: AccountId, count: int) -> int:
    """Takes modseqs for changes that the journal does not name one by one; the last of them.

    Raises NoSuchAccount.
    """
    row = (
        update(accounts)
        .where(accounts.c.id == account)
        .values(modseq=accounts.c.modseq + count)
        .returning(accounts.c.modseq)
    )
    last: int | None = (await at.execute(row)).scalar()
    if last is None:
        raise NoSuchAccount("The account is gone")
    at.info.setdefault(NOTED, set()).add(account)
    return last


async def modseq_of(at: AsyncConnection, account: AccountId) -> int:
    """Where an account stands. Raises NoSuchAccount."""
    query = select(accounts.c.modseq).where(accounts.c.id == account)
    found: int | None = (await at.execute(query)).scalar()
    if found is None:
        raise NoSuchAccount("The account is gone")
    return found


def floor_of(modseq: int) -> int:
    """Back to where the journal of an account tells all, which stands at `modseq`."""
    return max(0, modseq - KEPT)
