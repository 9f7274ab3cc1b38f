"""Operations on the serving process itself."""

from collections.abc import Mapping
from typing import Any

from mailserver.operations.errors import OperationError
from mailserver.services import Services


async def reload(services: Services, _args: Mapping[str, Any]) -> dict[str, list[str]]:
    """{applied, restart}: keys that took effect, and keys that need a restart to."""
    if services.server is None:
        raise OperationError("no server is running; start it with: mailserver serve")
    return await services.server.reload()
