"""Address books and their cards, people and groups, as JSContact (RFC 9553): the ContactService."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from config.clock import rfc3339
from message.jscontact import emails_of
from message.jscontact_check import wrong_properties
from storage.contact_service import ContactService
from storage.contact_values import MAX_OCTETS, Book, Listed, Stored
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.errors import RestError
from web.rest.models import LINE, Give, Page, Paging, Query, Take, Time
from web.rest.paging import cursor, place_of
from web.rest.resources.security import Id

TAG: Final = "contacts"
_LIMIT: Final = MAX_OCTETS + 1024
_PIECE: Final = 50
BookName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=LINE)]


class BookShape(Give):
    """`default`: cards go there unless another is named."""

    id: int
    name: str
    description: str
    default: bool
    cards: int


class BookBody(Take):
    """A new one."""

    name: BookName
    description: Annotated[str, Field(max_length=1000, pattern=LINE)] = ""


class BookPatch(Take):
    """What is given changes; `default` can only be given, not taken."""

    name: BookName | None = None
    description: Annotated[str, Field(max_length=1000, pattern=LINE)] | None = None
    default: Literal[True] | None = None


class ContactLine(Give):
    """A card in a list."""

    id: int
    book: int
    uid: str
    kind: str
    name: str
    emails: list[str]
    updated: Time


class ContactShape(Give):
    """A card whole."""

    id: int
    book: int
    updated: Time
    card: dict[str, Any]


class ContactBody(Take):
    """A JSContact Card, which gets what it lacks of @type, version and uid; in the default book
    unless another is named.
    """

    card: dict[str, Any]
    book: Id | None = None


class Asked(Paging):
    """Of a book, of a kind ("individual", "group", ...), with a text in the name or an address."""

    book: Id | None = None
    kind: Annotated[str, StringConstraints(max_length=50)] | None = None
    q: Annotated[str, StringConstraints(max_length=200)] = ""


class Ending(Query):
    """`contents`: with the cards that are in it."""

    contents: bool = False


class ContactResource:
    """Handlers."""

    def __init__(self, service: ContactService) -> None:
        self._service = service

    def endpoints(self) -> Sequence[Endpoint]:
        return [*self._of_books(), *self._of_cards()]

    def _of_books(self) -> Sequence[Endpoint]:
        at, one = "/address-books/{id}", {"id": Id}
        return [
            Endpoint(
                *("GET", "/address-books", TAG, "listBooks", "Address books", self._books),
                *(Access.OWN, None, Paging, Page[BookShape]),
                order=lambda row: (row["name"].casefold(), row["id"]),
            ),
            Endpoint(
                *("POST", "/address-books", TAG, "addBook", "Make an address book", self._add_book),
                *(Access.OWN, BookBody),
                gives=BookShape,
                status=201,
            ),
            Endpoint(
                *("GET", at, TAG, "getBook", "An address book", self._book),
                params=one,
                gives=BookShape,
            ),
            Endpoint(
                *("PATCH", at, TAG, "changeBook", "Change an address book", self._change_book),
                *(Access.OWN, BookPatch),
                params=one,
                gives=BookShape,
            ),
            Endpoint(
                *("DELETE", at, TAG, "deleteBook", "Delete an address book", self._delete_book),
                query=Ending,
                params=one,
            ),
        ]

    def _of_cards(self) -> Sequence[Endpoint]:
        at, one = "/contacts/{id}", {"id": Id}
        return [
            Endpoint(
                *("GET", "/contacts", TAG, "listContacts", "People and groups", self._list),
                *(Access.OWN, None, Asked, Page[ContactLine]),
            ),
            Endpoint(
                *("POST", "/contacts", TAG, "addContact", "Add a card", self._add),
                *(Access.OWN, ContactBody),
                gives=ContactShape,
                status=201,
                limit=_LIMIT,
            ),
            Endpoint(
                *("GET", at, TAG, "getContact", "A card", self._get),
                params=one,
                gives=ContactShape,
            ),
            Endpoint(
                *("PUT", at, TAG, "putContact", "Replace a card", self._put),
                *(Access.OWN, ContactBody),
                params=one,
                gives=ContactShape,
                limit=_LIMIT,
            ),
            Endpoint(
                *("DELETE", at, TAG, "deleteContact", "Delete a card", self._delete),
                params=one,
            ),
        ]

    async def _books(self, call: Call) -> list[dict[str, Any]]:
        return [_book(one) for one in await self._service.books.all(call.account)]

    async def _book(self, call: Call) -> dict[str, Any]:
        return _book(await self._service.books.get(call.account, call.params["id"]))

    async def _add_book(self, call: Call) -> dict[str, Any]:
        body = call.taken(BookBody)
        made = Book(body.name, description=body.description)
        return _book(await self._service.books.add(call.account, made))

    async def _change_book(self, call: Call) -> dict[str, Any]:
        body = call.taken(BookPatch)
        present = await self._service.books.get(call.account, call.params["id"])
        changed = replace(
            present,
            name=present.name if body.name is None else body.name,
            description=present.description if body.description is None else body.description,
            standard=present.standard or body.default is True,
        )
        return _book(await self._service.books.change(call.account, changed))

    async def _delete_book(self, call: Call) -> None:
        contents = call.asked(Ending).contents
        await self._service.books.delete(call.account, call.params["id"], contents=contents)

    async def _list(self, call: Call) -> dict[str, Any]:
        asked = call.asked(Asked)
        after = _after(call) if asked.cursor else 0
        found: list[Stored] = []
        ids: list[int] = []
        async for one in self._service.cards.listed(call.account, asked.book, after):
            if asked.kind is None or one.kind == asked.kind:
                ids.append(one.id)
            if len(ids) == _PIECE:
                found += await self._fitting(call, ids)
                ids.clear()
            if len(found) > asked.limit:
                break
        found += await self._fitting(call, ids)
        part = found[: asked.limit]
        more = len(found) > asked.limit
        return {
            "items": [_line(one) for one in part],
            "next": cursor(call, (part[-1].listed.id,)) if more else None,
        }

    async def _fitting(self, call: Call, ids: Sequence[int]) -> list[Stored]:
        """Those with the text that is asked for."""
        stored = await self._service.cards.by_id(call.account, ids) if ids else []
        wanted = call.asked(Asked).q.casefold()
        return [one for one in stored if not wanted or _has(one, wanted)]

    async def _get(self, call: Call) -> dict[str, Any]:
        return _shown(await self._service.cards.get(call.account, call.params["id"]))

    async def _add(self, call: Call) -> dict[str, Any]:
        body = call.taken(ContactBody)
        _check(body.card)
        put = await self._service.add(call.account, body.card, body.book)
        return _shown(await self._service.cards.get(call.account, put.card.id))

    async def _put(self, call: Call) -> dict[str, Any]:
        body, number = call.taken(ContactBody), call.params["id"]
        place = None if body.book is None else (body.book, "")

        def edit(present: Any) -> Any:
            made = {"@type": "Card", "version": "1.0", "uid": present["uid"], **body.card}
            if made["uid"] != present["uid"]:
                raise RestError(422, "the uid of a card stays")
            _check(made, present)
            return made

        await self._service.change(call.account, number, edit, place=place)
        return _shown(await self._service.cards.get(call.account, number))

    async def _delete(self, call: Call) -> None:
        await self._service.cards.delete_id(call.account, call.params["id"])


def _check(card: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> None:
    """Raises RestError."""
    if wrong := wrong_properties(card, before):
        told = [
            {"pointer": f"/card/{name}", "detail": "RFC 9553 has it otherwise"} for name in wrong
        ]
        raise RestError(422, "the body is not valid", more={"errors": told})


def _after(call: Call) -> int:
    place = place_of(call)
    if len(place) != 1 or not isinstance(place[0], int):
        raise RestError(422, "the cursor is none of this list: ask without one")
    return place[0]


def _book(one: Book) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "default": one.standard,
        "cards": one.cards,
    }


def _has(stored: Stored, wanted: str) -> bool:
    texts = (stored.listed.name, *_addresses(stored))
    return any(wanted in text.casefold() for text in texts)


def _addresses(stored: Stored) -> list[str]:
    return [str(one) for one in emails_of(stored.content.card())]


def _line(stored: Stored) -> dict[str, Any]:
    one: Listed = stored.listed
    return {
        "id": one.id,
        "book": one.book,
        "uid": one.uid,
        "kind": one.kind,
        "name": one.name,
        "emails": _addresses(stored),
        "updated": rfc3339(one.changed),
    }


def _shown(stored: Stored) -> dict[str, Any]:
    one = stored.listed
    return {
        "id": one.id,
        "book": one.book,
        "updated": rfc3339(one.changed),
        "card": stored.content.card(),
    }
