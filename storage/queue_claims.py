"""One message claimed whole, what a claim is made of, and how rows end: functions of a Connection.

Claims and results in numbers are storage/queue_batch.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from storage.queue_values import Claim, ClaimedRecipient, State, deliver_by_of
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import AccountId, QueueId

_PIECE = 500
_OF = recipient.c.queue == bindparam("of")
_SOME = recipient.c.position.in_(bindparam("some", expanding=True))
_TAKE_ALL = (
    select(recipient, *(column.label(f"of_{column.name}") for column in message.c))
    .join(message, message.c.id == recipient.c.queue)
    .where(_OF, recipient.c.state.in_((int(State.WAITING), int(State.HELD))))
    .order_by(recipient.c.position)
)
_LEASE = (
    update(recipient)
    .where(_OF, _SOME)
    .values(lease_until=bindparam("until"), lease_owner=bindparam("owner"))
)
_FORGET_RECIPIENTS = delete(recipient).where(_OF)
_FORGET_MESSAGE = delete(message).where(message.c.id == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """`applied`: positions whose result counted; `done`: the rows are gone, the file may go."""

    applied: frozenset[int]
    done: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """Who takes a claim, from when and until when (Unix seconds); `folder` is data/queue."""

    folder: Path
    owner: str
    now: float
    until: float


def claim_message(conn: Connection, lease: Lease, queue: QueueId) -> Claim | None:
    """Leases all unfinished recipients of one message, held or not due as they may be.

    None when it is not in the queue, or some of it is leased to another.
    """
    rows = conn.execute(_TAKE_ALL, {"of": queue}).all()
    if any(row.lease_until is not None and row.lease_until > lease.now for row in rows):
        return None
    return _take(conn, lease, rows)


def _take(conn: Connection, lease: Lease, rows: Sequence[Row[Any]]) -> Claim | None:
    if not rows:
        return None
    positions = [row.position for row in rows]
    for start in range(0, len(positions), _PIECE):
        conn.execute(
            _LEASE,
            {
                "of": rows[0].queue,
                "some": positions[start : start + _PIECE],
                "until": lease.until,
                "owner": lease.owner,
            },
        )
    return claim_of(lease, rows)


def claim_of(lease: Lease, rows: Sequence[Any]) -> Claim:
    """Rows of recipients of one message, each with the message's columns as `of_...`."""
    head = rows[0]
    return Claim(
        queue=QueueId(head.of_id),
        owner=lease.owner,
        path=lease.folder / head.of_path,
        sender=head.of_sender,
        size=head.of_size,
        queued_at=head.of_queued_at,
        trace=head.of_trace,
        envid=head.of_envid,
        ret=head.of_ret,
        smtputf8=bool(head.of_smtputf8),
        eightbit=bool(head.of_eightbit),
        recipients=tuple(
            ClaimedRecipient(
                position=row.position,
                address=row.address,
                domain=row.domain,
                notify=row.notify,
                orcpt=row.orcpt,
                attempts=row.attempts,
                delay_noticed=bool(row.delay_notice),
                last_reply=row.last_reply,
            )
            for row in rows
        ),
        require_tls=bool(head.of_require_tls),
        hold_until=head.of_hold_until,
        deliver_by=deliver_by_of(
            head.of_deliver_by, head.of_deliver_by_mode, bool(head.of_deliver_by_trace)
        ),
        priority=head.of_priority,
        account=None if head.of_account is None else AccountId(head.of_account),
    )


def forget(conn: Connection, queue: QueueId) -> None:
    """Deletes the rows of one message."""
    conn.execute(_FORGET_RECIPIENTS, {"of": queue})
    conn.execute(_FORGET_MESSAGE, {"of": queue})
