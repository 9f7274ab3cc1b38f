"""What the operator sees of the queue, read in pieces of constant size.

Reads only, beside the committer: the queue can be looked at while nothing can be written.
"""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import bindparam, select, tuple_

from storage.database import Row
from storage.queue_scan import Read
from storage.queue_values import Listed, ListedRecipient, State, deliver_by_of, hold_of
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.statements import Query
from storage.values import AccountId, QueueId

_MESSAGES = 100
_RECIPIENTS = 500
_HEADS = Query(
    lambda _: (
        select(
            message.c.id,
            message.c.sender,
            message.c.size,
            message.c.queued_at,
            message.c.require_tls,
            message.c.hold_until,
            message.c.deliver_by,
            message.c.deliver_by_mode,
            message.c.deliver_by_trace,
            message.c.priority,
            message.c.account,
        )
        .where(message.c.id > bindparam("after"))
        .order_by(message.c.id)
        .limit(bindparam("most"))
    )
)
_PLACE = (recipient.c.queue, recipient.c.position)
_ROWS = Query(
    lambda _: (
        select(
            *_PLACE,
            recipient.c.address,
            recipient.c.state,
            recipient.c.attempts,
            recipient.c.next_attempt,
            recipient.c.last_reply,
            recipient.c.hold,
        )
        .where(
            tuple_(*_PLACE) > tuple_(bindparam("queue"), bindparam("position")),
            recipient.c.queue <= bindparam("last"),
        )
        .order_by(*_PLACE)
        .limit(bindparam("most"))
    )
)
_WAITING = Query(
    lambda _: (
        select(message.c.id)
        .where(message.c.trace == bindparam("trace"), message.c.hold_until.is_not(None))
        .limit(1)
    )
)


async def entries(read: Read) -> AsyncIterator[Listed]:
    """Every message in order of arrival."""
    after = 0
    while heads := await read(_HEADS, after=after, most=_MESSAGES):
        for entry in await _listed(read, heads):
            yield entry
        after = heads[-1][0]


async def show(read: Read, queue: QueueId) -> Listed | None:
    """One message, or None when it is not in the queue."""
    heads = await read(_HEADS, after=queue - 1, most=1)
    if not heads or heads[0][0] != queue:
        return None
    found = await _listed(read, heads)
    return found[0] if found else None


async def waiting(read: Read, trace: str) -> QueueId | None:
    """The message of this trace that waits for the time that its sender set, or None."""
    found = await read(_WAITING, trace=trace)
    return QueueId(found[0][0]) if found else None


async def _listed(read: Read, heads: Sequence[Row]) -> list[Listed]:
    """The messages of these rows, without those that have left the queue meanwhile."""
    recipients: dict[int, list[ListedRecipient]] = {head[0]: [] for head in heads}
    queue, position = heads[0][0], -1
    while rows := await read(
        _ROWS, queue=queue, position=position, last=heads[-1][0], most=_RECIPIENTS
    ):
        for row in rows:
            if row[0] in recipients:
                recipients[row[0]].append(_recipient(row))
        queue, position = rows[-1][:2]
    return [_entry(head, tuple(found)) for head in heads if (found := recipients[head[0]])]


def _entry(row: Row, recipients: tuple[ListedRecipient, ...]) -> Listed:
    queue, sender, size, queued_at, require_tls, hold_until, *by, priority, account = row
    states = {entry.state for entry in recipients}
    state = "held" if "held" in states else "queued" if "queued" in states else "deferred"
    return Listed(
        QueueId(queue),
        sender,
        state,
        size,
        queued_at,
        recipients,
        require_tls=bool(require_tls),
        hold_until=hold_until,
        deliver_by=deliver_by_of(by[0], by[1], bool(by[2])),
        priority=priority,
        account=None if account is None else AccountId(account),
    )


def _recipient(row: Row) -> ListedRecipient:
    _, _, address, number, attempts, next_attempt, last_reply, hold = row
    state = State(number)
    waits = state is State.WAITING
    name = ("deferred" if attempts else "queued") if waits else state.name.lower()
    return ListedRecipient(
        address,
        name,
        attempts,
        next_attempt if waits else None,
        last_reply,
        hold_of(hold) if state is State.HELD else None,
    )
