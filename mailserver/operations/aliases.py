"""`mailserver alias ...`: aliases, groups and catch-all addresses, as {alias, targets}."""

from collections.abc import Mapping
from typing import Any

from mailserver.services import Services
from storage.directory_values import Alias

Args = Mapping[str, Any]


async def alias_add(services: Services, args: Args) -> dict[str, Any]:
    """Sends mail for an address, or for the rest of a domain, to one or more others."""
    return _shown(await services.directory.add_alias(args["alias"], args["targets"]))


async def alias_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All aliases in order."""
    return [_shown(alias) for alias in await services.directory.aliases()]


async def alias_delete(services: Services, args: Args) -> dict[str, Any]:
    """Removes an alias with all of its targets."""
    return _shown(await services.directory.delete_alias(args["alias"]))


def _shown(alias: Alias) -> dict[str, Any]:
    return {"alias": alias.alias, "targets": list(alias.targets)}
