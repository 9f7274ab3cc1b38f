"""The journal as values: what the mirror, QRESYNC, JMAP and push read."""

from array import array
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.schema import ChangeKind, journal
from storage.statements import Query
from storage.values import AccountId, MailboxId

_READ = Query(
    lambda _: (
        select(
            journal.c.modseq,
            journal.c.part,
            journal.c.kind,
            journal.c.mailbox,
            journal.c.uids,
            journal.c.name,
            journal.c.old,
            journal.c.at,
        )
        .where(journal.c.account == bindparam("account"), journal.c.modseq > bindparam("since"))
        .order_by(journal.c.modseq, journal.c.part)
        .limit(bindparam("n"))
    )
)


@dataclass(frozen=True, slots=True)
class Change:
    """One part of one change; parts with one modseq were one transaction's."""

    modseq: int
    part: int
    kind: ChangeKind
    mailbox: MailboxId
    uids: "array[int]"
    name: str
    old: str
    at: float


async def read_changes(
    database: Database, account: AccountId, since: int, limit: int
) -> list[Change]:
    """Changes above `since`, at most about `limit`, never part of a modseq."""
    found = await database.fetch(_READ, account=account, since=since, n=limit)
    while len(found) == limit and found[0][0] == found[-1][0]:
        limit *= 2
        found = await database.fetch(_READ, account=account, since=since, n=limit)
    if len(found) == limit:
        last = found[-1][0]
        found = [row for row in found if row[0] != last]
    return [
        Change(modseq, part, ChangeKind(kind), MailboxId(box), array("I", uids), name, old, at)
        for modseq, part, kind, box, uids, name, old, at in found
    ]
