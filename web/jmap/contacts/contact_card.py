"""ContactCard objects: /get, /changes, /set and /copy (RFC 9610 §3)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from config.clock import Clock
from message.jscontact import Card
from message.jscontact_check import wrong_properties
from storage.config_changes import state_of
from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.contact_service import ContactService
from storage.contact_values import (
    BadContact,
    ContactError,
    ContactExists,
    NoSuchContact,
    Stored,
    TooManyContacts,
)
from web.jmap.arguments import Arguments, too_many
from web.jmap.contacts.address_book import CONTACTS, AddressBookType, book_id, contacts_account
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, SetError, invalid_arguments, invalid_properties
from web.jmap.limits import Limits
from web.jmap.mail.states import modseq_of
from web.jmap.methods import Call, Results
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Changes, Object

_ID: Final = re.compile(r"C([1-9]\d{0,17})", re.ASCII)
_KINDS: Final = (Kind.CARD,)
_OWN: Final = ("id", "addressBookIds")
_PIECE: Final = 50
MAX_NAMES: Final = 250


class ContactCardType(Changeable[Context, Account]):
    """Those of the account; each is in one address book."""

    name = "ContactCard"
    capability = CONTACTS
    properties = frozenset(("addressBookIds",))
    """The rest are those of JSContact, and whatever else a card holds."""

    def __init__(
        self,
        database: ConfigDatabase,
        service: ContactService,
        books: AddressBookType,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._database, self._service, self._books = database, service, books
        self._limits, self._clock = limits, clock

    def account(self, call: Call[Context], account_id: str) -> Account:
        return contacts_account(call, account_id)

    def is_read_only(self, account: Account) -> bool:
        return account.grant.read_only

    def picked(self, names: Sequence[str]) -> frozenset[str]:
        if len(names) > MAX_NAMES:
            raise too_many("properties", MAX_NAMES)
        return frozenset(names)

    async def state(self, account: Account) -> str:
        return str(await state_of(self._database, account.id, _KINDS))

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        state = int(await self.state(account))
        if (modseq := modseq_of(since)) > state:
            raise MethodError("cannotCalculateChanges")
        found = await self._service.cards.became(account.id, modseq, limit)
        until = found.until if found.has_more else max(state, modseq)
        created, updated, destroyed = (
            [f"C{one}" for one in ids] for ids in (found.created, found.updated, found.destroyed)
        )
        return Changes(str(until), created, updated, destroyed, found.has_more)

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        if ids is None:
            ids = await self._all(account)
        every = properties == self.properties
        held: dict[str, Object] = {}
        numbers = [number for id_ in ids if (number := _number(id_))]
        for start in range(0, len(numbers), _PIECE):
            piece = numbers[start : start + _PIECE]
            for stored in await self._service.cards.by_id(account.id, piece):
                one = shown(stored)
                if not every:
                    one = {name: one[name] for name in one.keys() & {"id", *properties}}
                account.budget.take(len(orjson.dumps(one)))
                held[one["id"]] = one
        return [held[id_] for id_ in ids if id_ in held], [id_ for id_ in ids if id_ not in held]

    async def _all(self, account: Account) -> list[str]:
        """Raises MethodError where they are too many for one answer."""
        count = sum(book.cards for book in await self._service.books.all(account.id))
        if count > self._limits.objects_in_get:
            raise too_many("objects", self._limits.objects_in_get)
        return [f"C{one.id}" async for one in self._service.cards.listed(account.id)]

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        given = dict(made)
        if "id" in given:
            raise invalid_properties("the server sets it", "id")
        book = await self._book(call, account, given.pop("addressBookIds", None))
        now = _utc(self._clock.now())
        card: Card = {"@type": "Card", "version": "1.0", "created": now, "updated": now, **given}
        _check(card)
        if "uid" in card and await self._service.cards.by_uid(account.id, card["uid"]):
            raise SetError(
                "alreadyExists", "a card has this uid", existingId=await self._same(account, card)
            )
        try:
            put = await self._service.add(account.id, card, book)
        except ContactError as error:
            raise _refused(error) from None
        stored = await self._service.cards.get(account.id, put.card.id)
        found = shown(stored)
        return {name: value for name, value in found.items() if made.get(name, made) != value}

    async def _same(self, account: Account, card: Card) -> str:
        found = await self._service.cards.by_uid(account.id, card["uid"])
        return f"C{found[0].listed.id}"

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        number = _number(id_)
        told: Object = {}
        try:
            stored = await self._service.cards.get(account.id, number)
            change = _Change(shown(stored), patch, _utc(self._clock.now()))
            place = None
            if (books := change.books) is not None:
                place = (await self._book(call, account, books), "")
            await self._service.change(account.id, number, change.edit, place=place)
            told = change.told
        except ContactError as error:
            raise _refused(error) from None
        return told or None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        try:
            await self._service.cards.delete_id(account.id, _number(id_))
        except ContactError as error:
            raise _refused(error) from None

    async def _book(self, call: Call[Context], account: Account, ids: Any) -> int:
        """The one book that a card is to be in. Raises SetError."""
        if not isinstance(ids, dict) or any(value is not True for value in ids.values()):
            raise invalid_properties("a set of ids is needed", "addressBookIds")
        if len(ids) != 1:
            raise invalid_properties("a card is in one address book", "addressBookIds")
        (id_,) = ids
        if id_.startswith("#"):
            id_ = call.created.get(id_[1:], id_)
        try:
            return (await self._books.book(account, id_)).id
        except SetError:
            raise invalid_properties("there is no such address book", "addressBookIds") from None


@dataclass(slots=True)
class _Change:
    """A patch of a card as it was shown, which is applied to what is there."""

    before: Object
    patch: Object
    now: str
    told: Object

    def __init__(self, before: Object, patch: Object, now: str) -> None:
        self.before, self.patch, self.now, self.told = before, patch, now, {}

    @property
    def books(self) -> Any:
        """Those that the card is to be in; None where they stay."""
        after = patched(self.before, self.patch)
        wanted = after.get("addressBookIds")
        if after.get("id") != self.before["id"]:
            raise invalid_properties("it stays", "id")
        return None if wanted == self.before["addressBookIds"] else wanted or {}

    def edit(self, card: Card) -> Card | None:
        """The card with the patch. Raises SetError."""
        own = {name: self.before[name] for name in _OWN}
        after = patched({**card, **own}, self.patch)
        made = {name: one for name, one in after.items() if name not in _OWN and one is not None}
        if made.get("uid") != card.get("uid"):
            raise invalid_properties("it stays", "uid")
        if made == card:
            return None
        _check(made, card)
        if "updated" not in self.patch:
            made["updated"] = self.now
            self.told["updated"] = self.now
        return made


class ContactCardCopy:
    """ContactCard/copy (RFC 9610 §3.6): from another account, of which a login has none."""

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(dict(members))
        source, target = arguments.id("fromAccountId"), arguments.id("accountId")
        for name in ("ifFromInState", "ifInState", "destroyFromIfInState"):
            arguments.text(name)
        arguments.objects("create")
        arguments.flag("onSuccessDestroyOriginal")
        arguments.end()
        contacts_account(call, target)
        if source == target:
            raise invalid_arguments("fromAccountId: another account is needed")
        raise MethodError("fromAccountNotFound")


def shown(stored: Stored) -> Object:
    """The card as JMAP has it."""
    listed = stored.listed
    own = {"id": f"C{listed.id}", "addressBookIds": {book_id(listed.book): True}}
    return {**stored.content.card(), **own}


def _number(id_: str) -> int:
    """0 for what is no id."""
    found = _ID.fullmatch(id_)
    return int(found[1]) if found is not None else 0


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check(card: Card, before: Mapping[str, Any] | None = None) -> None:
    """Raises SetError; what was stored so already may stay so."""
    wrong = [
        name for name in wrong_properties(card) if not before or before.get(name) != card[name]
    ]
    if wrong:
        raise invalid_properties("have a wrong value", *wrong)


def _refused(error: ContactError) -> SetError:
    if isinstance(error, NoSuchContact):
        return SetError("notFound")
    if isinstance(error, TooManyContacts):
        return SetError("overQuota", str(error))
    if isinstance(error, ContactExists):
        return SetError("alreadyExists", str(error))
    if isinstance(error, BadContact):
        return invalid_properties(str(error))
    return SetError("rateLimit", str(error))
