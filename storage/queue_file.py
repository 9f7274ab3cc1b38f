"""The files of data/queue: one outbound message each, complete enough to rebuild the queue's rows.

Layout: the line `mailserver-queue 1 E M`, E octets of JSON (the envelope, ending with LF), M octets
of message, then the log: one JSON line for each recipient that is finished and for each hold and
release. The message's bytes never change; the log is written before the rows change, without a
flush: it is read after a kill, for what was leased, and when the index is lost. A torn last line of
the log is ignored.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.queue_values import hold_of, packed_hold
from storage.values import AccountId, DeliverBy, Delivery, QueuedRecipient, QueueId

_MAGIC = b"mailserver-queue 1 "
_MAX_FIRST_LINE = 80
_MAX_ENVELOPE = 256 * 1024 * 1024
_MAX_LOG = 64 * 1024 * 1024


class QueueFileDamaged(Exception):
    """The file does not begin with a whole envelope, or its message is cut short."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the queue must know of one message beside its bytes. `queued_at` is Unix seconds."""

    id: QueueId
    sender: str
    queued_at: float
    recipients: tuple[QueuedRecipient, ...]
    trace: str = ""
    envid: str = ""
    ret: str = ""
    smtputf8: bool = False
    eightbit: bool = False
    held: bool = False
    account: AccountId | None = None
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class QueueFile:
    """A parsed file: the message stands at `offset` for `size` octets; `held` after the log.

    `finished` holds the positions of recipients that need nothing more. `released`: the log ends a
    hold, also that of single recipients.
    """

    envelope: Envelope
    offset: int
    size: int
    finished: frozenset[int]
    held: bool
    released: bool = False


def file_name(queue: QueueId) -> str:
    """The name in data/queue."""
    return f"{queue}.msg"


def envelope_of(delivery: Delivery, queue: QueueId) -> Envelope:
    """The envelope of a delivery's queued recipients, in their order."""
    return Envelope(
        id=queue,
        sender=delivery.sender,
        queued_at=delivery.received_at,
        recipients=tuple(delivery.queued),
        trace=delivery.trace,
        envid=delivery.envid,
        ret=delivery.ret,
        smtputf8=delivery.smtputf8,
        eightbit=delivery.eightbit,
        held=delivery.held,
        account=delivery.account,
        require_tls=delivery.require_tls,
        hold_until=delivery.hold_until,
        deliver_by=delivery.deliver_by,
        priority=delivery.priority,
    )


def head(envelope: Envelope, size: int) -> bytes:
    """What a file begins with; `size` octets of message (prefix included) follow at once."""
    values = {name: getattr(envelope, name) for name in envelope.__slots__ if name != "recipients"}
    values["recipients"] = [_packed(one) for one in envelope.recipients]
    by = envelope.deliver_by
    values["deliver_by"] = None if by is None else [by.at, by.mode, by.trace]
    packed = json.dumps(values).encode() + b"\n"
    return b"%s%d %d\n%s" % (_MAGIC, len(packed), size, packed)


def _packed(one: QueuedRecipient) -> list[str]:
    hold = (packed_hold(one.hold),) if one.hold is not None else ()
    return [one.address, one.notify, one.orcpt, *hold]


def finished_lines(results: Mapping[int, str], at: float) -> bytes:
    """Log lines for recipients (by position) that are finished, with their last reply."""
    return b"".join(
        json.dumps({"at": round(at, 3), "finished": position, "reply": reply}).encode() + b"\n"
        for position, reply in results.items()
    )


def held_line(held: bool, at: float) -> bytes:
    """The log line of a hold or a release."""
    return json.dumps({"at": round(at, 3), "held": held}).encode() + b"\n"


def append_log(path: Path, lines: bytes) -> None:
    """Adds lines in one write; a file that is gone is not made again. Blocks on the disk.

    A leading LF keeps them apart from a line that a power loss cut short.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.write(descriptor, b"\n" + lines)
    finally:
        os.close(descriptor)


def message_offset(path: Path) -> tuple[int, int]:
    """Where the message begins and its size, from the first line alone. Blocks on the disk.

    Raises QueueFileDamaged, FileNotFoundError.
    """
    with path.open("rb") as file:
        line, envelope, size = _first_line(file.read(_MAX_FIRST_LINE), path)
    return line + envelope, size


def read_queue_file(path: Path) -> QueueFile:
    """The whole file but its message. Blocks. Raises QueueFileDamaged, FileNotFoundError."""
    with path.open("rb") as file:
        line, length, size = _first_line(file.read(_MAX_FIRST_LINE), path)
        if length > _MAX_ENVELOPE or os.fstat(file.fileno()).st_size < line + length + size:
            raise QueueFileDamaged(f"{path.name}: shorter than its first line says")
        file.seek(line)
        envelope = _envelope(file.read(length), path)
        file.seek(line + length + size)
        finished, held = _log(file.read(_MAX_LOG).split(b"\n"))
    known = frozenset(n for n in finished if 0 <= n < len(envelope.recipients))
    kept = envelope.held if held is None else held
    return QueueFile(envelope, line + length, size, known, kept, released=held is False)


def _first_line(start: bytes, path: Path) -> tuple[int, int, int]:
    line, newline, _ = start.partition(b"\n")
    numbers = line.removeprefix(_MAGIC).split(b" ")
    if not newline or not line.startswith(_MAGIC) or len(numbers) != 2:
        raise QueueFileDamaged(f"{path.name}: not a queue file")
    try:
        return len(line) + 1, int(numbers[0]), int(numbers[1])
    except ValueError:
        raise QueueFileDamaged(f"{path.name}: not a queue file") from None


def _envelope(packed: bytes, path: Path) -> Envelope:
    try:
        values = json.loads(packed)
        recipients = tuple(_recipient(*entry) for entry in values.pop("recipients"))
        by = values.pop("deliver_by", None)  # files of older versions have none
        deliver_by = None if by is None else DeliverBy(*by)
        return Envelope(recipients=recipients, deliver_by=deliver_by, **values)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise QueueFileDamaged(f"{path.name}: the envelope can't be read") from None


def _recipient(address: str, notify: str, orcpt: str, hold: str = "") -> QueuedRecipient:
    return QueuedRecipient(address, notify, orcpt, hold_of(hold))


def _log(lines: Iterable[bytes]) -> tuple[set[int], bool | None]:
    finished: set[int] = set()
    held: bool | None = None
    for line in lines:
        try:
            entry = json.loads(line) if line else {}
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        if isinstance(entry.get("finished"), int):
            finished.add(entry["finished"])
        if isinstance(entry.get("held"), bool):
            held = entry["held"]
    return finished, held
