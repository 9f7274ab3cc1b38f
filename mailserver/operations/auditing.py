"""`mailserver audit ...`: who logged in or failed to, and what was done to secrets.

Shown as {kind, account, address, protocol, client, credential, detail, first, last, count}:
`account` null where it is none of ours, times RFC 3339. Users may see what names their own address.
"""

from collections.abc import Mapping
from typing import Any, Final

from config.clock import rfc3339
from mailserver.services import Services
from storage.audit_values import NOBODY, Entry
from storage.directory_values import Absent

Args = Mapping[str, Any]
MOST: Final = 10_000


async def audit_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """The newest first; of the account `address`, else of all. `since` in seconds since 1970."""
    owner, address = None, args.get("address")
    if address:
        account = await services.directory.account(address)
        if account is None:
            raise Absent(f"There is no account {address}")
        owner = account.id
    found = await services.directory.audit.listed(
        owner,
        since=float(args.get("since") or 0.0),
        most=min(int(args.get("most") or 200), MOST),
    )
    return [_shown(entry) for entry in found]


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind.value,
        "account": None if entry.account == NOBODY else entry.name,
        "address": entry.address,
        "protocol": entry.protocol,
        "client": entry.client,
        "credential": entry.credential,
        "detail": entry.detail,
        "first": rfc3339(entry.first),
        "last": rfc3339(entry.last),
        "count": entry.count,
    }
