"""What the operator has done to the queue: retry, hold, release; functions of a Connection.

What concerns all of the queue goes in spans, so that no job keeps the writer for long. Recipients
that are leased are being sent: hold and retry leave their lease alone, and a hold takes
effect when their result is in.
"""

from sqlalchemy import Connection, exists, false, select, true, update
from sqlalchemy.sql import ColumnElement

from storage.queue_values import State
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.values import QueueId

_HOLD_UNTIL = (
    select(message.c.hold_until).where(message.c.id == recipient.c.queue).scalar_subquery()
)

Span = tuple[int, int]
"""First and last id of the messages that one job works on."""


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
