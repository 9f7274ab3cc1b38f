"""`mailserver explain`: everything that happened to a message."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from filters.explaining import Explainer, Explanation
from mailserver.operations.errors import Missing
from mailserver.services import Services

Args = Mapping[str, Any]
MOST = 50
"""Messages that one Message-ID explains: the last ones."""


async def explain(services: Services, args: Args) -> list[dict[str, Any]]:
    """Each message that `id` leads to, the oldest first: a Message-ID, a queue id, the id of a 250
    or of a refusal; or the one at `account`, `mailbox` and `uid`. {id, message_id, at, happenings}.
    """
    explainer = Explainer(
        *(services.explain, services.store, services.directory, services.clock),
        services.settings.spam,
    )
    traces = await _traces(services, explainer, args)
    found = [await explainer.explain(trace) for trace in traces[-MOST:]]
    shown = [_shown(one) for one in found if one is not None]
    if not shown:
        raise Missing(f"nothing is recorded of {_name(args)}: wrong, or too long ago")
    return shown


async def _traces(services: Services, explainer: Explainer, args: Args) -> list[str]:
    if args.get("id"):
        return await explainer.find(str(args["id"]))
    account = await services.directory.account(str(args.get("account") or ""))
    if account is None:
        raise Missing(f"There is no account {args.get('account')}")
    mailbox, uid = str(args.get("mailbox") or "INBOX"), int(args.get("uid") or 0)
    trace = await explainer.find_at(account.id, mailbox, uid)
    return [trace] if trace is not None else []


def _name(args: Args) -> str:
    if args.get("id"):
        return str(args["id"])
    return f"UID {args.get('uid')} in {args.get('mailbox') or 'INBOX'} of {args.get('account')}"


def _shown(one: Explanation) -> dict[str, Any]:
    return {
        "id": one.id,
        "message_id": one.message_id,
        "at": precise(one.at),
        "happenings": [
            {"at": precise(line.at), "what": line.what, "text": line.text, **_values(line.more)}
            for line in one.lines
        ],
    }


def _values(more: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in more.items() if key not in ("at", "what", "text")}


def precise(seconds: float) -> str:
    """RFC 3339 to the millisecond, UTC."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
