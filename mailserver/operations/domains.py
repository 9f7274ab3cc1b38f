"""`mailserver domain ...`: domains of the configuration and of commands, as {name, source,
accounts_most, quota_most}, the last two what its administrators may give out, 0 for no bound.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from filters.signing.keyring import Key
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from net.threads import Busy
from storage.directory_names import domain_of
from storage.directory_values import Absent, Domain
from storage.domain_limits import NO_LIMIT, DomainLimit

Args = Mapping[str, Any]
_MOST: Final = {"accounts": (1 << 31) - 1, "quota": (1 << 63) - 1}
"""What the columns take."""


async def domain_add(services: Services, args: Args) -> dict[str, Any]:
    """Serves a domain, and makes its DKIM keys."""
    domain = await services.directory.add_domain(args["domain"])
    await keys_of(services, domain.name)
    return _shown(domain)


async def domain_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All served domains by name."""
    limits = await services.directory.domain_limits.every()
    return [
        _shown(domain, limits.get(domain.name, NO_LIMIT)) for domain in services.directory.domains()
    ]


async def domain_set(services: Services, args: Args) -> dict[str, Any]:
    """What administrators of the domain may give out: `accounts` and `quota`, 0 for no bound; what
    is not given stays.
    """
    directory, name = services.directory, domain_of(args["domain"])
    domain = next((each for each in directory.domains() if each.name == name), None)
    if domain is None:
        raise Absent(f"{name} is not served")
    limit = await directory.domain_limits.of(name)
    given = {key: int(args[key]) for key in _MOST if args.get(key) is not None}
    for key, value in given.items():
        if not 0 <= value <= _MOST[key]:
            raise OperationError(f"{key} is a number from 0 to {_MOST[key]}")
    limit = replace(limit, **given)
    await directory.domain_limits.set(name, limit)
    return _shown(domain, limit)


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


def _shown(domain: Domain, limit: DomainLimit = NO_LIMIT) -> dict[str, Any]:
    return {
        "name": domain.name,
        "source": domain.source.value,
        "accounts_most": limit.accounts,
        "quota_most": limit.quota,
    }
