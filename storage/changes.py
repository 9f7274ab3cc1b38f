"""The journal as values: what the mirror, QRESYNC, JMAP and push read.

Invariant: what lies above an account's floor is complete; a floor is read after the rows, so that
rows pruned meanwhile are noticed.
"""

from array import array
from dataclasses import dataclass

from sqlalchemy import bindparam, select, text

from storage.database import Database
from storage.schema import CHANGED, ChangeKind, journal
from storage.schema import account as accounts
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
            journal.c.ids,
        )
        .where(journal.c.account == bindparam("account"), journal.c.modseq > bindparam("since"))
        .order_by(journal.c.modseq, journal.c.part)
        .limit(bindparam("n"))
    )
)

_OF_MAILBOX = Query(
    lambda _: (
        select(journal.c.modseq, journal.c.kind, journal.c.uids)
        .where(
            journal.c.account == bindparam("account"),
            journal.c.mailbox == bindparam("mailbox"),
            journal.c.modseq > bindparam("since"),
            text(CHANGED),
        )
        .order_by(journal.c.modseq, journal.c.part)
        .limit(bindparam("n"))
    )
)
_FLOOR = Query(lambda _: select(accounts.c.floor).where(accounts.c.id == bindparam("account")))


@dataclass(frozen=True, slots=True)
class Change:
    """One part of one change; parts with one modseq were one transaction's. `ids` are blob and
    thread of each message that an EXPUNGE took; None in rows of before they were kept.
    """

    modseq: int
    part: int
    kind: ChangeKind
    mailbox: MailboxId
    uids: "array[int]"
    name: str
    old: str
    at: float
    ids: "array[int] | None" = None


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
        Change(
            modseq,
            part,
            ChangeKind(kind),
            MailboxId(box),
            array("I", uids),
            name,
            old,
            at,
            None if ids is None else array("q", ids),
        )
        for modseq, part, kind, box, uids, name, old, at, ids in found
    ]


@dataclass(frozen=True, slots=True)
class MailboxChanges:
    """Messages of one mailbox that were expunged or got other flags, up to and with `until`. Each
    array is ascending.
    """

    expunged: "list[array[int]]"
    flagged: "list[array[int]]"
    until: int
    complete: bool


async def read_mailbox_changes(
    database: Database, account: AccountId, mailbox: MailboxId, since: int, limit: int
) -> MailboxChanges | None:
    """Changes of a mailbox above `since` but for messages that came, at most about `limit` rows;
    None when the journal does not reach back so far.
    """
    found = await database.fetch(
        _OF_MAILBOX, account=account, mailbox=mailbox, since=since, n=limit
    )
    while len(found) == limit and found[0][0] == found[-1][0]:
        limit *= 2
        found = await database.fetch(
            _OF_MAILBOX, account=account, mailbox=mailbox, since=since, n=limit
        )
    complete = len(found) < limit
    if not complete:
        last = found[-1][0]
        found = [row for row in found if row[0] != last]
    floors = await database.fetch(_FLOOR, account=account)
    if not floors or floors[0][0] > since:
        return None
    by_kind: dict[ChangeKind, list[array[int]]] = {ChangeKind.EXPUNGE: [], ChangeKind.FLAGS: []}
    for _, kind, uids in found:
        by_kind[ChangeKind(kind)].append(array("I", uids))
    until = found[-1][0] if found else since
    return MailboxChanges(by_kind[ChangeKind.EXPUNGE], by_kind[ChangeKind.FLAGS], until, complete)
