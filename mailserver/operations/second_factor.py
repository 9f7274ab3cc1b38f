"""`mailserver account second-factor ...`: {address, on, since, recovery_codes}, the last how many
are left. Keys and recovery codes are in the answers of what makes them, and nowhere else.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.services import Services
from storage.directory_values import Absent, Account

Args = Mapping[str, Any]


async def factor_show(services: Services, args: Args) -> dict[str, Any]:
    """Whether there is one."""
    account = await _account(services, args)
    found = await services.directory.second_factors.of(account.id)
    since = None if found is None else found.confirmed
    return {
        "address": account.address,
        "on": since is not None,
        "since": None if since is None else rfc3339(since),
        "recovery_codes": 0 if found is None else found.codes_left,
    }


async def factor_begin(services: Services, args: Args) -> dict[str, Any]:
    """A key for an authenticator app; nothing changes before its first code."""
    account = await _account(services, args)
    begun = await services.auth.second_factor.begin(account, services.settings.hostname)
    return {"address": account.address, "key": begun.key, "uri": begun.uri}


async def factor_confirm(services: Services, args: Args) -> dict[str, Any]:
    """Switches it on by a code of the app; open connections of the account close."""
    account = await _account(services, args)
    codes = await services.auth.second_factor.confirm(account, str(args["code"]))
    return {"address": account.address, "codes": codes}


async def factor_codes(services: Services, args: Args) -> dict[str, Any]:
    """Other recovery codes."""
    account = await _account(services, args)
    return {"address": account.address, "codes": await services.auth.second_factor.renew(account)}


async def factor_remove(services: Services, args: Args) -> dict[str, Any]:
    """The password alone is enough again."""
    account = await _account(services, args)
    if not await services.auth.second_factor.remove(account):
        raise Absent(f"{account.address} has no second factor")
    return await factor_show(services, args)


async def _account(services: Services, args: Args) -> Account:
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account
