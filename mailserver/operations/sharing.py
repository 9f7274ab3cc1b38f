"""`mailserver account share ...`: access control lists of an account's mailboxes, as of SETACL.

Shown as {mailbox, identifier, rights}.
"""

from collections.abc import Mapping
from typing import Any

from auth.rights import rights_of
from auth.sharing import BadIdentifier, Sharing
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.acl import BoxKey
from storage.directory_values import Absent, Account
from storage.values import Mailbox

Args = Mapping[str, Any]


async def share_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Of one `mailbox`, else of those that have a list."""
    account = await _account(services, args)
    if args.get("mailbox"):
        return await _listed(services, await _mailbox(services, account, args))
    lists = await services.directory.acl.lists(account.id)
    boxes = [box for box in await services.store.mailboxes(account.id) if BoxKey.of(box) in lists]
    return [row for box in boxes for row in await _listed(services, box)]


async def share_set(services: Services, args: Args) -> list[dict[str, Any]]:
    """`rights` of `identifier` in `mailbox`: letters of RFC 4314, behind "+" or "-" or alone."""
    box = await _mailbox(services, await _account(services, args), args)
    text = str(args["rights"])
    sign = text[:1] if text[:1] in ("+", "-") else ""
    try:
        rights = rights_of(text.removeprefix(sign))
    except ValueError:
        raise OperationError("rights are letters out of lrswipkxteacd") from None
    anyone = services.settings.imap.share_with_anyone
    try:
        await _sharing(services).give(
            box, str(args["identifier"]), rights, sign, anyone=anyone, by=str(args.get("by") or "")
        )
    except BadIdentifier as error:
        raise OperationError(str(error)) from None
    return await _listed(services, box)


async def share_delete(services: Services, args: Args) -> list[dict[str, Any]]:
    """`identifier` has no entry in `mailbox` any more."""
    box = await _mailbox(services, await _account(services, args), args)
    sharing = _sharing(services)
    try:
        await sharing.take(box, str(args["identifier"]), by=str(args.get("by") or ""))
    except BadIdentifier as error:
        raise OperationError(str(error)) from None
    return await _listed(services, box)


async def _listed(services: Services, box: Mailbox) -> list[dict[str, Any]]:
    found = await _sharing(services).listed(box)
    return [{"mailbox": box.name, "identifier": name, "rights": rights} for name, rights in found]


async def _mailbox(services: Services, account: Account, args: Args) -> Mailbox:
    return await services.store.named(account.id, str(args["mailbox"]))


async def _account(services: Services, args: Args) -> Account:
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account


def _sharing(services: Services) -> Sharing:
    return Sharing(services.directory, services.auth.audit)
