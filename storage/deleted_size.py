"""How many octets an EXPUNGE of a mailbox would free (RFC 9208 §4.1.4)."""

import asyncio

from sqlalchemy import bindparam, case, func, select

from storage.database import Database
from storage.schema import message
from storage.statements import Query
from storage.values import Mailbox, System

_PAGE = 2_000
_m = message.c
_SOME = (
    select(_m.uid, _m.flags, _m.size)
    .where(
        _m.account == bindparam("account"),
        _m.mailbox == bindparam("mailbox"),
        _m.uid > bindparam("after"),
        _m.uid < bindparam("uidnext"),
    )
    .order_by(_m.uid)
    .limit(bindparam("n"))
    .subquery()
)
_MARKED = _SOME.c.flags.op("&")(int(System.DELETED)) != 0
_SUM = Query(
    lambda _: select(func.max(_SOME.c.uid), func.sum(case((_MARKED, _SOME.c.size), else_=0)))
)


async def deleted_size(database: Database, box: Mailbox) -> int:
    """The sizes of the messages with \\Deleted together, page by page."""
    total, last = 0, 0
    while box.deleted and last < box.uidnext:
        ((highest, octets),) = await database.fetch(
            _SUM, account=box.account, mailbox=box.id, after=last, uidnext=box.uidnext, n=_PAGE
        )
        if highest is None:
            break
        total, last = total + int(octets), highest
        await asyncio.sleep(0)
    return total
