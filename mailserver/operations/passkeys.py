"""`mailserver account passkey ...`: {id, name, created, last_used, last_address, synced,
second_factor}; times RFC 3339, null for what was never used. Passkeys are made in a browser.
"""

from collections.abc import Mapping
from typing import Any

from auth.passkey_removal import delete_passkey
from config.clock import rfc3339
from mailserver.services import Services
from storage.directory_values import Absent, Account
from storage.passkeys import Passkey, PasskeyId

Args = Mapping[str, Any]


async def passkey_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Those of an account."""
    account = await _account(services, args)
    return [_shown(one) for one in await services.directory.passkeys.of(account.id)]


async def passkey_delete(services: Services, args: Args) -> dict[str, Any]:
    """Deletes one; with the last second factor the password alone is enough again."""
    account = await _account(services, args)
    number = PasskeyId(int(args["id"]))
    return _shown(await delete_passkey(services.directory, services.auth.audit, account, number))


async def _account(services: Services, args: Args) -> Account:
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account


def _shown(one: Passkey) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "created": rfc3339(one.created),
        "last_used": None if one.used is None else rfc3339(one.used),
        "last_address": one.used_from or None,
        "synced": one.synced,
        "second_factor": one.factor,
    }
