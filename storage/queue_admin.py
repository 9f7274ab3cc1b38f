"""What the operator asks of the queue: list, retry, hold, release; functions of a Connection.

Recipients that are leased are being sent: hold and retry leave their lease alone, and a hold takes
effect when their result is in.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, false, func, select, true, update
from sqlalchemy.sql import ColumnElement

from storage.queue_values import Listed, ListedRecipient, State
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import QueueId


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


def _listed(head: Row[Any], rows: Sequence[Row[Any]]) -> Listed:
    recipients = tuple(_recipient(row) for row in rows)
    states = {entry.state for entry in recipients}
    state = "held" if "held" in states else "queued" if "queued" in states else "deferred"
    return Listed(QueueId(head.id), head.sender, state, head.size, head.queued_at, recipients)


def _recipient(row: Row[Any]) -> ListedRecipient:
    state = State(row.state)
    waiting = state is State.WAITING
    name = ("deferred" if row.attempts else "queued") if waiting else state.name.lower()
    return ListedRecipient(
        row.address, name, row.attempts, row.next_attempt if waiting else None, row.last_reply
    )


def retry(conn: Connection, queue: QueueId | None, now: float) -> int:
    """Makes waiting recipients due; returns how many messages have some."""
    return _change(conn, queue, State.WAITING, next_attempt=now)


def hold(conn: Connection, queue: QueueId | None) -> list[QueueId]:
    """Keeps messages until they are released; returns those that are held by this call."""
    ids = _with_state(conn, queue, State.WAITING)
    _change(conn, queue, State.WAITING, state=int(State.HELD))
    _mark(conn, queue, held=True)
    return ids


def release(conn: Connection, queue: QueueId | None, now: float) -> list[QueueId]:
    """Ends a hold: due at once; returns the messages that were held."""
    ids = _with_state(conn, queue, State.HELD)
    _change(conn, queue, State.HELD, state=int(State.WAITING), next_attempt=now)
    _mark(conn, queue, held=False)
    return ids


def ids(conn: Connection) -> set[int]:
    """Every message of the queue."""
    return set(conn.execute(select(message.c.id)).scalars())


def _where(queue: QueueId | None, state: State) -> Iterator[ColumnElement[bool]]:
    yield recipient.c.state == int(state)
    if queue is not None:
        yield recipient.c.queue == queue


def _with_state(conn: Connection, queue: QueueId | None, state: State) -> list[QueueId]:
    found = select(recipient.c.queue).where(*_where(queue, state)).distinct()
    return [QueueId(value) for value in conn.execute(found).scalars()]


def _change(conn: Connection, queue: QueueId | None, of: State, **values: object) -> int:
    counted = select(func.count(recipient.c.queue.distinct())).where(*_where(queue, of))
    count = conn.execute(counted).scalar() or 0
    conn.execute(update(recipient).where(*_where(queue, of)).values(**values))
    return count


def _mark(conn: Connection, queue: QueueId | None, *, held: bool) -> None:
    changed = update(message).values(held=true() if held else false())
    conn.execute(changed if queue is None else changed.where(message.c.id == queue))
