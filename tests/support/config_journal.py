"""What the journal of config.db says, row by row."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_journal import Change, How, Kind
from storage.config_schema import journal
from storage.values import AccountId


async def changes_after(at: AsyncConnection, account: AccountId, modseq: int) -> list[Change]:
    """In order."""
    query = select(journal.c.kind, journal.c.what).where(
        journal.c.account == account, journal.c.modseq > modseq
    )
    rows = await at.execute(query.order_by(journal.c.modseq))
    return [_change(*row) for row in rows]


def _change(kind: str, what: str) -> Change:
    how, _, name = what.partition(" ")
    return Change(Kind(kind), How(how), name)
