"""`mailserver domain ...`: domains of the configuration and of commands, as {name, source}."""

from collections.abc import Mapping
from typing import Any

from mailserver.services import Services
from storage.directory_values import Domain

Args = Mapping[str, Any]


async def domain_add(services: Services, args: Args) -> dict[str, Any]:
    """Serves a domain."""
    return _shown(await services.directory.add_domain(args["domain"]))


async def domain_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All served domains by name."""
    return [_shown(domain) for domain in services.directory.domains()]


async def domain_delete(services: Services, args: Args) -> dict[str, Any]:
    """Stops serving a domain that a command added and that nobody has an address in."""
    return _shown(await services.directory.delete_domain(args["domain"]))


def _shown(domain: Domain) -> dict[str, Any]:
    return {"name": domain.name, "source": domain.source.value}
