"""`mailserver domain dns` and `rotate`: what a domain needs in DNS, and its next DKIM keys."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mailserver.operations.domain_records import (
    Served,
    Wanted,
    look,
    read_certificate,
    wanted_records,
)
from mailserver.operations.domains import keys_of
from mailserver.operations.errors import Missing
from mailserver.services import Services
from message.zone import zone_line
from net.dns import Resolver
from storage.directory_names import domain_of

Args = Mapping[str, Any]


async def domain_dns(services: Services, args: Args) -> list[dict[str, Any]]:
    """The records to publish as {name, type, value, purpose, needed, line}; with `check` also
    {state, found} of what DNS serves.
    """
    domain = _served(services, args)
    keys = await keys_of(services, domain)
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
    if not any(key.waiting for key in await keys_of(services, domain)):
        await services.keyring.prepare(domain)
    return await domain_dns(services, {"domain": domain})


def _served(services: Services, args: Args) -> str:
    domain = domain_of(args["domain"])
    if not services.directory.serves(domain):
        raise Missing(f"{domain} is not served; add it with: mailserver domain add")
    return domain


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
