"""The tables of the word index and its statements.

On SQLite they make data/search/<account>.db, one an account; on PostgreSQL they stand in the one
database. All of it is derived: another FORMAT, or anything damaged, is dropped and filled again.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    bindparam,
    delete,
    select,
)

from storage.search.build import Built
from storage.statements import MultiRow, Query, id_list

FORMAT: Final = 2
"""Of the tables, of what they hold, and of how text is taken from a message."""
_IDS: Final = 500

metadata = MetaData()


def _key(name: str, kind: type[Integer] = BigInteger) -> Column[int]:
    return Column(name, kind, nullable=False, primary_key=True, autoincrement=False)


# `modseq`: the account's journal was followed up to here.
state = Table(
    "search_state",
    metadata,
    _key("account"),
    Column("modseq", BigInteger, nullable=False),
    Column("format", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# `blobs` is array('Q') of the messages' blobs, `loose` array('H') of the numbers of those that
# terms do not describe; both little-endian.
segment = Table(
    "search_segment",
    metadata,
    _key("account"),
    _key("id"),
    Column("blobs", LargeBinary, nullable=False),
    Column("loose", LargeBinary, nullable=False),
)

# As storage/search/build.py packs them.
part = Table(
    "search_part",
    metadata,
    _key("account"),
    _key("segment"),
    _key("part", SmallInteger),
    Column("data", LargeBinary, nullable=False),
)

text = Table(
    "search_text",
    metadata,
    _key("account"),
    _key("blob"),
    Column("data", LargeBinary, nullable=False),
)

_ACCOUNT: BindParameter[int] = bindparam("account")
STATE = Query(lambda _: select(state.c.modseq, state.c.format).where(state.c.account == _ACCOUNT))
SEGMENTS = Query(
    lambda _: (
        select(segment.c.id, segment.c.blobs, segment.c.loose)
        .where(segment.c.account == _ACCOUNT, segment.c.id > bindparam("after"))
        .order_by(segment.c.id)
        .limit(bindparam("most"))
    )
)
PART = Query(
    lambda among: select(part.c.segment, part.c.part, part.c.data).where(
        part.c.account == _ACCOUNT,
        part.c.segment == bindparam("segment"),
        among(part.c.part, "parts"),
    )
)
PARTS = Query(
    lambda _: (
        select(part.c.part, part.c.data)
        .where(part.c.account == _ACCOUNT, part.c.segment == bindparam("segment"))
        .order_by(part.c.part)
    )
)
TEXTS = Query(
    lambda among: select(text.c.blob, text.c.data).where(
        text.c.account == _ACCOUNT, among(text.c.blob, "blobs")
    )
)
_DROP_SEGMENTS = Query(
    lambda among: delete(segment).where(
        segment.c.account == _ACCOUNT, among(segment.c.id, "segments")
    )
)
_DROP_PARTS = Query(
    lambda among: delete(part).where(part.c.account == _ACCOUNT, among(part.c.segment, "segments"))
)
_DROP_TEXTS = Query(
    lambda among: delete(text).where(text.c.account == _ACCOUNT, among(text.c.blob, "blobs"))
)
_PUT_STATE = MultiRow(state, update=(state.c.modseq, state.c.format))
_PUT_SEGMENT = MultiRow(segment)
_PUT_PARTS = MultiRow(part)
_PUT_TEXTS = MultiRow(text, update=(text.c.data,))


def put_state(conn: Connection, account: int, modseq: int) -> None:
    """The journal was followed up to `modseq`."""
    _PUT_STATE.run(conn, [(account, modseq, FORMAT)])


def put_segment(conn: Connection, account: int, number: int, built: Built) -> None:
    """A segment with its texts, if it brings any."""
    row = (account, number, built.blobs.tobytes(), built.loose.tobytes())
    _PUT_SEGMENT.run(conn, [row])
    _PUT_PARTS.run(conn, [(account, number, at, data) for at, data in built.parts])
    pairs = zip(built.blobs, built.texts, strict=False)
    _PUT_TEXTS.run(conn, [(account, blob, data) for blob, data in pairs])


def drop_segments(conn: Connection, account: int, numbers: Sequence[int]) -> None:
    """Segments without their texts."""
    ids = id_list(conn.dialect.name, numbers)
    _DROP_SEGMENTS.run(conn, account=account, segments=ids)
    _DROP_PARTS.run(conn, account=account, segments=ids)


def drop_texts(conn: Connection, account: int, blobs: Sequence[int]) -> None:
    """Texts of messages that are gone."""
    for start in range(0, len(blobs), _IDS):
        ids = id_list(conn.dialect.name, blobs[start : start + _IDS])
        _DROP_TEXTS.run(conn, account=account, blobs=ids)


def drop_account(conn: Connection, account: int) -> None:
    """Everything of an account."""
    for table in (state, segment, part, text):
        conn.execute(delete(table).where(table.c.account == account))
