"""Why a message is still in the queue: each recipient's last reply, and what is known of where it
goes, looked up at this moment.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.operations import suppressing
from mailserver.operations.errors import OperationError
from mailserver.operations.queue import find_entry, queue_show
from mailserver.operations.tls import tls_show
from mailserver.services import Services
from storage.queue_scan import DueLane
from storage.queue_values import lane_name

Args = Mapping[str, Any]


async def queue_why(services: Services, args: Args) -> dict[str, Any]:
    """One message as `show` has it, with `destinations`, and of each recipient `suppressed`: what
    stands about it on the suppression list, or null. Args: id.

    Of a destination: {domain, recipients, pool, sessions, not_before, hosts, level, policy,
    problem}: `sessions` are open to its site now, `not_before` is when a site that could not be
    reached is asked again, `pool` is that of `[[outbound.route]]`; all three are null without a
    serving process that knows of it.
    """
    shown = await queue_show(services, args)
    message = await find_entry(services, args)
    lane = lane_name(message.sender, message.account, message.priority)
    domains: dict[str, int] = {}
    for recipient in shown["recipients"]:
        entry = services.directory.suppressions.covering(recipient["address"])
        recipient["suppressed"] = None if entry is None else suppressing.shown(entry)
        if recipient["state"] not in ("delivered", "failed"):
            domain = recipient["address"].rpartition("@")[2].lower()
            domains[domain] = domains.get(domain, 0) + 1
    found = [
        await _destination(services, DueLane(domain, lane), count)
        for domain, count in domains.items()
    ]
    return {**shown, "destinations": found}


async def _destination(services: Services, due: DueLane, count: int) -> dict[str, Any]:
    domain = due.domain
    try:
        known = await tls_show(services, {"domain": domain})
    except OperationError:  # an address literal
        known = {"hosts": [], "level": None, "policy": None, "problem": ""}
    return {
        "domain": domain,
        "recipients": count,
        **await _site(services, due),
        **{name: known[name] for name in ("hosts", "level", "policy", "problem")},
    }


async def _site(services: Services, due: DueLane) -> dict[str, Any]:
    if services.server is None:
        return {"pool": None, "sessions": None, "not_before": None}
    pool, site = await services.server.outbound.site(due)
    if site is None:
        return {"pool": pool or None, "sessions": None, "not_before": None}
    dead = site.is_dead(services.clock.now())
    return {
        "pool": pool or None,
        "sessions": site.active,
        "not_before": rfc3339(site.dead_until) if dead else None,
    }
