"""Operations on the suppression list. An entry is {address,until,reason,origin,created}: `until`
and `created` are RFC 3339, `until` null for ever, `origin` is command or automatic.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.suppressions import Suppression

Args = Mapping[str, Any]


async def suppress_add(services: Services, args: Args) -> dict[str, Any]:
    """Sends nothing to an address or domain elsewhere any more. Args: address, until, reason."""
    address = str(args["address"])
    domain = address.rpartition("@")[2].lower()
    if services.directory.serves(domain):
        raise OperationError(f"{domain} is served here; the list is for mail that goes elsewhere")
    until, reason = args.get("until"), str(args.get("reason", ""))
    return shown(await services.directory.suppressions.add(address, until, reason))


async def suppress_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All entries in force, in order of domain and address."""
    return [shown(entry) for entry in services.directory.suppressions.listed()]


async def suppress_delete(services: Services, args: Args) -> dict[str, Any]:
    """Sends there again. Args: address."""
    return shown(await services.directory.suppressions.delete(str(args["address"])))


def shown(entry: Suppression) -> dict[str, Any]:
    return {
        "address": entry.address,
        "until": rfc3339(entry.until) if entry.until is not None else None,
        "reason": entry.reason,
        "origin": entry.origin.value,
        "created": rfc3339(entry.created),
    }
