"""The rows of what users sent by HTTP: functions of a Connection inside committer jobs.

They come with the queue's rows and learn what becomes of these in the same transactions. Invariant:
`changed` of an account only rises; a key is used once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, select, update

from storage.queue_values import CANCELLED, Result, State
from storage.schema import submission as table
from storage.statements import Query, id_list
from storage.submission_values import AlreadySubmitted, Fate, Followed, Submission, Undo
from storage.values import AccountId, BlobId, Delivery, QueueId

COLUMNS: Final = (
    table.c.id,
    table.c.identity,
    table.c.email,
    table.c.thread,
    table.c.envelope,
    table.c.recipients,
    table.c.created,
    table.c.send_at,
    table.c.undo,
    table.c.key,
)
_c = table.c
_OF_QUEUES: Final = Query(
    lambda among: select(_c.account, *COLUMNS).where(among(_c.id, "some"), ~_c.destroyed)
)


def refuse_known(conn: Connection, account: AccountId, key: str) -> None:
    """Raises AlreadySubmitted."""
    query = select(_c.id).where(_c.account == account, _c.key == key)
    if (found := conn.execute(query).scalar()) is not None:
        raise AlreadySubmitted(QueueId(found))


def add(conn: Connection, delivery: Delivery, queue: QueueId, copy: BlobId, now: float) -> None:
    """The row of a delivery that is followed; `copy` is what it puts into a mailbox, if any."""
    sending, account = delivery.sending, delivery.account
    assert sending is not None
    assert account is not None
    people = [
        Followed(to.address, to.address in sending.here, Fate.QUEUED, "") for to in delivery.queued
    ]
    send_at = delivery.hold_until or now
    number = max(_next(conn, account), int(now * 1_000_000))
    conn.execute(
        insert(table).values(
            account=account,
            id=queue,
            identity=sending.identity,
            email=sending.email or copy,
            thread=sending.thread,
            envelope=sending.envelope,
            recipients=_packed(people),
            created=now,
            send_at=send_at,
            undo=int(Undo.PENDING if send_at > now else Undo.FINAL),
            made=number,
            changed=number,
            destroyed=False,
            key=sending.key,
        )
    )


def learn(conn: Connection, told: Mapping[QueueId, Mapping[int, Result]]) -> None:
    """What became of recipients by position."""
    if not told:
        return
    some = id_list(conn.dialect.name, told)
    for account, *row in _OF_QUEUES.run(conn, some=some):
        one = submission_of(row)
        _learn(conn, AccountId(account), one, told[one.id])


def destroy(conn: Connection, account: AccountId, queue: QueueId, now: float) -> bool:
    """Whether it was there. The key stays used, and what it answers with is kept."""
    mine = and_(_c.account == account, _c.id == queue, ~_c.destroyed)
    gone = (
        update(table)
        .where(mine)
        .values(
            destroyed=True,
            changed=max(_next(conn, account), int(now * 1_000_000)),
            envelope=case((_c.key.is_(None), ""), else_=_c.envelope),
            recipients="[]",
        )
    )
    return bool(conn.execute(gone).rowcount)


def forget(conn: Connection, before: float, now: float, most: int) -> int:
    """Makes those created before a time destroyed ones, whose keys are free, and forgets those that
    were destroyed and not changed since; up to `most` of each; how many.
    """
    used = select(_c.account, _c.id).where(_c.created < before, _c.key.is_not(None)).limit(most)
    for account, queue in conn.execute(used).all():
        mine = and_(_c.account == account, _c.id == queue)
        conn.execute(update(table).where(mine).values(key=None))
    old = select(_c.account, _c.id).where(_c.created < before, ~_c.destroyed, _c.send_at < before)
    done = 0
    for account, queue in conn.execute(old.limit(most)).all():
        done += destroy(conn, AccountId(account), QueueId(queue), now)
    stale = select(_c.id).where(_c.destroyed, _c.changed < int(before * 1_000_000)).limit(most)
    gone = conn.execute(delete(table).where(_c.id.in_(stale)))
    return done + gone.rowcount


def submission_of(row: Sequence[Any]) -> Submission:
    """From COLUMNS."""
    queue, identity, email, thread, envelope, people, created, send_at, undo, key = row
    return Submission(
        QueueId(queue),
        identity,
        BlobId(email),
        thread,
        envelope,
        tuple(
            Followed(to, here, Fate(fate), reply) for to, here, fate, reply in json.loads(people)
        ),
        created,
        send_at,
        Undo(undo),
        key,
    )


def _learn(
    conn: Connection, account: AccountId, one: Submission, results: Mapping[int, Result]
) -> None:
    people = list(one.recipients)
    for position, result in results.items():
        if position < len(people):
            to = people[position]
            people[position] = Followed(to.address, to.here, _fate(to, result), result.reply)
    taken_back = all(to.reply == CANCELLED for to in people)
    values = {
        "recipients": _packed(people),
        "undo": int(Undo.CANCELED if taken_back else Undo.FINAL),
        "changed": _next(conn, account),
    }
    mine = and_(_c.account == account, _c.id == one.id)
    conn.execute(update(table).where(mine).values(values))


def _fate(to: Followed, result: Result) -> Fate:
    if result.state is State.DELIVERED:
        return Fate.HERE if to.here else Fate.RELAYED
    return Fate.FAILED if result.state is State.FAILED else Fate.QUEUED


def _next(conn: Connection, account: AccountId) -> int:
    query = select(func.max(_c.changed)).where(_c.account == bindparam("of"))
    return int(conn.execute(query, {"of": account}).scalar() or 0) + 1


def _packed(people: Sequence[Followed]) -> str:
    return json.dumps([[to.address, to.here, int(to.fate), to.reply] for to in people])
