"""`/api/v1/drive/...`: the drive of the login's account (filters/drive/service.py)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from auth.password import PasswordError
from filters.drive.service import Asker, DriveService, Place, Wish
from storage.drive_values import Audience, Disposition, ItemId, Link, LinkId
from web.drive.places import link_place, packed, unpacked
from web.drive.sending import response_of
from web.drive.shapes import (
    DriveItem,
    DriveItemPatch,
    DriveLink,
    DriveReads,
    DriveUse,
    ItemName,
    Items,
    KeepBody,
    LinkBody,
    LinkName,
    Links,
    Upload,
    item_of,
    link_of,
    read_of,
)
from web.drive.streams import Streams
from web.paced_body import paced
from web.rest.endpoint import PREFIX, Access, Call, Endpoint
from web.rest.errors import RestError
from web.rest.models import Page
from web.rest.paging import cursor, place_of

TAG: Final = "drive"
OCTETS: Final = "application/octet-stream"
_ITEM: Final = {"item": ItemName}
_LINK: Final = {"link": LinkName}
_GATE: Final = (451, 503)
_CLOSE: Final = {"Connection": "close"}
_item = partial(item_of, prefix=PREFIX)


@dataclass(frozen=True, slots=True)
class DriveWeb:
    """The drive for HTTP: `largest` gives the octets that a file may have, `base` scheme and
    authority of links.
    """

    service: DriveService
    streams: Streams
    largest: Callable[[], int]
    base: Callable[[], str]


class DriveResource:
    """Handlers."""

    def __init__(self, web: DriveWeb) -> None:
        self._web = web

    def endpoints(self) -> Sequence[Endpoint]:
        """Of items, then of links."""
        mail = Access.MAIL
        return [
            Endpoint(
                *("GET", "/drive", TAG, "getDrive", "What the files take", self._use, mail),
                gives=DriveUse,
            ),
            Endpoint(
                *("GET", "/drive/items", TAG, "listDriveItems"),
                *("Files and attachments, the newest first", self._list),
                mail,
                query=Items,
                gives=Page[DriveItem],
            ),
            Endpoint(
                *("POST", "/drive/items", TAG, "uploadDriveItem", "Upload a file", self._upload),
                mail,
                query=Upload,
                gives=DriveItem,
                status=201,
                ready=True,
                brings=OCTETS,
                refused=(408, 413, 451),
            ),
            Endpoint(
                *("GET", "/drive/items/{item}", TAG, "getDriveItem"),
                *("A file or attachment", self._get, mail),
                params=_ITEM,
                gives=DriveItem,
            ),
            Endpoint(
                *("PATCH", "/drive/items/{item}", TAG, "changeDriveItem"),
                *("Rename or move a file", self._change, mail, DriveItemPatch),
                params=_ITEM,
                gives=DriveItem,
            ),
            Endpoint(
                *("DELETE", "/drive/items/{item}", TAG, "deleteDriveItem"),
                *("Delete a file with its links", self._delete, mail),
                params=_ITEM,
            ),
            Endpoint(
                *("GET", "/drive/items/{item}/content", TAG, "readDriveItem"),
                *("The octets, in ranges where asked for", self._content, mail),
                params=_ITEM,
                ready=True,
                media=OCTETS,
                refused=(412, 416, *_GATE),
                also=(206, 304),
            ),
            Endpoint(
                *("POST", "/drive/items/{item}/keep", TAG, "keepDriveItem"),
                *("Make a file of an attachment", self._keep, mail, KeepBody),
                params=_ITEM,
                gives=DriveItem,
                status=201,
                refused=(413, *_GATE),
            ),
            Endpoint(
                *("POST", "/drive/items/{item}/links", TAG, "addDriveLink"),
                *("Make a link for others", self._link, mail, LinkBody),
                params=_ITEM,
                gives=DriveLink,
                status=201,
                refused=_GATE,
            ),
            Endpoint(
                *("GET", "/drive/links", TAG, "listDriveLinks"),
                *("Links, the newest first", self._links),
                mail,
                query=Links,
                gives=Page[DriveLink],
            ),
            Endpoint(
                *("DELETE", "/drive/links/{link}", TAG, "revokeDriveLink"),
                *("End a link at once", self._revoke, mail),
                params=_LINK,
            ),
            Endpoint(
                *("GET", "/drive/links/{link}/reads", TAG, "listDriveReads"),
                *("Who read by a link", self._reads, mail),
                params=_LINK,
                gives=DriveReads,
            ),
        ]

    async def _use(self, call: Call) -> Mapping[str, Any]:
        used = await self._web.service.used(_asker(call))
        folders = await self._web.service.folders(_asker(call))
        return {
            "used": used.octets,
            "limit": used.limit,
            "largest": self._web.largest(),
            "folders": folders,
        }

    async def _list(self, call: Call) -> Mapping[str, Any]:
        asked = call.asked(Items)
        place = unpacked(place_of(call)) if asked.cursor else Place()
        if place is None:
            raise RestError(422, "the cursor is none of this list: ask without one")
        page = await self._web.service.items(
            _asker(call), kind=asked.kind, folder=asked.folder, after=place, limit=asked.limit
        )
        following = None if page.rest is None else cursor(call, packed(page.rest))
        return {"items": [_item(one) for one in page.items], "next": following}

    async def _upload(self, call: Call) -> Response:
        asked = call.asked(Upload)
        declared, most = call.request.headers.get("content-length", ""), self._web.largest()
        if declared.isdigit() and int(declared) > most:
            raise RestError(413, f"a file has at most {most} octets", headers=_CLOSE)
        pieces = paced(call.request.stream())
        try:
            made = await self._web.service.upload(_asker(call), asked.name, asked.folder, pieces)
        finally:
            await pieces.aclose()
        shown = DriveItem.model_validate(_item(made))
        headers = {"Cache-Control": "no-store", "Location": f"{PREFIX}/drive/items/{made.id}"}
        return Response(shown.model_dump_json(), 201, headers, "application/json")

    async def _get(self, call: Call) -> Mapping[str, Any]:
        return _item(await self._web.service.item(_asker(call), _id(call)))

    async def _change(self, call: Call) -> Mapping[str, Any]:
        body = call.taken(DriveItemPatch)
        await self._web.service.change(_asker(call), _id(call), body.name, body.folder)
        return await self._get(call)

    async def _delete(self, call: Call) -> None:
        await self._web.service.delete(_asker(call), _id(call))

    async def _content(self, call: Call) -> Response:
        leave = self._web.streams.enter(call.peer, str(call.account))
        if leave is None:
            raise RestError(429, "too many downloads at once", wait=2)
        try:
            opened = await self._web.service.open(_asker(call), _id(call))
            return response_of(call.request, opened, leave)
        except BaseException:
            leave()
            raise

    async def _keep(self, call: Call) -> Mapping[str, Any]:
        folder = call.taken(KeepBody).folder
        return _item(await self._web.service.keep(_asker(call), _id(call), folder))

    async def _link(self, call: Call) -> Mapping[str, Any]:
        body = call.taken(LinkBody)
        wish = Wish(
            body.seconds,
            Disposition(body.disposition),
            Audience(body.audience),
            body.password,
            body.downloads,
            body.note,
        )
        try:
            made = await self._web.service.link(_asker(call), _id(call), wish)
        except PasswordError as error:
            raise RestError(422, str(error)) from error
        return await self._shown(made)

    async def _links(self, call: Call) -> Mapping[str, Any]:
        asked = call.asked(Links)
        after = link_place(place_of(call)) if asked.cursor else None
        if asked.cursor and after is None:
            raise RestError(422, "the cursor is none of this list: ask without one")
        item = None if asked.item is None else ItemId(asked.item)
        wanted = asked.limit + 1
        found = await self._web.service.links(_asker(call), item, after=after, limit=wanted)
        shown, more = found[: asked.limit], len(found) > asked.limit
        items = [await self._shown(one) for one in shown]
        last = shown[-1] if more else None
        following = None if last is None else cursor(call, [repr(last.created), last.id])
        return {"items": items, "next": following}

    async def _revoke(self, call: Call) -> None:
        await self._web.service.revoke(_asker(call), LinkId(call.params["link"]))

    async def _reads(self, call: Call) -> Mapping[str, Any]:
        found = await self._web.service.reads(_asker(call), LinkId(call.params["link"]))
        return {"items": [read_of(one) for one in found]}

    async def _shown(self, link: Link) -> Mapping[str, Any]:
        path = await self._web.service.path(link)
        return link_of(link, self._web.base() + path if path else "")


def _asker(call: Call) -> Asker:
    login = call.user
    return Asker(login.account, login.address, login.grant)


def _id(call: Call) -> ItemId:
    return ItemId(call.params["item"])
