"""`mailserver config`: the configuration in force, as {key, value, origin}; secrets are masked."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from config.effective import effective
from mailserver.services import Services

Args = Mapping[str, Any]


async def config_show(services: Services, _args: Args) -> list[dict[str, Any]]:
    """Every key, in the order of the documentation."""
    found = await services.offload.disk(effective, services.settings, services.config_path)
    return [asdict(line) for line in found]
