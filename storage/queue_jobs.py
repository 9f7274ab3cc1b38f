"""How rows come into the queue, and what is due: functions of a Connection inside committer jobs.

`insert_queued` is part of a delivery's own transaction. Nothing here touches files: a row is
inserted after its file is durable. Claims and results are queue_claims.py.
"""

from sqlalchemy import Connection, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from storage.queue_file import Envelope, QueueFile, envelope_of, file_name
from storage.queue_values import Destination, State
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import Delivery, QueueId

_ROWS = 64


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
    """One message row and its recipients', due at once or when it is to be released."""
    is_held = envelope.held if held is None else held
    conn.execute(insert(message).values(_message_row(envelope, size, is_held)))
    waiting = State.HELD if is_held else State.WAITING
    due = max(envelope.queued_at, envelope.hold_until or 0.0)
    rows = [
        {
            "queue": envelope.id,
            "position": position,
            "address": entry.address,
            "domain": domain_of(entry.address),
            "notify": entry.notify,
            "orcpt": entry.orcpt,
            "state": int(State.DELIVERED if position in finished else waiting),
            "next_attempt": due,
        }
        for position, entry in enumerate(envelope.recipients)
    ]
    for start in range(0, len(rows), _ROWS):
        conn.execute(insert(recipient).values(rows[start : start + _ROWS]))


def _message_row(envelope: Envelope, size: int, held: bool) -> dict[str, object]:
    by = envelope.deliver_by
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
        "require_tls": envelope.require_tls,
        "hold_until": envelope.hold_until,
        "deliver_by": None if by is None else by.at,
        "deliver_by_mode": "" if by is None else by.mode,
        "deliver_by_trace": by is not None and by.trace,
        "priority": envelope.priority,
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


def recover(conn: Connection) -> int:
    """Ends every lease: at start no other process can hold one, since store.lock is ours."""
    return conn.execute(
        update(recipient)
        .where(recipient.c.lease_until.is_not(None))
        .values(lease_until=None, lease_owner="")
    ).rowcount
