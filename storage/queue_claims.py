"""Claims and their results, as functions of a Connection: the hot part of the queue's SQL.

Statements are built once, and a message that is delivered at the first attempt costs seven of them
from claim to end. A result is taken from the holder of the newest lease only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, or_, select, update

from storage.queue_values import Claim, ClaimedRecipient, Result, State, deliver_by_of
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import AccountId, QueueId

_PIECE = 500
_OPEN = recipient.c.state.in_((int(State.WAITING), int(State.HELD)))
_FREE = or_(recipient.c.lease_until.is_(None), recipient.c.lease_until <= bindparam("at"))
_DUE = (
    recipient.c.state == int(State.WAITING),
    recipient.c.next_attempt <= bindparam("at"),
    _FREE,
)
_THERE = recipient.c.domain == bindparam("there")
_OF = recipient.c.queue == bindparam("of")
_SOME = recipient.c.position.in_(bindparam("some", expanding=True))

_FIRST = (
    select(recipient.c.queue)
    .where(*_DUE)
    .order_by(recipient.c.next_attempt, recipient.c.queue)
    .limit(1)
)
_FIRST_THERE = _FIRST.where(_THERE)
_ROWS = (
    select(recipient, *(column.label(f"of_{column.name}") for column in message.c))
    .join(message, message.c.id == recipient.c.queue)
    .where(_OF)
    .order_by(recipient.c.position)
)
_TAKE = _ROWS.where(*_DUE).limit(bindparam("most"))
_TAKE_THERE = _TAKE.where(_THERE)
_TAKE_ALL = _ROWS.where(_OPEN)
_LEASE = (
    update(recipient)
    .where(_OF, _SOME)
    .values(lease_until=bindparam("until"), lease_owner=bindparam("owner"))
)
_LEFT = select(recipient.c.position, recipient.c.lease_owner).where(_OF, _OPEN)
_ENDED = {"attempts": recipient.c.attempts + 1, "lease_until": None, "lease_owner": ""}
_FINISH = (
    update(recipient)
    .where(_OF, _SOME)
    .values(**_ENDED, last_reply=bindparam("reply"), state=bindparam("as_state"))
)
_POSTPONE = (
    update(recipient)
    .where(_OF, _SOME)
    .values(
        **_ENDED,
        last_reply=bindparam("reply"),
        next_attempt=bindparam("next"),
        delay_notice=bindparam("noticed"),
    )
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


def claim_due(
    conn: Connection, lease: Lease, *, domain: str | None, recipients: int
) -> Claim | None:
    """Leases the longest waiting message of a domain (None: of any) with up to `recipients` of
    its due recipients there.
    """
    wanted: dict[str, Any] = {"at": lease.now}
    if domain is not None:
        wanted["there"] = domain
    first = conn.execute(_FIRST if domain is None else _FIRST_THERE, wanted).scalar()
    if first is None:
        return None
    wanted |= {"of": first, "most": recipients}
    return _take(conn, lease, conn.execute(_TAKE if domain is None else _TAKE_THERE, wanted).all())


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
    return _claim(lease, rows)


def _claim(lease: Lease, rows: Sequence[Row[Any]]) -> Claim:
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
        smtputf8=head.of_smtputf8,
        eightbit=head.of_eightbit,
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
        require_tls=head.of_require_tls,
        hold_until=head.of_hold_until,
        deliver_by=deliver_by_of(
            head.of_deliver_by, head.of_deliver_by_mode, head.of_deliver_by_trace
        ),
        priority=head.of_priority,
        account=None if head.of_account is None else AccountId(head.of_account),
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


def record(conn: Connection, claim: Claim, results: Mapping[int, Result]) -> Recorded:
    """Takes the results of recipients that the claim still holds, and ends their lease.

    The message's rows go when its last recipient is finished.
    """
    left = conn.execute(_LEFT, {"of": claim.queue}).all()
    held = {row.position for row in left if row.lease_owner == claim.owner}
    applied = frozenset(held & results.keys())
    if len(applied) == len(left) and all(
        results[position].state is not State.WAITING for position in applied
    ):
        forget(conn, claim.queue)
        return Recorded(applied, True)
    by_result: dict[Result, list[int]] = {}
    for position in applied:
        by_result.setdefault(results[position], []).append(position)
    for result, positions in by_result.items():
        for start in range(0, len(positions), _PIECE):
            _record(conn, claim.queue, result, positions[start : start + _PIECE])
    return Recorded(applied, False)


def _record(conn: Connection, queue: QueueId, result: Result, some: Sequence[int]) -> None:
    values: dict[str, Any] = {"of": queue, "some": some, "reply": result.reply}
    if result.state is State.WAITING:
        values |= {"next": result.next_attempt, "noticed": result.delay_noticed}
        conn.execute(_POSTPONE, values)
    else:
        conn.execute(_FINISH, values | {"as_state": int(result.state)})


def forget(conn: Connection, queue: QueueId) -> None:
    """Deletes the rows of one message."""
    conn.execute(_FORGET_RECIPIENTS, {"of": queue})
    conn.execute(_FORGET_MESSAGE, {"of": queue})
