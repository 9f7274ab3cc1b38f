"""The ways in which message rows are read: whole, with their own file, for lists, the file alone.

All but the last are one look-up by key for a piece of ascending UIDs, by range where they have no
gap, the last is that of one message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, select

from storage.database import Database
from storage.schema import KEYWORD_SHIFT, blob, folder, message, place
from storage.statements import Query
from storage.values import AccountId, MailboxId

_m, _b, _p, _f = message.c, blob.c, place.c, folder.c


@dataclass(frozen=True, slots=True)
class RowSelect:
    """`large` is the column that a hostile message makes large, -1 when there is none."""

    among: Query
    between: Query
    large: int

    async def piece(
        self, database: Database, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> tuple[list[Any], bool]:
        """Rows by UID; whether they are all, and not only the first ones of large ones."""
        query, params = self._call(database, uids)
        return await database.fetch_some(
            query, self.large, account=account, mailbox=mailbox, **params
        )

    async def every(
        self, database: Database, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> list[Any]:
        """All rows, of a select without a large column."""
        query, params = self._call(database, uids)
        return await database.fetch(query, account=account, mailbox=mailbox, **params)

    def _call(self, database: Database, uids: Sequence[int]) -> tuple[Query, dict[str, Any]]:
        if uids[-1] - uids[0] + 1 == len(uids):
            return self.between, {"low": uids[0], "high": uids[-1]}
        return self.among, {"uids": database.ids(uids)}


def _made(statement: Select[Any], large: int) -> RowSelect:
    mine = statement.where(
        _m.account == bindparam("account"), _m.mailbox == bindparam("mailbox")
    ).order_by(_m.uid)
    return RowSelect(
        Query(lambda among: mine.where(among(_m.uid, "uids"))),
        Query(lambda _: mine.where(_m.uid.between(bindparam("low"), bindparam("high")))),
        large,
    )


BLOB = (_b.account == _m.account) & (_b.id == _m.blob)
PLACE = (
    (_p.account == _m.account)
    & (_p.blob == _m.blob)
    & (_p.mailbox == _m.mailbox)
    & (_p.uid == _m.uid)
)
FOLDER = (_f.account == _p.account) & (_f.mailbox == _p.mailbox)
WHOLE = _made(
    select(
        _m.uid,
        _m.modseq,
        _m.flags + _m.keywords * (1 << KEYWORD_SHIFT),
        _m.internaldate,
        _m.savedate,
        _m.size,
        _m.blob,
        _b.meta,
        _b.parts,
    ).join_from(message, blob, BLOB),
    7,
)
PLACED = _made(
    select(
        _m.uid,
        _m.internaldate,
        _m.size,
        _m.blob,
        _b.meta,
        _b.parts,
        _b.stored,
        _f.path,
        _p.path,
        _m.savedate,
        _m.thread,
    )
    .join_from(message, blob, BLOB)
    .outerjoin(place, PLACE)
    .outerjoin(folder, FOLDER),
    4,
)
SUMMARY = _made(select(_m.uid, _m.internaldate, _m.size, _b.meta).join_from(message, blob, BLOB), 3)
SUMMARY_IDS = _made(
    select(_m.uid, _m.internaldate, _m.size, _b.meta, _m.savedate, _m.blob, _m.thread).join_from(
        message, blob, BLOB
    ),
    3,
)
NARROW = _made(select(_m.uid, _m.internaldate, _m.size), -1)
LACKING = _made(select(_m.uid, _m.blob).where(_m.thread.is_(None)), -1)
OWN_FILE = Query(
    lambda _: (
        select(_m.size, _b.stored, _f.path, _p.path)
        .join_from(message, blob, BLOB)
        .join(place, PLACE)
        .join(folder, FOLDER)
        .where(
            _m.account == bindparam("account"),
            _m.mailbox == bindparam("mailbox"),
            _m.uid == bindparam("uid"),
        )
    )
)
