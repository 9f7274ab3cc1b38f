"""What was learned of tags (filters/autotags/model.py), rows of history.db; it is learned anew when
it is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, insert, select

from storage.history_database import HistoryDatabase
from storage.history_schema import tag_model
from storage.values import AccountId

_t = tag_model.c


@dataclass(frozen=True, slots=True)
class StoredTag:
    """As filters/autotags/model.py has it; `weights` packed. `learned` in Unix seconds."""

    keyword: str
    weights: bytes
    threshold: float
    tagged: int
    given: int
    right: int
    learned: float


class TagModels:
    """Raises StoreError."""

    def __init__(self, database: HistoryDatabase) -> None:
        self._database = database

    async def load(self, account: AccountId) -> list[StoredTag]:
        """In order of keyword."""
        columns = (_t.keyword, _t.weights, _t.threshold, _t.tagged, _t.given, _t.right, _t.learned)
        query = select(*columns).where(_t.account == account).order_by(_t.key)
        return await self._database.finish(self._rows(query))

    async def store(self, account: AccountId, models: Sequence[StoredTag]) -> None:
        """In the place of all that the account had."""
        rows = [
            {
                "account": account,
                "key": one.keyword.lower(),
                "keyword": one.keyword,
                "weights": one.weights,
                "threshold": one.threshold,
                "tagged": one.tagged,
                "given": one.given,
                "right": one.right,
                "learned": one.learned,
            }
            for one in models
        ]
        await self._database.finish(self._store(account, rows))

    async def _rows(self, query: Select[Any]) -> list[StoredTag]:
        async with self._database.reading() as at:
            return [StoredTag(*row) for row in await at.execute(query)]

    async def _store(self, account: AccountId, rows: Sequence[dict[str, object]]) -> None:
        async with self._database.writing() as at:
            await at.execute(delete(tag_model).where(_t.account == account))
            if rows:
                await at.execute(insert(tag_model), list(rows))
