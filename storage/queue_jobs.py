"""How rows come into the queue: functions of a Connection inside committer jobs.

`queued_rows` are part of a delivery's own transaction. Nothing here touches files: a row is
inserted after its file is durable. Claims and results are queue_batch.py.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from storage.queue_file import Envelope, QueueFile, file_name
from storage.queue_values import Claim, State, lane_name, packed_hold
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.statements import MultiRow

_MESSAGES, _RECIPIENTS = MultiRow(message), MultiRow(recipient)
_OF_MESSAGE = tuple(column.name for column in message.c)
_OF_RECIPIENT = tuple(column.name for column in recipient.c)
Rows = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""Of a message and of its recipients, all columns in order."""
_FRESH: dict[str, object] = {
    "attempts": 0,
    "last_reply": "",
    "delay_notice": False,
}
"""Of a recipient that nobody has tried."""


def domain_of(address: str) -> str:
    """What recipients are grouped by: the domain in lower case, or the address literal."""
    return address.rpartition("@")[2].lower()


def lane_of(envelope: Envelope) -> str:
    """See lane_name."""
    return lane_name(envelope.sender, envelope.account, envelope.priority)


def queued_rows(envelope: Envelope, size: int, at: float, claim: Claim | None = None) -> Rows:
    """Rows for an envelope, whose file `queue_file.file_name(envelope.id)` is durable already.

    `size` counts the octets of the message, prefix included; `at` is the time of the transaction:
    whoever walks along the times of the queue must not have passed it. `claim` is by whom the rows
    are leased from the beginning.
    """
    return _rows(envelope, size, at=at, claim=claim)


def insert_file(conn: Connection, file: QueueFile) -> None:
    """Rows for a file found without them (repair); finished recipients stay finished."""
    envelope = file.envelope
    if file.released:
        free = tuple(replace(one, hold=None) for one in envelope.recipients)
        envelope = replace(envelope, recipients=free)
    insert(conn, _rows(envelope, file.size, finished=file.finished, held=file.held))


def insert(conn: Connection, rows: Rows) -> None:
    """Those of one message."""
    _MESSAGES.run(conn, [rows[0]])
    _RECIPIENTS.run(conn, rows[1])


def _rows(
    envelope: Envelope,
    size: int,
    *,
    finished: frozenset[int] = frozenset(),
    held: bool | None = None,
    at: float = 0.0,
    claim: Claim | None = None,
) -> Rows:
    """One message row and its recipients', due at once or when it is to be released."""
    is_held = envelope.held if held is None else held
    head = _message_row(envelope, size, is_held)
    due = max(envelope.queued_at, envelope.hold_until or 0.0, at)
    lane = lane_of(envelope)
    rows = [
        {
            **_FRESH,
            "queue": envelope.id,
            "position": position,
            "address": entry.address,
            "domain": domain_of(entry.address),
            "notify": entry.notify,
            "orcpt": entry.orcpt,
            "state": int(_state(position in finished, is_held or entry.hold is not None)),
            "next_attempt": due,
            "lane": lane,
            "lease_until": None if claim is None else claim.leased_until,
            "lease_owner": "" if claim is None else claim.owner,
            "hold": packed_hold(entry.hold),
        }
        for position, entry in enumerate(envelope.recipients)
    ]
    return (
        tuple([head[name] for name in _OF_MESSAGE]),
        [tuple([row[name] for name in _OF_RECIPIENT]) for row in rows],
    )


def _state(finished: bool, held: bool) -> State:
    if finished:
        return State.DELIVERED
    return State.HELD if held else State.WAITING


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
