"""Operations on messages in quarantine: list, show, release, delete. They work the same with and
without a serving process.
"""

from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from config.clock import rfc3339
from config.logging import get_logger
from filters.delivery import Delivery
from filters.explain_words import visible
from filters.forwarding import Forwarding
from filters.record import Recorder
from filters.releasing import Releasing, Shown
from filters.spam.extract import extract
from mailserver.operations.errors import Missing
from mailserver.services import Services
from storage.quarantine_file import Kept
from storage.spam_changes import key_of
from storage.spam_values import NOTHING, Label, Lesson
from storage.values import AccountId

Args = Mapping[str, Any]
_TEXT = 20_000
_LINKS = 50
_LISTED = 100_000


async def quarantine_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """The newest messages that are kept, the oldest of them first. Args: limit; account, to whom
    they must be, or none.
    """
    limit = min(int(args.get("limit") or 1_000), _LISTED)
    found = await _releasing(services).listed(limit, await _account(services, args))
    return [_shown(kept) for kept in found]


async def quarantine_show(services: Services, args: Args) -> dict[str, Any]:
    """One message, safe to look at: header, text, links and attachments. Args: id, account."""
    account = await _account(services, args)
    return _whole(await _releasing(services).show(str(args.get("id", "")), account))


async def quarantine_release(services: Services, args: Args) -> dict[str, Any]:
    """Delivers a message after all. Args: id, learn, by, account. {id, recipients}."""
    name = str(args.get("id", ""))
    names = await _releasing(services).release(
        name,
        by=str(args.get("by") or ""),
        learn=bool(args.get("learn")),
        account=await _account(services, args),
    )
    return {"id": name, "recipients": names}


async def quarantine_delete(services: Services, args: Args) -> dict[str, Any]:
    """Removes a message for good. Args: id, by, account. {id, recipients}."""
    name, by = str(args.get("id", "")), str(args.get("by") or "")
    account = await _account(services, args)
    names = await _releasing(services).delete(name, by=by, account=account)
    return {"id": name, "recipients": names}


async def _account(services: Services, args: Args) -> AccountId | None:
    if not args.get("account"):
        return None
    account = await services.directory.account(args["account"])
    if account is None:
        raise Missing(f"There is no account {args['account']}")
    return account.id


def _releasing(services: Services) -> Releasing:
    recorder = Recorder(services.clock, services.explain)
    return Releasing(
        services.settings,
        services.quarantine,
        _delivery(services, recorder),
        services.directory,
        services.store,
        services.clock,
        services.offload,
        recorder,
        get_logger("quarantine"),
        learn=partial(_learn, services),
    )


async def _learn(services: Services, data: bytes, accounts: Sequence[AccountId]) -> None:
    key, features = await services.offload.process(_lesson, data)
    for account in dict.fromkeys(accounts):
        await services.learned.teach(account, [Lesson(key, NOTHING, Label.HAM, features)])


def _lesson(data: bytes) -> tuple[bytes, "array[int]"]:
    """What a message is known by, and its features; as it came: no field of this server is in
    it.
    """
    return key_of(data), extract(data, "")


def _delivery(services: Services, recorder: Recorder) -> Delivery:
    if services.server is not None:
        return services.server.delivery
    settings, clock = services.settings, services.clock
    forwarding = Forwarding(
        *(settings, services.directory, services.keyring, services.resolver),
        *(services.offload, clock, get_logger("forwarding")),
    )
    return Delivery(
        settings,
        services.directory,
        services.store,
        clock,
        get_logger("delivery"),
        signer=services.signer,
        forwarding=forwarding,
        recorder=recorder,
    )


def _shown(kept: Kept) -> dict[str, Any]:
    return {
        "id": kept.id,
        "at": rfc3339(kept.at),
        "sender": kept.sender,
        "recipients": list(kept.left.values()),
        "from": kept.author,
        "subject": kept.subject,
        "message_id": kept.message_id,
        "reason": kept.reason,
        "symbols": list(kept.symbols),
        "size": kept.size,
    }


def _whole(shown: Shown) -> dict[str, Any]:
    reading = shown.reading
    text = reading.plain or reading.html
    return {
        **_shown(shown.kept),
        "header": _lines(reading.header.decode("utf-8", "replace")),
        "text": _lines(text[:_TEXT]),
        "links": [visible(one.target[:300]) for one in reading.links[:_LINKS]],
        "attachments": [
            {
                "name": visible(one.name),
                "type": visible(one.type),
                "kind": one.kind,
                "size": one.size,
            }
            for one in reading.attachments
        ],
        "whole": shown.whole and len(text) <= _TEXT,
    }


def _lines(text: str) -> list[str]:
    """Without what could steer a terminal; tabs become blanks."""
    rows = text.replace("\r\n", "\n").split("\n")
    return [visible(row.replace("\t", "    ").replace("\r", "")) for row in rows]
