"""`mailserver alias ...`: aliases, groups and catch-all addresses, as {alias, targets, send_as}.

`send_as`: members of a group may send as it.
"""

from collections.abc import Mapping
from typing import Any

from mailserver.services import Services
from storage.directory_values import Alias

Args = Mapping[str, Any]


async def alias_add(services: Services, args: Args) -> dict[str, Any]:
    """Sends mail for an address, or for the rest of a domain, to one or more others."""
    send_as = bool(args.get("send_as"))
    return _shown(
        await services.directory.add_alias(args["alias"], args["targets"], send_as=send_as)
    )


async def alias_set(services: Services, args: Args) -> dict[str, Any]:
    """Lets members of a group send as it, or no longer."""
    return _shown(await services.directory.set_send_as(args["alias"], bool(args["send_as"])))


async def alias_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All aliases in order."""
    return [_shown(alias) for alias in await services.directory.aliases()]


async def alias_delete(services: Services, args: Args) -> dict[str, Any]:
    """Removes an alias with all of its targets."""
    return _shown(await services.directory.delete_alias(args["alias"]))


def _shown(alias: Alias) -> dict[str, Any]:
    return {"alias": alias.alias, "targets": list(alias.targets), "send_as": alias.send_as}
