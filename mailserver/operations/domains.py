"""`mailserver domain ...`: domains of the configuration and of commands, as {name, source}, and
what each needs in DNS.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from filters.signing.keyring import Key
from mailserver.operations.domain_records import (
    Served,
    Wanted,
    look,
    read_certificate,
    wanted_records,
)
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from message.zone import zone_line
from net.dns import Resolver
from net.threads import Busy
from storage.directory_names import domain_of
from storage.directory_values import Domain

Args = Mapping[str, Any]


async def domain_add(services: Services, args: Args) -> dict[str, Any]:
    """Serves a domain, and makes its DKIM keys."""
    domain = await services.directory.add_domain(args["domain"])
    await _keys(services, domain.name)
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


async def domain_dns(services: Services, args: Args) -> list[dict[str, Any]]:
    """The records to publish as {name, type, value, purpose, needed, line}; with `check` also
    {state, found} of what DNS serves.
    """
    domain = _served(services, args)
    keys = await _keys(services, domain)
    certificate = await services.offload.disk(read_certificate, services.settings)
    wanted = wanted_records(domain, services.settings, keys, certificate)
    if not args.get("check"):
        return [_record(one) for one in wanted]
    fresh = Resolver(services.settings.dns.nameservers)  # nothing that was cached before a change
    served = await asyncio.gather(*(look(one, fresh) for one in wanted))
    return [_record(one) | _found(two) for one, two in zip(wanted, served, strict=True)]


async def domain_rotate(services: Services, args: Args) -> list[dict[str, Any]]:
    """Makes the next DKIM keys of a domain now, unless some wait already; gives domain_dns."""
    domain = _served(services, args)
    if not any(key.waiting for key in await _keys(services, domain)):
        await services.keyring.prepare(domain)
    return await domain_dns(services, {"domain": domain})


def _served(services: Services, args: Args) -> str:
    domain = domain_of(args["domain"])
    if not services.directory.serves(domain):
        raise OperationError(f"{domain} is not served; add it with: mailserver domain add")
    return domain


async def _keys(services: Services, domain: str) -> tuple[Key, ...]:
    try:
        return await services.keyring.keys(domain)
    except Busy as error:
        raise OperationError("the server is busy; try again") from error


def _record(wanted: Wanted) -> dict[str, Any]:
    record = wanted.record
    return {
        "name": record.name,
        "type": record.type,
        "value": record.value,
        "purpose": wanted.purpose,
        "needed": wanted.needed,
        "line": zone_line(record),
    }


def _found(served: Served) -> dict[str, Any]:
    return {"state": served.state, "found": list(served.found)}


def _shown(domain: Domain) -> dict[str, Any]:
    return {"name": domain.name, "source": domain.source.value}
