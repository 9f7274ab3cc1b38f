"""`mailserver drive ...`: files, attachments and links of accounts."""

from collections.abc import Mapping
from typing import Any

from auth.grant import FULL
from auth.password import PasswordError
from config.clock import rfc3339
from filters.drive.service import Asker, Place, Wish
from filters.drive.tidying import DriveTidier
from mailserver.drive_wiring import Drive, listing_of
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from net.threads import Busy
from storage.directory_values import Account
from storage.drive_values import Audience, Disposition, Item, ItemId, Link, LinkId

Args = Mapping[str, Any]
_PAGE = 200
_MOST = 10_000


async def drive_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """{id, name, folder, size, type, state, created, attachment}, the newest first."""
    asker = _asker(await account_of(services, args))
    listing = listing_of(services)
    place: Place | None = Place()
    found: list[Item] = []
    while place is not None and len(found) < _MOST:
        page = await listing.page(asker, "", None, place, _PAGE)
        found += page.items
        place = page.rest
    return [_item(one) for one in found]


async def drive_links(services: Services, args: Args) -> list[dict[str, Any]]:
    """{id, item, name, created, expires, revoked, most, downloads, password, audience, note}."""
    account = await account_of(services, args)
    found = await services.drive.links.of(account.id, limit=_MOST)
    return [_link(one) for one in found]


async def drive_link(services: Services, args: Args) -> dict[str, Any]:
    """A link to `item`, by a running server: as `drive_links`, with its `url`."""
    account = await account_of(services, args)
    drive = _running(services)
    wish = Wish(
        float(args.get("seconds") or 0.0),
        Disposition.INLINE if args.get("inline") else Disposition.ATTACHMENT,
        Audience.USERS if args.get("users") else Audience.ANYONE,
        str(args.get("password") or ""),
        int(args.get("most") or 0),
        str(args.get("note") or ""),
    )
    try:
        made = await drive.service.link(_asker(account), ItemId(str(args["item"])), wish)
    except PasswordError as error:
        raise OperationError(str(error)) from error
    except Busy as error:
        raise OperationError("too much waits already, try again later") from error
    return {**_link(made), "url": drive.base() + await drive.service.path(made)}


async def drive_reads(services: Services, args: Args) -> list[dict[str, Any]]:
    """Who read by a link: {at, address, agent, status}, the newest first."""
    account = await account_of(services, args)
    found = await services.drive.reads.of(account.id, LinkId(str(args["id"])))
    return [
        {"at": rfc3339(one.at), "address": one.address, "agent": one.agent, "status": one.status}
        for one in found
    ]


async def drive_revoke(services: Services, args: Args) -> None:
    """A link is good no more, at once."""
    account = await account_of(services, args)
    await services.drive.links.revoke(account.id, LinkId(str(args["id"])))


async def drive_keep(services: Services, args: Args) -> dict[str, Any]:
    """The attachment `item` as a file, by a running server."""
    account = await account_of(services, args)
    item = ItemId(str(args["item"]))
    made = await _running(services).service.keep(
        _asker(account), item, str(args.get("folder") or "")
    )
    return _item(made)


async def drive_delete(services: Services, args: Args) -> None:
    """A file goes, with its links."""
    account = await account_of(services, args)
    await services.drive.items.delete(account.id, ItemId(str(args["item"])))


async def drive_rotate(services: Services, args: Args) -> dict[str, Any]:
    """Another key signs links; `forget`: what the others signed is good no more."""
    return {"key": await services.drive.keys.rotate(forget=bool(args.get("forget")))}


async def drive_gc(services: Services, args: Args) -> dict[str, Any]:
    """One round of what goes by itself every hour: {parts, links, references, blobs}."""
    tidier = DriveTidier(services.drive, services.store, services.clock, services.log)
    gone = await tidier.run()
    try:
        blobs = await services.blobs.collect()
    except Busy as error:
        raise OperationError("too much waits already, try again later") from error
    return {
        "parts": gone.parts,
        "links": gone.links,
        "references": gone.references,
        "blobs": blobs,
    }


def _running(services: Services) -> Drive:
    if services.server is None:
        raise OperationError("this needs a running server: start it with `mailserver serve`")
    return services.server.drive


def _asker(account: Account) -> Asker:
    return Asker(account.id, account.address, FULL)


def _item(one: Item) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "folder": one.folder,
        "size": one.size,
        "type": one.type,
        "state": one.state.value,
        "created": rfc3339(one.created),
        "attachment": one.is_part,
    }


def _link(one: Link) -> dict[str, Any]:
    terms = one.terms
    return {
        "id": one.id,
        "item": one.item,
        "name": one.name,
        "created": rfc3339(one.created),
        "expires": rfc3339(terms.expires),
        "revoked": None if one.revoked is None else rfc3339(one.revoked),
        "most": terms.most,
        "downloads": one.downloads,
        "password": terms.password is not None,
        "audience": terms.audience.value,
        "note": terms.note,
    }
