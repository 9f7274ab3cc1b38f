"""`mailserver domain ...`: domains of the configuration and of commands, as {name, source}."""

from collections.abc import Mapping
from typing import Any

from filters.signing.keyring import Key
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from net.threads import Busy
from storage.directory_values import Domain

Args = Mapping[str, Any]


async def domain_add(services: Services, args: Args) -> dict[str, Any]:
    """Serves a domain, and makes its DKIM keys."""
    domain = await services.directory.add_domain(args["domain"])
    await keys_of(services, domain.name)
    return _shown(domain)


async def domain_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All served domains by name."""
    return [_shown(domain) for domain in services.directory.domains()]


async def domain_delete(services: Services, args: Args) -> dict[str, Any]:
    """Stops serving a domain that a command added and that nobody has an address in; its keys
    go.
    """
    domain = await services.directory.delete_domain(args["domain"])
    await services.keyring.forget(domain.name)
    return _shown(domain)


async def keys_of(services: Services, domain: str) -> tuple[Key, ...]:
    """Its DKIM keys, made where it has none yet. Raises OperationError."""
    try:
        return await services.keyring.keys(domain)
    except Busy as error:
        raise OperationError("the server is busy; try again") from error


def _shown(domain: Domain) -> dict[str, Any]:
    return {"name": domain.name, "source": domain.source.value}
