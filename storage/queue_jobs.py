"""The queue's statements, as functions of a Connection that run inside a job of the committer.

`insert_queued` is part of a delivery's own transaction; the others are jobs of their own that
QueueStore submits. Nothing here touches files: a row is inserted after its file is durable, and a
file is removed after its rows are gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from storage.queue_file import Envelope, QueueFile, envelope_of, file_name
from storage.queue_values import Claim, ClaimedRecipient, Destination, Result, State
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import Delivery, QueueId

_ROWS = 64
_OPEN = (int(State.WAITING), int(State.HELD))


@dataclass(frozen=True, slots=True)
class Recorded:
    """`applied`: positions whose result counted; `done`: the rows are gone, the file may go."""

    applied: frozenset[int]
    done: bool


def domain_of(address: str) -> str:
    """What recipients are grouped by: the domain in lower case, or the address literal."""
    return address.rpartition("@")[2].lower()


def insert_queued(conn: Connection, delivery: Delivery, queue: QueueId, size: int) -> None:
    """Rows for `delivery.queued`, whose file `queue_file.file_name(queue)` is durable already.

    `size` counts the octets of the message, prefix included.
    """
    insert_envelope(conn, envelope_of(delivery, queue), size)


def insert_file(conn: Connection, file: QueueFile) -> None:
    """Rows for a file found without them (repair); finished recipients stay finished."""
    envelope = file.envelope
    insert_envelope(conn, envelope, file.size, finished=file.finished, held=file.held)


def insert_envelope(
    conn: Connection,
    envelope: Envelope,
    size: int,
    *,
    finished: frozenset[int] = frozenset(),
    held: bool | None = None,
) -> None:
    """One message row and its recipients', due at once."""
    is_held = envelope.held if held is None else held
    conn.execute(insert(message).values(_message_row(envelope, size, is_held)))
    waiting = State.HELD if is_held else State.WAITING
    rows = [
        {
            "queue": envelope.id,
            "position": position,
            "address": entry.address,
            "domain": domain_of(entry.address),
            "notify": entry.notify,
            "orcpt": entry.orcpt,
            "state": int(State.DELIVERED if position in finished else waiting),
            "next_attempt": envelope.queued_at,
        }
        for position, entry in enumerate(envelope.recipients)
    ]
    for start in range(0, len(rows), _ROWS):
        conn.execute(insert(recipient).values(rows[start : start + _ROWS]))


def _message_row(envelope: Envelope, size: int, held: bool) -> dict[str, object]:
    return {
        "id": envelope.id,
        "account": envelope.account,
        "sender": envelope.sender,
        "trace": envelope.trace,
        "envid": envelope.envid,
        "ret": envelope.ret,
        "smtputf8": envelope.smtputf8,
        "eightbit": envelope.eightbit,
        "held": held,
        "size": size,
        "queued_at": envelope.queued_at,
        "path": file_name(envelope.id),
    }


def _free(now: float) -> ColumnElement[bool]:
    return or_(recipient.c.lease_until.is_(None), recipient.c.lease_until <= now)


def destinations(conn: Connection, now: float, limit: int) -> list[Destination]:
    """Domains with due recipients, the longest waiting first."""
    rows = conn.execute(
        select(recipient.c.domain, func.count())
        .where(
            recipient.c.state == int(State.WAITING),
            recipient.c.next_attempt <= now,
            _free(now),
        )
        .group_by(recipient.c.domain)
        .order_by(func.min(recipient.c.next_attempt))
        .limit(limit)
    )
    return [Destination(domain, count) for domain, count in rows]


def next_due(conn: Connection, now: float) -> float | None:
    """When the next recipient that is not yet due becomes due."""
    found = conn.execute(
        select(func.min(recipient.c.next_attempt)).where(
            recipient.c.state == int(State.WAITING), recipient.c.next_attempt > now
        )
    ).scalar()
    return None if found is None else float(found)


def claim_due(
    conn: Connection,
    folder: Path,
    *,
    domain: str | None,
    now: float,
    until: float,
    owner: str,
    recipients: int,
) -> Claim | None:
    """Leases the longest waiting message of a domain (None: of any) with up to `recipients` of
    its due recipients there.
    """
    due = [recipient.c.state == int(State.WAITING), recipient.c.next_attempt <= now, _free(now)]
    if domain is not None:
        due.append(recipient.c.domain == domain)
    found = conn.execute(
        select(recipient.c.queue)
        .where(*due)
        .order_by(recipient.c.next_attempt, recipient.c.queue)
        .limit(1)
    ).scalar()
    if found is None:
        return None
    return _lease(conn, folder, QueueId(found), due, until, owner, recipients)


