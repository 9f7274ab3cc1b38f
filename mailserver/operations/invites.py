"""`mailserver account invite ...`: invites to sign up while auth.signup is "invite".

Shown as {id, note, created, expires, account}: times RFC 3339, `account` the address that came of
it, or null. What makes one shows its `code` too, once.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from auth.sign_up_names import invite_digest
from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.invites import Invite, Invites

Args = Mapping[str, Any]
LIFE: Final = 7 * 86_400.0
MAX_NOTE: Final = 200


async def invite_add(services: Services, args: Args) -> dict[str, Any]:
    """Makes one for one account; `expires` in seconds since 1970, a week from here by default."""
    note, expires = str(args.get("note") or ""), args.get("expires")
    if len(note) > MAX_NOTE or not note.isprintable():
        raise OperationError(f"a note has at most {MAX_NOTE} printable characters")
    code = secrets.token_urlsafe(16)
    until = services.clock.now() + LIFE if expires is None else float(expires)
    made = await _invites(services).add(invite_digest(code), note, until)
    return _shown(made) | {"code": code}


async def invite_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All, used ones too."""
    return [_shown(one) for one in await _invites(services).listed()]


async def invite_delete(services: Services, args: Args) -> dict[str, Any]:
    """Nobody signs up with it any more; an account that came of it stays."""
    return _shown(await _invites(services).remove(int(args["id"])))


def _invites(services: Services) -> Invites:
    return Invites(services.directory.database, services.clock)


def _shown(one: Invite) -> dict[str, Any]:
    return {
        "id": one.id,
        "note": one.note,
        "created": rfc3339(one.created),
        "expires": rfc3339(one.expires),
        "account": one.account or None,
    }
