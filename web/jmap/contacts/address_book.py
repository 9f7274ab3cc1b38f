"""AddressBook objects: /get, /changes and /set (RFC 9610 §2)."""

import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from storage.config_changes import config_changes, state_of
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
from storage.directory import Directory
from storage.errors import TooOld
from web.jmap.arguments import Arguments
from web.jmap.contacts.accounts import (
    CONTACTS,
    RIGHTS,
    contacts_account,
    needs,
    rights_in,
    shown_state,
    since_of,
)
from web.jmap.contacts.sharing import Sharing
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.methods import Call, Results
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Changes, Object, Standard

CAPABILITY: Final = {"maxAddressBooksPerCard": 1, "mayCreateAddressBook": True}
_ID: Final = re.compile(r"B([1-9]\d{0,17})", re.ASCII)
_KINDS: Final = (Kind.BOOK,)
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


@dataclass(frozen=True, slots=True)
class _Extra:
    """Arguments of AddressBook/set beyond the standard's (RFC 9610 §2.3)."""

    remove_contents: bool
    default: str | None


class AddressBookType(Changeable[Context, Account]):
    """Those of the account; in somebody else's those that are shared."""

    name = "AddressBook"
    capability = CONTACTS
    properties = frozenset(_PROPERTIES)

    def __init__(self, directory: Directory, service: ContactService) -> None:
        self._database, self._books = directory.database, service.books
        self._sharing, self._shares = Sharing(directory), directory.contacts.shares

    def account(self, call: Call[Context], account_id: str) -> Account:
        return contacts_account(call, account_id)

    def is_read_only(self, account: Account) -> bool:
        """Whether books that others share are wanted may be said of all of them."""
        return account.grant.read_only

    async def state(self, account: Account) -> str:
        await self._books.all(account.id)  # the first look makes the default book
        return shown_state(account, str(await state_of(self._database, account.id, _KINDS)))

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        modseq = since_of(account, since)
        await self._books.all(account.id)
        try:
            found = await config_changes(self._database, account.id, _KINDS, modseq, limit)
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        created, updated, destroyed = (
            [f"B{one}" for one in ids if account.books is None or int(one) in account.books]
            for ids in (found.created, found.updated, found.destroyed)
        )
        until = shown_state(account, str(found.until))
        return Changes(until, created, updated, destroyed, found.has_more)

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        held = {book_id(one.id): one for one in await self.all(account)}
        asked = list(held) if ids is None else ids
        found = []
        for id_ in asked:
            if id_ in held:
                shown = await self._shown(held[id_], account)
                picked = {name: shown[name] for name in shown.keys() & properties}
                found.append({"id": id_, **picked})
        return found, [id_ for id_ in asked if id_ not in held]

    async def all(self, account: Account) -> list[Book]:
        """Those that are seen."""
        found = await self._books.all(account.id)
        return [one for one in found if account.books is None or one.id in account.books]

    def set_arguments(self, arguments: Arguments) -> _Extra:
        return _Extra(
            arguments.flag("onDestroyRemoveContents"), arguments.text("onSuccessSetIsDefault")
        )

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        if account.books is not None:
            raise SetError("forbidden", "the account is somebody else's")
        if unknown := sorted(made.keys() - set(_PROPERTIES) | made.keys() & set(_SERVER_SET)):
            raise invalid_properties("cannot be set", *unknown)
        checked = _checked(Book(""), made)
        shares = await self._sharing.wanted(account, made.get("shareWith"))
        book = await _stored(self._books.add(account.id, checked))
        await self._sharing.share(account, book.id, shares)
        shown = {"id": book_id(book.id), **await self._shown(book, account)}
        return {name: value for name, value in shown.items() if made.get(name, made) != value}

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        book = await self.book(account, id_)
        before = {"id": id_, **await self._shown(book, account)}
        # a patch of one principal of a book that is not shared so far: jmaplib sends it
        after = patched({**before, "shareWith": before["shareWith"] or {}}, patch)
        after["shareWith"] = after.get("shareWith") or None
        fixed = [name for name in after if name not in before]
        fixed += [name for name in _SERVER_SET if after.get(name) != before[name]]
        if fixed:
            raise invalid_properties("cannot be changed", *sorted(fixed))
        changed = {name for name in after if after[name] != before[name]}
        checked = _checked(book, after)
        mine = {"isSubscribed"} if account.books is not None else set()
        if changed - {"shareWith"} - mine:
            needs(account, book.id, "x")
        if "shareWith" in changed:
            needs(account, book.id, "a")
            shares = await self._sharing.wanted(account, after["shareWith"])
            await self._sharing.share(account, book.id, shares)
        if changed & mine:
            await self._subscribe(account, book, checked.subscribed)
            checked = replace(checked, subscribed=book.subscribed)
        if changed - {"shareWith"} - mine:
            await _stored(self._books.change(account.id, checked))
        return None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: _Extra
    ) -> None:
        book = await self.book(account, id_)
        needs(account, book.id, "x")
        try:
            await self._books.delete(account.id, book.id, contents=arguments.remove_contents)
        except NoSuchContact:
            raise SetError("notFound") from None
        except BookNotEmpty:
            raise SetError("addressBookHasContents") from None

    async def book(self, account: Account, id_: str) -> Book:
        """By its id. Raises SetError: notFound."""
        number = book_number(id_)
        for book in await self.all(account):
            if book.id == number:
                return book
        raise SetError("notFound")

    async def make_default(self, account: Account, id_: str) -> Mapping[str, Object]:
        """What changed of the books, by id. One that is not there changes nothing."""
        before = {one.id for one in await self._books.all(account.id) if one.standard}
        try:
            book = await self.book(account, id_)
        except SetError:
            return {}
        if book.id in before or account.books is not None:
            return {}
        await self._books.change(account.id, replace(book, standard=True))
        told = {book_id(one): {"isDefault": False} for one in before}
        return told | {book_id(book.id): {"isDefault": True}}

    async def _shown(self, book: Book, account: Account) -> Object:
        rights = rights_in(account, book.id)
        return {
            "name": book.name,
            "description": book.description or None,
            "sortOrder": book.position,
            "isDefault": book.standard and account.books is None,
            "isSubscribed": await self._subscribed(account, book),
            "shareWith": await self._sharing.shown(account, book.id),
            "myRights": {name: letter in rights for name, letter in RIGHTS.items()},
        }

    async def _subscribed(self, account: Account, book: Book) -> bool:
        """The user's own choice."""
        if account.books is None or account.user is None:
            return book.subscribed
        seen = await self._shares.seen_by(account.user)
        return any(one.subscribed for one in seen if one.book.id == book.id)

    async def _subscribe(self, account: Account, book: Book, subscribed: bool) -> None:
        user = account.user or account.id
        try:
            await self._shares.subscribe(account.id, book.id, user, subscribed=subscribed)
        except NoSuchContact:
            raise SetError("notFound") from None


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


def book_id(number: int) -> str:
    """`B` and its number."""
    return f"B{number}"


def book_number(id_: str) -> int:
    """0 for what is no id."""
    found = _ID.fullmatch(id_)
    return int(found[1]) if found is not None else 0


async def _stored(work: Coroutine[Any, Any, Book]) -> Book:
    try:
        return await work
    except BadContact as error:
        raise invalid_properties(str(error)) from None
    except NoSuchContact:
        raise SetError("notFound") from None
    except ContactExists as error:
        raise SetError("alreadyExists", str(error)) from None
    except TooManyContacts as error:
        raise SetError("overQuota", str(error)) from None


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
    if wrong:
        raise invalid_properties("have a wrong value", *wrong)
    return replace(
        book,
        name=str(name),
        description=description or "",
        position=position,
        subscribed=subscribed,
    )
