"""Accounts of somebody else's database, by the operator's query."""

from typing import Any, Final

from auth.source_values import (
    Record,
    SourceError,
    name_of,
    names_of,
    quota_of,
    switch_of,
    usable_hash,
)
from config.sections_accounts import SQL_NAMES, AccountSource
from message.address import Mailbox
from storage.account_query import AccountQuery, QueryFailed

COLUMNS: Final = frozenset({"hash", "address", "name", "quota", "enabled", "admin"})


class SqlAccounts:
    """One database. Everything raises SourceError."""

    def __init__(self, source: AccountSource) -> None:
        self._logins = source.query
        self._recipients = source.recipient_query or source.query
        self._query = AccountQuery(source.database.get_secret_value(), source.timeout)

    async def find(self, address: Mailbox, *, login: bool) -> Record | None:
        """Several rows are an error: nobody can say whose it is."""
        names = names_of(address)
        values = dict(zip(SQL_NAMES, names, strict=True))
        try:
            rows = await self._query.rows(self._logins if login else self._recipients, values)
        except QueryFailed as error:
            raise SourceError(str(error), away=error.away) from None
        if len(rows) > 1:
            raise SourceError(f"several rows for {names[0]}: make the query more precise")
        return _record(rows[0], names[0]) if rows else None

    async def bind(self, record: Record, password: str) -> bool:
        """There is nobody who could be asked."""
        return False

    async def close(self) -> None:
        await self._query.close()


def _record(row: dict[str, Any], asked: str) -> Record:
    if strange := sorted(set(row) - COLUMNS):
        raise SourceError(f"the query has columns that mean nothing: {', '.join(strange)}")
    if "hash" not in row and "address" not in row:
        raise SourceError("the query has no column hash")
    return Record(
        str(row.get("address") or asked),
        name_of(row.get("name")),
        quota_of(row["quota"]) if row.get("quota") is not None else None,
        switch_of(row["admin"]) if row.get("admin") is not None else None,
        switch_of(row.get("enabled")),
        usable_hash(str(row.get("hash") or "")),
    )
