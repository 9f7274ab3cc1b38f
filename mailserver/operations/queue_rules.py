"""`mailserver queue rule ...`: standing rules that put newly queued mail on hold.

Shown as {id, sender, recipient, domain, account, reason, by, created}: null matches all, sender
"<>" is the null sender, `created` is RFC 3339.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.operations.queue_shape import filter_of
from mailserver.services import Services
from storage.hold_rules import HoldRule

Args = Mapping[str, Any]


async def rule_add(services: Services, args: Args) -> dict[str, Any]:
    """Holds what is queued from here on and fits every filter. Args: those of `filter_of`; all,
    which must be true when there is none; reason, by.
    """
    which = await filter_of(services, args)
    if which.is_empty and not args.get("all"):
        raise OperationError("a rule without a filter holds all mail; if that is meant: --all")
    account = str(args.get("account") or "")
    reason, by = str(args.get("reason") or ""), str(args.get("by") or "")
    rule = HoldRule(0, which, account.lower(), reason, by)
    return _shown(await services.directory.hold_rules.add(rule))


async def rule_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All rules, the oldest first."""
    return [_shown(rule) for rule in services.directory.hold_rules.listed()]


async def rule_delete(services: Services, args: Args) -> dict[str, Any]:
    """Ends a rule; what it held stays on hold. Args: id."""
    text = str(args.get("id", ""))
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise OperationError(f"{text!r} is no rule; see: mailserver queue rule list")
    return _shown(await services.directory.hold_rules.delete(int(text)))


def _shown(rule: HoldRule) -> dict[str, Any]:
    which = rule.which
    return {
        "id": rule.id,
        "sender": "<>" if which.sender == "" else which.sender,
        "recipient": which.recipient,
        "domain": which.domain,
        "account": rule.account or None,
        "reason": rule.reason,
        "by": rule.by,
        "created": rfc3339(rule.created),
    }
