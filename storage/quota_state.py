"""What an account may keep and keeps, as one word that differs once any of it does."""

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.errors import NoSuchAccount
from storage.schema import account
from storage.statements import Query
from storage.values import AccountId, Usage

_c = account.c
_USAGE = Query(
    lambda _: select(_c.used_bytes, _c.used_messages, _c.limit_bytes, _c.limit_messages).where(
        _c.id == bindparam("account")
    )
)


def quota_state(usage: Usage) -> str:
    """Limits and use."""
    return f"{usage.limit_bytes}-{usage.limit_messages}-{usage.bytes}-{usage.messages}"


async def usage_of(database: Database, number: AccountId) -> Usage:
    """As committed. Raises NoSuchAccount."""
    rows = await database.fetch(_USAGE, account=number)
    if not rows:
        raise NoSuchAccount("no such account")
    return Usage(*rows[0])
