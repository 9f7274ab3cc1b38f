"""Operations on the outbound queue: list, show, retry, hold, release, cancel.

They work the same with and without a serving process; the serving one wakes by the store's event.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from filters.cancelling import NotCancelled, cancel
from mailserver.operations.errors import Missing, OperationError
from mailserver.operations.queue_shape import selected
from mailserver.services import Services
from storage.queue_values import Listed, ListedRecipient
from storage.values import Hold, QueueId

Args = Mapping[str, Any]


async def queue_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Every message that waits, in order of arrival. Args: sender, recipient, domain, account,
    state, or none of them.
    """
    return [_shown(entry) async for entry in selected(services, args)]


async def queue_show(services: Services, args: Args) -> dict[str, Any]:
    """One message. Args: id."""
    return _shown(await _entry(services, queue_id(args)))


async def queue_retry(services: Services, args: Args) -> dict[str, int]:
    """Tries one message or all again at once. Args: id or none. {messages}."""
    queue = await _optional(services, args)
    return {"messages": await services.store.queue.retry(queue)}


async def queue_hold(services: Services, args: Args) -> dict[str, int]:
    """Keeps one message or all until released. Args: id or none, by. {messages}."""
    queue = await _optional(services, args)
    return {"messages": await services.store.queue.hold(queue, str(args.get("by") or ""))}


async def queue_release(services: Services, args: Args) -> dict[str, int]:
    """Ends a hold. Args: id or none. {messages}."""
    queue = await _optional(services, args)
    return {"messages": await services.store.queue.release(queue)}


async def queue_cancel(services: Services, args: Args) -> dict[str, int]:
    """Takes a message back that waits for the time its sender set. Args: id, of the queue or of the
    reply to the submission; account, whose message it must be, or none. {messages, recipients}.
    """
    queue, text = services.store.queue, str(args.get("id", ""))
    owner = None
    if args.get("account"):
        account = await services.directory.account(args["account"])
        if account is None:
            raise OperationError(f"There is no account {args['account']}")
        owner = account.id
    found = None
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        entry = await queue.show(QueueId(int(text)))
        found = entry.id if entry is not None else None
    if found is None:
        found = await queue.waiting(text)
    if found is None:
        raise Missing(f"message {text}: it is not in the queue: sent, or never there")
    try:
        recipients = await cancel(queue, services.clock, found, owner)
    except NotCancelled as error:
        raise OperationError(f"message {text}: {error}") from error
    return {"messages": 1, "recipients": recipients}


async def find_entry(services: Services, args: Args) -> Listed:
    """The message that args name by `id`. Raises OperationError."""
    return await _entry(services, queue_id(args))


async def _entry(services: Services, queue: QueueId) -> Listed:
    entry = await services.store.queue.show(queue)
    if entry is None:
        raise Missing(f"no message {queue} in the queue; see: mailserver queue list")
    return entry


async def _optional(services: Services, args: Args) -> QueueId | None:
    """The id of a message that is there; None when all are meant."""
    if args.get("id") is None:
        return None
    return (await _entry(services, queue_id(args))).id


def queue_id(args: Args) -> QueueId:
    """The id that args name. Raises OperationError for a text that is none."""
    text = str(args.get("id", ""))
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise OperationError(f"{text!r} is not a queue id; see: mailserver queue list")
    return QueueId(int(text))


def _shown(entry: Listed) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "sender": entry.sender,
        "state": entry.state,
        "size": entry.size,
        "queued_at": rfc3339(entry.queued_at),
        "hold_until": _time(entry.hold_until),
        "deliver_by": _time(entry.deliver_by.at if entry.deliver_by else None),
        "priority": entry.priority,
        "require_tls": entry.require_tls,
        "recipients": [_shown_recipient(recipient) for recipient in entry.recipients],
    }


def _shown_recipient(recipient: ListedRecipient) -> dict[str, Any]:
    return {
        "address": recipient.address,
        "state": recipient.state,
        "attempts": recipient.attempts,
        "next_attempt": _time(recipient.next_attempt),
        "last_reply": recipient.last_reply,
        "hold": _shown_hold(recipient.hold),
    }


def _shown_hold(hold: Hold | None) -> dict[str, Any] | None:
    """Null where a recipient is not on hold, or nobody knows why."""
    if hold is None:
        return None
    return {"rule": hold.rule, "by": hold.by, "at": rfc3339(hold.at), "reason": hold.reason}


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
