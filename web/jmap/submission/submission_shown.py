"""EmailSubmission objects as clients get them (RFC 8621 §7), and their ids. Pure."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from storage.object_ids import email_number, thread_number
from storage.submission_values import Fate, Followed, Submission, Undo
from storage.values import QueueId

Object = dict[str, Any]
_UNDO: Final = {Undo.PENDING: "pending", Undo.FINAL: "final", Undo.CANCELED: "canceled"}
_DELIVERED: Final = {
    Fate.QUEUED: "queued",
    Fate.HERE: "yes",
    Fate.RELAYED: "unknown",
    Fate.FAILED: "no",
}
_REPLY: Final = re.compile(r"(?:^|: )([245]\d\d[ -].*)", re.DOTALL)
_TAKEN: Final = "250 2.1.5 Recipient OK"


def shown(one: Submission, thread: int, now: float) -> Object:
    """All properties but the id. Reports that come back are not matched with what was sent, so that
    no blobs of them are told.
    """
    return {
        "identityId": one.identity,
        "emailId": email_number(one.email),
        "threadId": thread_number(thread),
        "envelope": _envelope(one),
        "sendAt": _utc(one.send_at),
        "undoStatus": _UNDO[one.undo_at(now)],
        "deliveryStatus": {to.address: _status(to) for to in one.recipients},
        "dsnBlobIds": [],
        "mdnBlobIds": [],
    }


def submission_number(id_: QueueId) -> str:
    """`S` and the number of the queue."""
    return f"S{id_:x}"


def submission_of(value: str) -> QueueId | None:
    """None for what this server never gave."""
    try:
        number = int(value[1:], 16)
    except ValueError:
        return None
    return QueueId(number) if f"S{number:x}" == value and 0 < number < 1 << 63 else None


def _status(to: Followed) -> Object:
    delivered = _DELIVERED[to.fate]
    return {"smtpReply": _reply(to), "delivered": delivered, "displayed": "unknown"}


def _reply(to: Followed) -> str:
    """That of a server, without its name; what is none, as one."""
    if not to.reply:
        return _TAKEN
    if (found := _REPLY.search(to.reply)) is not None:
        return found[1]
    code = {Fate.QUEUED: "451 4.4.0", Fate.FAILED: "554 5.4.0"}.get(to.fate, "250 2.0.0")
    return f"{code} {to.reply}"


def _envelope(one: Submission) -> Object:
    found = orjson.loads(one.envelope)
    return {name: found[name] for name in ("mailFrom", "rcptTo")}


def mail_from(one: Submission) -> str:
    """The envelope's sender."""
    return str(orjson.loads(one.envelope)["mailFrom"]["email"])


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