def claim_message(
    conn: Connection, folder: Path, queue: QueueId, *, now: float, until: float, owner: str
) -> Claim | None:
    """Leases all unfinished recipients of one message, held or not due as they may be.

    None when it is not in the queue, or some of it is leased to another.
    """
    unfinished = [recipient.c.state.in_(_OPEN)]
    leased = conn.execute(
        select(func.count()).where(recipient.c.queue == queue, *unfinished, ~_free(now))
    ).scalar()
    return None if leased else _lease(conn, folder, queue, unfinished, until, owner, None)


def _lease(
    conn: Connection,
    folder: Path,
    queue: QueueId,
    which: Iterable[ColumnElement[bool]],
    until: float,
    owner: str,
    limit: int | None,
) -> Claim | None:
    rows = conn.execute(
        select(recipient)
        .where(recipient.c.queue == queue, *which)
        .order_by(recipient.c.position)
        .limit(limit)
    ).all()
    head = conn.execute(select(message).where(message.c.id == queue)).first()
    if not rows or head is None:
        return None
    _set_lease(conn, queue, [row.position for row in rows], until, owner)
    return _claim(folder, owner, head, rows)


def _set_lease(
    conn: Connection, queue: QueueId, positions: Sequence[int], until: float, owner: str
) -> None:
    for start in range(0, len(positions), 500):
        conn.execute(
            update(recipient)
            .where(
                recipient.c.queue == queue,
                recipient.c.position.in_(positions[start : start + 500]),
            )
            .values(lease_until=until, lease_owner=owner)
        )


def _claim(folder: Path, owner: str, head: Row[Any], rows: Sequence[Row[Any]]) -> Claim:
    return Claim(
        queue=QueueId(head.id),
        owner=owner,
        path=folder / head.path,
        sender=head.sender,
        size=head.size,
        queued_at=head.queued_at,
        trace=head.trace,
        envid=head.envid,
        ret=head.ret,
        smtputf8=head.smtputf8,
        eightbit=head.eightbit,
        recipients=tuple(
            ClaimedRecipient(
                position=row.position,
                address=row.address,
                domain=row.domain,
                notify=row.notify,
                orcpt=row.orcpt,
                attempts=row.attempts,
                delay_noticed=row.delay_notice,
                last_reply=row.last_reply,
            )
            for row in rows
        ),
    )


def renew(conn: Connection, claim: Claim, until: float) -> bool:
    """Extends the lease; False when it is another's by now."""
    changed = conn.execute(
        update(recipient)
        .where(recipient.c.queue == claim.queue, recipient.c.lease_owner == claim.owner)
        .values(lease_until=until)
    )
    return changed.rowcount > 0


def give_back(conn: Connection, claim: Claim) -> None:
    """Ends the lease without counting an attempt."""
    conn.execute(
        update(recipient)
        .where(recipient.c.queue == claim.queue, recipient.c.lease_owner == claim.owner)
        .values(lease_until=None, lease_owner="")
    )


def recover(conn: Connection) -> int:
    """Ends every lease: at start no other process can hold one, since store.lock is ours."""
    return conn.execute(
        update(recipient)
        .where(recipient.c.lease_until.is_not(None))
        .values(lease_until=None, lease_owner="")
    ).rowcount


def record(conn: Connection, claim: Claim, results: Mapping[int, Result]) -> Recorded:
    """Takes the results of recipients that the claim still holds, and ends their lease.

    The message's rows go when its last recipient is finished.
    """
    held = conn.execute(
        select(recipient.c.position).where(
            recipient.c.queue == claim.queue,
            recipient.c.lease_owner == claim.owner,
            recipient.c.state.in_(_OPEN),
        )
    ).scalars()
    applied = frozenset(held) & results.keys()
    by_result: dict[Result, list[int]] = {}
    for position in applied:
        by_result.setdefault(results[position], []).append(position)
    for result, positions in by_result.items():
        _record_one(conn, claim, result, positions)
    return Recorded(applied, _sweep(conn, claim.queue))


def _record_one(conn: Connection, claim: Claim, result: Result, positions: Sequence[int]) -> None:
    values: dict[Any, Any] = {
        "attempts": recipient.c.attempts + 1,
        "last_reply": result.reply,
        "lease_until": None,
        "lease_owner": "",
    }
    if result.state is State.WAITING:
        values["next_attempt"] = result.next_attempt
        values["delay_notice"] = result.delay_noticed
    else:
        values["state"] = int(result.state)
    for start in range(0, len(positions), 500):
        conn.execute(
            update(recipient)
            .where(
                recipient.c.queue == claim.queue,
                recipient.c.position.in_(positions[start : start + 500]),
            )
            .values(values)
        )


def _sweep(conn: Connection, queue: QueueId) -> bool:
    left = conn.execute(
        select(func.count()).where(recipient.c.queue == queue, recipient.c.state.in_(_OPEN))
    ).scalar()
    if left:
        return False
    forget(conn, queue)
    return True


def forget(conn: Connection, queue: QueueId) -> None:
    """Deletes the rows of one message."""
    conn.execute(delete(recipient).where(recipient.c.queue == queue))
    conn.execute(delete(message).where(message.c.id == queue))
