"""What the operator asks of the queue: list, retry, hold, release; functions of a Connection.

What concerns all of the queue goes in spans, so that no job keeps the writer for long. Recipients
that are leased are being sent: hold and retry leave their lease alone, and a hold takes
effect when their result is in.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, exists, false, select, true, update
from sqlalchemy.sql import ColumnElement

from storage.queue_values import Listed, ListedRecipient, State, deliver_by_of, hold_of
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import AccountId, QueueId

_HOLD_UNTIL = (
    select(message.c.hold_until).where(message.c.id == recipient.c.queue).scalar_subquery()
)

Span = tuple[int, int]
"""First and last id of the messages that one job works on."""


def listed(conn: Connection, after: int, limit: int) -> list[Listed]:
    """Up to `limit` messages with ids above `after`, in order of arrival."""
    heads = conn.execute(
        select(message).where(message.c.id > after).order_by(message.c.id).limit(limit)
    ).all()
    if not heads:
        return []
    rows = conn.execute(
        select(recipient)
        .where(recipient.c.queue >= heads[0].id, recipient.c.queue <= heads[-1].id)
        .order_by(recipient.c.queue, recipient.c.position)
    )
    by_queue = {queue: list(group) for queue, group in groupby(rows, key=lambda row: row.queue)}
    return [_listed(head, by_queue.get(head.id, [])) for head in heads]


def show(conn: Connection, queue: QueueId) -> Listed | None:
    """One message, or None when it is not in the queue."""
    head = conn.execute(select(message).where(message.c.id == queue)).first()
    if head is None:
        return None
    rows = conn.execute(
        select(recipient).where(recipient.c.queue == queue).order_by(recipient.c.position)
    ).all()
    return _listed(head, rows)


def waiting(conn: Connection, trace: str) -> QueueId | None:
    """The message of this trace that waits for the time that its sender set, or None."""
    which = (message.c.trace == trace, message.c.hold_until.is_not(None))
    found = conn.execute(select(message.c.id).where(*which).limit(1)).scalar()
    return None if found is None else QueueId(found)


def _listed(head: Row[Any], rows: Sequence[Row[Any]]) -> Listed:
    recipients = tuple(_recipient(row) for row in rows)
    states = {entry.state for entry in recipients}
    state = "held" if "held" in states else "queued" if "queued" in states else "deferred"
    return Listed(
        QueueId(head.id),
        head.sender,
        state,
        head.size,
        head.queued_at,
        recipients,
        require_tls=head.require_tls,
        hold_until=head.hold_until,
        deliver_by=deliver_by_of(head.deliver_by, head.deliver_by_mode, head.deliver_by_trace),
        priority=head.priority,
        account=None if head.account is None else AccountId(head.account),
    )


def _recipient(row: Row[Any]) -> ListedRecipient:
    state = State(row.state)
    waiting = state is State.WAITING
    name = ("deferred" if row.attempts else "queued") if waiting else state.name.lower()
    return ListedRecipient(
        row.address,
        name,
        row.attempts,
        row.next_attempt if waiting else None,
        row.last_reply,
        hold_of(row.hold) if state is State.HELD else None,
    )


def span(conn: Connection, after: int, limit: int) -> Span | None:
    """The next up to `limit` messages with ids above `after`, as their first and last id."""
    found = conn.execute(
        select(message.c.id).where(message.c.id > after).order_by(message.c.id).limit(limit)
    ).scalars()
    ids = list(found)
    return (ids[0], ids[-1]) if ids else None


def retry(conn: Connection, span: Span, now: float, early: bool = False) -> list[QueueId]:
    """Makes waiting recipients due; returns the messages that have some. Those of messages that
    are to be released later (RFC 4865) only when `early`.
    """
    asked = () if early else (~_later(now),)
    return _change(conn, span, State.WAITING, *asked, next_attempt=now)


def hold(conn: Connection, span: Span, why: str = "") -> list[QueueId]:
    """Keeps messages until they are released; returns those that are held by this call. `why` is a
    packed Hold.
    """
    changed = _change(conn, span, State.WAITING, state=int(State.HELD), hold=why)
    _mark(conn, span, held=True)
    return changed


def release(conn: Connection, span: Span, now: float) -> list[QueueId]:
    """Ends a hold: due at once, or at the time that the sender asked for; returns the messages
    that were held.
    """
    waiting = int(State.WAITING)
    free = {"state": waiting, "hold": ""}
    later = _change(conn, span, State.HELD, _later(now), **free, next_attempt=_HOLD_UNTIL)
    at_once = _change(conn, span, State.HELD, **free, next_attempt=now)
    _mark(conn, span, held=False)
    return sorted({*later, *at_once})


def ids(conn: Connection) -> set[int]:
    """Every message of the queue."""
    return set(conn.execute(select(message.c.id)).scalars())


def _later(now: float) -> ColumnElement[bool]:
    return exists().where(message.c.id == recipient.c.queue, message.c.hold_until > now)


def _change(
    conn: Connection, span: Span, of: State, *which: ColumnElement[bool], **values: object
) -> list[QueueId]:
    where = (recipient.c.queue.between(*span), recipient.c.state == int(of), *which)
    changed = conn.execute(select(recipient.c.queue).where(*where).distinct()).scalars().all()
    conn.execute(update(recipient).where(*where).values(**values))
    return [QueueId(queue) for queue in changed]


def _mark(conn: Connection, span: Span, *, held: bool) -> None:
    conn.execute(
        update(message).where(message.c.id.between(*span)).values(held=true() if held else false())
    )
