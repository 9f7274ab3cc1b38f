"""`mailserver account sign-up ...`: who waits for a verification code.

Shown as {id, address, name, target, tries, expires}; `target` is where the code went.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.services import Services
from storage.sign_up_values import SignUpId
from storage.sign_ups import SignUps

Args = Mapping[str, Any]


async def sign_up_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """Those whose code is still good."""
    found = await SignUps(services.directory, services.clock).pending()
    return [
        {
            "id": one.id,
            "address": one.address,
            "name": one.name,
            "target": one.target,
            "tries": one.tries,
            "expires": rfc3339(one.expires),
        }
        for one in found
    ]


async def sign_up_delete(services: Services, args: Args) -> dict[str, Any]:
    """Its code makes no account."""
    number = int(args["id"])
    await SignUps(services.directory, services.clock).remove(SignUpId(number))
    return {"id": number}
