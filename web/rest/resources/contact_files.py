"""Contacts by the book: completion of addresses, files in and out, duplicates made one."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints
from starlette.responses import Response

from storage.contact_exchange import ContactExchange, Format
from storage.contact_service import ContactService
from web.json_body import read_body
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.models import Give, Query, Take
from web.rest.resources.contacts import TAG
from web.rest.resources.security import Id

FILE: Final = 16 * 1024 * 1024
OCTETS: Final = "application/octet-stream"
_TYPES: Final = {Format.VCARD: "text/vcard; charset=utf-8"}
_CSV: Final = "text/csv; charset=utf-8"


class Typed(Query):
    """What was typed of an address or a name."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class CompletionShape(Give):
    """`card` is 0 for somebody who is in no book; a group has no address."""

    name: str
    address: str
    card: int
    kind: str
    written: int


class Completions(Give):
    """Those written to most first."""

    items: list[CompletionShape]


class Into(Query):
    """The book; the default one without."""

    book: Id | None = None


class Out(Query):
    """Of a book, else of all; `google` and `outlook` are CSV."""

    book: Id | None = None
    format: Format = Format.VCARD


class Imported(Give):
    """Cards that were added, that changed what was there, and that were there."""

    added: int
    changed: int
    same: int


class Duplicates(Give):
    """Each list of ids seems to be one person."""

    items: list[list[int]]


class MergeBody(Take):
    """The first becomes all of them."""

    ids: Annotated[tuple[Id, ...], Field(min_length=2, max_length=100)]


class Merged(Give):
    """What is left."""

    id: int


class ContactFiles:
    """Handlers."""

    def __init__(self, contacts: ContactService, exchange: ContactExchange) -> None:
        self._service, self._exchange = contacts, exchange

    def endpoints(self) -> Sequence[Endpoint]:
        return [
            Endpoint(
                *("GET", "/contact-completions", TAG, "completeContacts", "Complete an address"),
                self._complete,
                query=Typed,
                gives=Completions,
            ),
            Endpoint(
                *("POST", "/contact-imports", TAG, "importContacts", "Read vCards or CSV"),
                self._import,
                query=Into,
                gives=Imported,
                brings=OCTETS,
                ready=True,
                refused=(408, 413),
            ),
            Endpoint(
                *("GET", "/contact-exports", TAG, "exportContacts", "Write vCards or CSV"),
                self._export,
                query=Out,
                ready=True,
                media="*/*",
            ),
            Endpoint(
                *("GET", "/contact-duplicates", TAG, "listDuplicates", "Who is there twice"),
                self._duplicates,
                gives=Duplicates,
            ),
            Endpoint(
                *("POST", "/contact-merges", TAG, "mergeContacts", "Make several one"),
                *(self._merge, Access.OWN, MergeBody),
                gives=Merged,
            ),
        ]

    async def _complete(self, call: Call) -> dict[str, Any]:
        asked = call.asked(Typed)
        return {"items": await self._service.contacts.complete(call.account, asked.q, asked.limit)}

    async def _import(self, call: Call) -> Response:
        book = call.asked(Into).book
        if book is None:
            book = (await self._service.books.default(call.account)).id
        await self._service.books.get(call.account, book)
        data = await read_body(call.request, FILE)
        found = await self._exchange.read(call.account, book, data)
        made = Imported.model_validate(found).model_dump_json().encode()
        return Response(made, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _export(self, call: Call) -> Response:
        asked = call.asked(Out)
        if asked.book is not None:
            await self._service.books.get(call.account, asked.book)
        data = await self._exchange.write(call.account, asked.format, asked.book)
        name = f"contacts.{'vcf' if asked.format is Format.VCARD else 'csv'}"
        headers = {
            "Cache-Control": "private, no-store",
            "Content-Disposition": f"attachment; filename={name}",
        }
        return Response(data, headers=headers, media_type=_TYPES.get(asked.format, _CSV))

    async def _duplicates(self, call: Call) -> dict[str, Any]:
        return {"items": await self._exchange.duplicates(call.account)}

    async def _merge(self, call: Call) -> dict[str, int]:
        return {"id": await self._exchange.merge(call.account, call.taken(MergeBody).ids)}
