"""AddressBook objects: /get, /changes and /set (RFC 9610 §2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.contact_service import ContactService
from storage.contact_values import (
    BadContact,
    Book,
    BookNotEmpty,
    ContactExists,
    NoSuchContact,
    TooManyContacts,
)
from web.jmap.arguments import Arguments
from web.jmap.config_type import ConfigType
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.methods import Call, Results
from web.jmap.patch import patched
from web.jmap.standard import Changes, Object, Standard

CONTACTS: Final = "urn:ietf:params:jmap:contacts"
CAPABILITY: Final = {"maxAddressBooksPerCard": 1, "mayCreateAddressBook": True}
_ID: Final = re.compile(r"B([1-9]\d{0,17})", re.ASCII)
_PROPERTIES: Final = (
    "name",
    "description",
    "sortOrder",
    "isDefault",
    "isSubscribed",
    "shareWith",
    "myRights",
)
_SERVER_SET: Final = ("id", "isDefault", "myRights")
_RIGHTS: Final = ("mayRead", "mayWrite", "mayShare", "mayDelete")


@dataclass(frozen=True, slots=True)
class _Extra:
    """Arguments of AddressBook/set beyond the standard's (RFC 9610 §2.3)."""

    remove_contents: bool
    default: str | None


class AddressBookType(ConfigType):
    """Those of the account."""

    name = "AddressBook"
    capability = CONTACTS
    properties = frozenset(_PROPERTIES)
    kinds = frozenset((Kind.BOOK,))

    def __init__(self, database: ConfigDatabase, service: ContactService) -> None:
        super().__init__(database)
        self._books = service.books

    def account(self, call: Call[Context], account_id: str) -> Account:
        return contacts_account(call, account_id)

    def id_of(self, account: Account, what: str) -> str:
        return f"B{what}"

    async def state(self, account: Account) -> str:
        await self._books.all(account.id)  # the first look makes the default book
        return await super().state(account)

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        await self._books.all(account.id)
        return await super().changes(account, since, limit)

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        held = {book_id(one.id): one for one in await self._books.all(account.id)}
        asked = list(held) if ids is None else ids
        found = []
        for id_ in asked:
            if id_ in held:
                shown = _shown(held[id_], account)
                found.append(
                    {"id": id_, **{name: shown[name] for name in shown.keys() & properties}}
                )
        return found, [id_ for id_ in asked if id_ not in held]

    def set_arguments(self, arguments: Arguments) -> _Extra:
        return _Extra(
            arguments.flag("onDestroyRemoveContents"), arguments.text("onSuccessSetIsDefault")
        )

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        given = dict(made)
        if unknown := sorted(given.keys() - set(_PROPERTIES) | given.keys() & set(_SERVER_SET)):
            raise invalid_properties("cannot be set", *unknown)
        book = await self._stored(self._books.add(account.id, _checked(Book(""), given)))
        shown = {"id": book_id(book.id), **_shown(book, account)}
        return {name: value for name, value in shown.items() if given.get(name, given) != value}

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        book = await self.book(account, id_)
        before = {"id": id_, **_shown(book, account)}
        after = patched(before, patch)
        fixed = [name for name in after if name not in before]
        fixed += [name for name in _SERVER_SET if after.get(name) != before[name]]
        if fixed:
            raise invalid_properties("cannot be changed", *sorted(fixed))
        await self._stored(self._books.change(account.id, _checked(book, after)))
        return None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: _Extra
    ) -> None:
        book = await self.book(account, id_)
        try:
            await self._books.delete(account.id, book.id, contents=arguments.remove_contents)
        except NoSuchContact:
            raise SetError("notFound") from None
        except BookNotEmpty:
            raise SetError("addressBookHasContents") from None

    async def book(self, account: Account, id_: str) -> Book:
        """By its id. Raises SetError: notFound."""
        found = _ID.fullmatch(id_)
        if found is not None:
            for book in await self._books.all(account.id):
                if book.id == int(found[1]):
                    return book
        raise SetError("notFound")

    async def make_default(self, account: Account, id_: str) -> Mapping[str, Object]:
        """What changed of the books, by id. One that is not there changes nothing."""
        before = {one.id for one in await self._books.all(account.id) if one.standard}
        try:
            book = await self.book(account, id_)
        except SetError:
            return {}
        if book.id in before:
            return {}
        await self._books.change(account.id, replace(book, standard=True))
        told = {book_id(one): {"isDefault": False} for one in before}
        return told | {book_id(book.id): {"isDefault": True}}

    async def _stored(self, work: Any) -> Book:
        try:
            found: Book = await work
        except BadContact as error:
            raise invalid_properties(str(error)) from None
        except NoSuchContact:
            raise SetError("notFound") from None
        except ContactExists as error:
            raise SetError("alreadyExists", str(error)) from None
        except TooManyContacts as error:
            raise SetError("overQuota", str(error)) from None
        return found


class AddressBookSet:
    """AddressBook/set with the default book that follows from it."""

    def __init__(self, standard: Standard[Context], kind: AddressBookType) -> None:
        self._standard, self._kind = standard, kind

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(dict(members))
        wanted = self._kind.set_arguments(arguments).default
        account = self._kind.account(call, arguments.id("accountId"))
        answer = await self._standard.set(self._kind, call, Arguments(dict(members)))
        failed = any(answer[name] for name in ("notCreated", "notUpdated", "notDestroyed"))
        if wanted is not None and not failed:
            id_ = call.created.get(wanted[1:], wanted) if wanted.startswith("#") else wanted
            changed = dict(await self._kind.make_default(account, id_))
            for made in (answer["created"] or {}).values():
                made.update(changed.pop(made["id"], {}))
            if changed:
                told = dict(answer["updated"] or {})
                for one, difference in changed.items():
                    told[one] = {**(told.get(one) or {}), **difference}
                answer["updated"] = told
            answer["newState"] = await self._kind.state(account)
        return [("AddressBook/set", answer)]


def contacts_account(call: Call[Context], account_id: str) -> Account:
    """Logins that see some folders alone see no contacts. Raises MethodError."""
    account = account_of(call, account_id)
    if account.grant.folders:
        raise MethodError("accountNotSupportedByMethod")
    return account


def book_id(number: int) -> str:
    """`B` and its number."""
    return f"B{number}"


def _shown(book: Book, account: Account) -> Object:
    writes = not account.grant.read_only
    return {
        "name": book.name,
        "description": book.description or None,
        "sortOrder": book.position,
        "isDefault": book.standard,
        "isSubscribed": book.subscribed,
        "shareWith": None,
        "myRights": {name: name == "mayRead" or writes for name in _RIGHTS},
    }


def _checked(book: Book, given: Mapping[str, Any]) -> Book:
    """The book with these properties. Raises SetError."""
    name, description = given.get("name"), given.get("description")
    position, subscribed = given.get("sortOrder", 0), given.get("isSubscribed", True)
    wrong = []
    if not isinstance(name, str) or not name.strip():
        wrong.append("name")
    if description is not None and not isinstance(description, str):
        wrong.append("description")
    if type(position) is not int or not 0 <= position < 2**31:
        wrong.append("sortOrder")
    if not isinstance(subscribed, bool):
        wrong.append("isSubscribed")
    if given.get("shareWith") is not None:
        wrong.append("shareWith")
    if wrong:
        raise invalid_properties("have a wrong value", *wrong)
    return replace(
        book,
        name=str(name),
        description=description or "",
        position=position,
        subscribed=subscribed,
    )
