"""Does an operation without a server: opens the store under its lock, works, closes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.logging import configure
from config.settings import Settings
from mailserver.control import Progress
from mailserver.opening import close_services, open_services
from mailserver.operations.errors import OperationError, in_one_line
from mailserver.operations.registry import perform
from storage.errors import StoreError


async def run_offline(
    config_path: Path,
    settings: Settings,
    operation: str,
    args: Mapping[str, Any],
    progress: Progress,
) -> Any:
    """The operation's result. Raises OperationError, also when the store can't be opened."""
    configure(level="error")
    try:
        services = await open_services(config_path, settings)
    except (StoreError, OSError) as error:
        raise OperationError(in_one_line(error)) from error
    try:
        return await perform(services, operation, args, progress)
    finally:
        await close_services(services)
