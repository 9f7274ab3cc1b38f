"""`mailserver overview`: how the server is, and what came and went in the last day."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from config.clock import rfc3339
from mailserver.operations.queue_shape import TOTAL, queue_shape
from mailserver.operations.services import service_list
from mailserver.services import Services
from storage.explain_flow import Hour, flow
from storage.quarantine import count

Args = Mapping[str, Any]
DAY: Final = 86_400


async def overview(services: Services, _args: Args) -> dict[str, Any]:
    """{accounts, domains, quarantined, blocks, queue: {recipients, octets}, disk: {total, free},
    services: [{service, state}], hours, complete}; sizes in octets. `hours` are those of the last
    day in which something happened; not `complete` where there was too much of it to count.
    """
    directory = services.directory
    accounts = await directory.accounts()
    shape = await queue_shape(services, {})
    total = next(row for row in shape if row["domain"] == TOTAL)
    hours, complete = await flow(services.history, services.clock.now() - DAY)
    return {
        "accounts": len(accounts),
        "domains": len(directory.domains()),
        "quarantined": (await services.offload.disk(count, services.settings.data_dir))[0],
        "blocks": len(directory.blocks.listed()),
        "queue": {"recipients": total["recipients"], "octets": total["octets"]},
        "disk": await services.offload.disk(_disk, services.settings.data_dir),
        "services": [
            {"service": one["service"], "state": one["state"]}
            for one in await service_list(services, {})
        ],
        "hours": [_shown(hour) for hour in hours],
        "complete": complete,
    }


def _disk(folder: Path) -> dict[str, int]:
    usage = shutil.disk_usage(folder)
    return {"total": usage.total, "free": usage.free}


def _shown(hour: Hour) -> dict[str, Any]:
    messages = hour.received + hour.sent
    return {
        "at": rfc3339(hour.at),
        "received": hour.received,
        "sent": hour.sent,
        "spam": hour.spam,
        "refused": hour.refused,
        "quarantined": hour.quarantined,
        "delivered": hour.delivered,
        "deferred": hour.deferred,
        "failed": hour.failed,
        "filter_milliseconds": round(hour.milliseconds / messages, 2) if messages else 0.0,
    }
