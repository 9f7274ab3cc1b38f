"""`mailserver account device ...`: networks that an account logged in from, as {network, last}.

A login from any other is from a new device: its owner gets a mail, and it has no ease in the delay
of failed logins.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.services import Services
from storage.directory_values import Absent, Account

Args = Mapping[str, Any]


async def device_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """The last used first."""
    account = await _account(services, args)
    found = services.directory.known_logins.networks(account.id)
    newest = sorted(found.items(), key=lambda one: -one[1])
    return [{"network": network, "last": rfc3339(last)} for network, last in newest]


async def device_forget(services: Services, args: Args) -> dict[str, Any]:
    """The next login from `network` is from a new device."""
    account = await _account(services, args)
    network = str(args["network"])
    await services.directory.known_logins.forget_network(account.id, network)
    return {"network": network}


async def _account(services: Services, args: Args) -> Account:
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account
