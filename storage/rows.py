"""Statements on message rows that several jobs share, for the writer's connection."""

from array import array
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Integer,
    SmallInteger,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)

from storage.schema import blob, message, place
from storage.statements import InSet, Query, id_list
from storage.values import AccountId, MailboxId, Settable

Found = tuple[int, int, int, int, int, int, int | None]
"""uid, flags, keywords, modseq, size, blob, thread."""

_m = message.c
_BOX = (_m.account == bindparam("account"), _m.mailbox == bindparam("mailbox"))
_COLUMNS = (_m.uid, _m.flags, _m.keywords, _m.modseq, _m.size, _m.blob, _m.thread)
_UIDS: Any = lambda among: among(_m.uid, "uids")  # noqa: E731
_RANGE = _m.uid.between(bindparam("low"), bindparam("high"))

_FIND = Query(lambda among: select(*_COLUMNS).where(*_BOX, _UIDS(among)).order_by(_m.uid))
_FIND_RANGE = Query(lambda _: select(*_COLUMNS).where(*_BOX, _RANGE).order_by(_m.uid))
_EXISTS = Query(lambda _: select(_m.uid).where(*_BOX, _m.uid == bindparam("uid")))
_FIRST = Query(lambda _: select(*_COLUMNS).where(*_BOX).order_by(_m.uid).limit(bindparam("n")))
_FLAGGED = Query(
    lambda _: (
        select(_m.uid)
        .where(*_BOX, _m.uid < bindparam("below"), _m.flags.op("&")(bindparam("flag")) != 0)
        .order_by(_m.uid)
    )
)
_SET_VALUES: dict[str, Any] = {
    "flags": bindparam("flags"),
    "keywords": bindparam("keywords"),
    "modseq": bindparam("modseq"),
}
_SET = Query(lambda among: update(message).where(*_BOX, _UIDS(among)).values(_SET_VALUES))
_SET_RANGE = Query(lambda _: update(message).where(*_BOX, _RANGE).values(_SET_VALUES))
_DELETE = Query(lambda among: delete(message).where(*_BOX, _UIDS(among)))
_DELETE_FROM = Query(lambda _: delete(message).where(*_BOX, _m.uid >= bindparam("first")))


def _copy(among: InSet) -> Any:
    number = func.row_number().over(order_by=_m.uid)
    source = select(
        _m.account,
        cast(bindparam("target"), BigInteger),
        cast(bindparam("base"), BigInteger) + number,
        cast(bindparam("modseq"), BigInteger),
        _m.flags.op("&")(cast(bindparam("mask"), SmallInteger)),
        _m.keywords * cast(bindparam("words"), Integer),
        _m.internaldate,
        cast(bindparam("now"), Double),
        _m.size,
        _m.blob,
        _m.thread,
    ).where(*_BOX, _UIDS(among))
    return insert(message).from_select([column.name for column in message.columns], source)


_COPY = Query(_copy)


def _is_dense(uids: Sequence[int]) -> bool:
    return len(uids) > 8 and uids[-1] - uids[0] + 1 == len(uids)


def find(
    conn: Connection, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
) -> list[Found]:
    """The rows of `uids` (ascending, no doubles) that exist, in order."""
    if not uids:
        return []
    box = {"account": account, "mailbox": mailbox}
    if _is_dense(uids):
        return _FIND_RANGE.run(conn, **box, low=uids[0], high=uids[-1])
    return _FIND.run(conn, **box, uids=id_list(conn.dialect.name, uids))


def first(conn: Connection, account: AccountId, mailbox: MailboxId, count: int) -> list[Found]:
    """The first rows of a mailbox."""
    return _FIRST.run(conn, account=account, mailbox=mailbox, n=count)


def exists(conn: Connection, account: AccountId, mailbox: MailboxId, uid: int) -> bool:
    """Whether the message is there."""
    return bool(_EXISTS.run(conn, account=account, mailbox=mailbox, uid=uid))


def with_flag(
    conn: Connection, account: AccountId, mailbox: MailboxId, flag: int, below: int
) -> list[int]:
    """UIDs under `below` that have a system flag."""
    rows = _FLAGGED.run(conn, account=account, mailbox=mailbox, flag=flag, below=below)
    return [uid for (uid,) in rows]


def set_flags(
    conn: Connection,
    account: AccountId,
    mailbox: MailboxId,
    uids: Sequence[int],
    values: tuple[int, int, int],
) -> None:
    """Gives `uids` (existing, ascending) the flags, keyword set and modseq of `values`."""
    box = {"account": account, "mailbox": mailbox}
    named = dict(zip(("flags", "keywords", "modseq"), values, strict=True))
    if _is_dense(uids):
        _SET_RANGE.run(conn, **box, **named, low=uids[0], high=uids[-1])
    else:
        _SET.run(conn, **box, **named, uids=id_list(conn.dialect.name, uids))


def remove(conn: Connection, account: AccountId, mailbox: MailboxId, uids: Sequence[int]) -> None:
    """Deletes the rows of `uids`."""
    _DELETE.run(conn, account=account, mailbox=mailbox, uids=id_list(conn.dialect.name, uids))


def remove_from(conn: Connection, account: AccountId, mailbox: MailboxId, first: int) -> None:
    """Deletes the rows at and above `first`: what an unfinished run left."""
    _DELETE_FROM.run(conn, account=account, mailbox=mailbox, first=first)


def copy_rows(
    conn: Connection,
    account: AccountId,
    source: MailboxId,
    uids: "array[int]",
    *,
    target: MailboxId,
    first: int,
    modseq: int,
    now: float,
    keep: Settable,
) -> None:
    """Copies existing rows, in UID order, to UIDs from `first` on, with the flags to keep."""
    _COPY.run(
        conn,
        account=account,
        mailbox=source,
        uids=id_list(conn.dialect.name, uids),
        target=target,
        base=first - 1,
        modseq=modseq,
        now=now,
        mask=int(keep.system),
        words=int(keep.keywords),
    )


def remove_run(conn: Connection, account: AccountId, mailbox: MailboxId, first: int) -> None:
    """Deletes the invisible rows of a run, with the places and blobs that it made."""
    hidden = select(_m.blob).where(_m.account == account, _m.mailbox == mailbox, _m.uid >= first)
    mine = select(place.c.blob).where(
        place.c.account == account, place.c.mailbox == mailbox, place.c.uid >= first
    )
    conn.execute(
        delete(blob).where(blob.c.account == account, blob.c.id.in_(hidden), blob.c.id.in_(mine))
    )
    conn.execute(
        delete(place).where(
            place.c.account == account,
            place.c.mailbox == mailbox,
            place.c.uid >= first,
            place.c.blob.in_(hidden),
        )
    )
    remove_from(conn, account, mailbox, first)
