"""`mailserver block ...`: networks that may not connect.

Shown as {network, until, reason, source, created}: `until` and `created` are RFC 3339,
`until` null for ever, `created` null for those of the configuration.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from config.clock import rfc3339
from mailserver.services import Services
from storage.blocks import Block
from storage.directory_values import Source

Args = Mapping[str, Any]


async def block_add(services: Services, args: Args) -> dict[str, Any]:
    """Refuses the connections of a network, and ends those that are open."""
    network = ip_network(args["network"])
    until, reason = args.get("until"), str(args.get("reason", ""))
    return _shown(await services.directory.blocks.add(network, until, reason))


async def block_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All blocks in force, in order of address."""
    return [_shown(block) for block in services.directory.blocks.listed()]


async def block_delete(services: Services, args: Args) -> dict[str, Any]:
    """Lets a network in again that a command blocked."""
    return _shown(await services.directory.blocks.delete(ip_network(args["network"])))


def _shown(block: Block) -> dict[str, Any]:
    commanded = block.source is Source.COMMAND
    return {
        "network": str(block.network),
        "until": rfc3339(block.until) if block.until is not None else None,
        "reason": block.reason,
        "source": block.source.value,
        "created": rfc3339(block.created) if commanded else None,
    }
