"""`mailserver queue pools`: the addresses that mail leaves from, and how warm they are."""

from collections.abc import Mapping
from typing import Any

from mailserver.services import Services
from net.local_address import can_bind
from smtp.outbound.sources import allowance

Args = Mapping[str, Any]


async def queue_pools(services: Services, _args: Args) -> list[dict[str, Any]]:
    """{pool, address, name, usable, sent, allowed, providers}: `usable` where this machine has the
    address, `sent` today (UTC), `allowed` null without a limit, and where the plan counts for each
    mail provider apart, `providers` what was sent to each.
    """
    counts, found = services.directory.source_counts, []
    for pool in services.settings.outbound.pool:
        for one in pool.source:
            sent = counts.by_provider(one.address)
            plan = one.warm_up
            found.append(
                {
                    "pool": pool.name,
                    "address": one.address,
                    "name": one.name or services.settings.hostname,
                    "usable": can_bind(one.address),
                    "sent": sum(sent.values()),
                    "allowed": None if plan is None else allowance(plan, counts.today),
                    "providers": {provider: n for provider, n in sent.items() if provider},
                }
            )
    return found
