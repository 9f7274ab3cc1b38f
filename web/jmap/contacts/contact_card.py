"""ContactCard objects: /get, /changes and /set (RFC 9610 §3)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from config.clock import Clock
from message.jscontact import Card
from message.jscontact_check import wrong_properties
from net.threads import Offload
from storage.config_changes import state_of
from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.contact_service import ContactService
from storage.contact_values import (
    BadContact,
    ContactError,
    ContactExists,
    Listed,
    NoSuchContact,
    Stored,
    TooManyContacts,
)
from web.jmap.arguments import too_many
from web.jmap.contacts.accounts import (
    CONTACTS,
    contacts_account,
    needs,
    rights_in,
    seen,
    shown_state,
    since_of,
)
from web.jmap.contacts.address_book import AddressBookType, book_id
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.limits import Limits
from web.jmap.methods import Call
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
        offload: Offload,
    ) -> None:
        self._database, self._service, self._books = database, service, books
        self._limits, self._clock, self._offload = limits, clock, offload

    def account(self, call: Call[Context], account_id: str) -> Account:
        return contacts_account(call, account_id)

    def is_read_only(self, account: Account) -> bool:
        return account.read_only

    def picked(self, names: Sequence[str]) -> frozenset[str]:
        if len(names) > MAX_NAMES:
            raise too_many("properties", MAX_NAMES)
        return frozenset(names)

    async def state(self, account: Account) -> str:
        return shown_state(account, str(await state_of(self._database, account.id, _KINDS)))

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        state = await state_of(self._database, account.id, _KINDS)
        if (modseq := since_of(account, since)) > state:
            raise MethodError("cannotCalculateChanges")
        found = await self._service.cards.became(account.id, modseq, limit, seen(account))
        until = found.until if found.has_more else max(state, modseq)
        created, updated, destroyed = (
            [f"C{one}" for one in ids] for ids in (found.created, found.updated, found.destroyed)
        )
        return Changes(
            shown_state(account, str(until)), created, updated, destroyed, found.has_more
        )

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
                if not rights_in(account, stored.listed.book):
                    continue
                one = shown(stored)
                if not every:
                    one = {name: one[name] for name in one.keys() & {"id", *properties}}
                account.budget.take(len(orjson.dumps(one)))
                held[one["id"]] = one
        return [held[id_] for id_ in ids if id_ in held], [id_ for id_ in ids if id_ not in held]

    async def _all(self, account: Account) -> list[str]:
        """Raises MethodError where they are too many for one answer."""
        books = await self._books.all(account)
        count = sum(book.cards for book in books)
        if count > self._limits.objects_in_get:
            raise too_many("objects", self._limits.objects_in_get)
        listed = self._service.cards.listed
        return [f"C{one.id}" for book in books async for one in listed(account.id, book.id)]

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        given = dict(made)
        if "id" in given:
            raise invalid_properties("the server sets it", "id")
        book = await self._book(call, account, given.pop("addressBookIds", None))
        now = _utc(self._clock.now())
        card: Card = {"@type": "Card", "version": "1.0", "created": now, "updated": now, **given}
        _check(card)
        if "uid" in card and (existing := await self._same(account, str(card["uid"]))):
            raise SetError("alreadyExists", "a card has this uid", existingId=existing)
        try:
            put = await self._service.add(account.id, card, book)
        except ContactError as error:
            raise _refused(error) from None
        stored = await self._service.cards.get(account.id, put.card.id)
        found = shown(stored)
        return {name: value for name, value in found.items() if made.get(name, made) != value}

    async def _same(self, account: Account, uid: str) -> str:
        """The id of a card that has it already, or ""."""
        for one in await self._service.cards.by_uid(account.id, uid):
            if rights_in(account, one.listed.book):
                return f"C{one.listed.id}"
        return ""

    async def stored(self, account: Account, id_: str) -> Stored:
        """A card that is seen. Raises NoSuchContact."""
        found = await self._service.cards.get(account.id, _number(id_))
        if not rights_in(account, found.listed.book):
            raise NoSuchContact("There is no such contact")
        return found

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        told: Object = {}
        try:
            stored = await self.stored(account, id_)
            needs(account, stored.listed.book, "w")
            change = _Change(shown(stored), patch, _utc(self._clock.now()))
            place = None
            if (books := change.books) is not None:
                place = (await self._book(call, account, books), "")
            await self._service.change(account.id, stored.listed.id, change.edit, place=place)
            told = change.told
        except ContactError as error:
            raise _refused(error) from None
        return told or None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        try:
            stored = await self.stored(account, id_)
            needs(account, stored.listed.book, "w")
            await self._service.cards.delete_id(account.id, stored.listed.id)
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
            book = (await self._books.book(account, id_)).id
        except SetError:
            raise invalid_properties("there is no such address book", "addressBookIds") from None
        needs(account, book, "w")
        return book


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


def shown(stored: Stored) -> Object:
    """The card as JMAP has it."""
    return {**stored.content.card(), **own_of(stored.listed)}


def own_of(listed: Listed) -> Object:
    """What JMAP adds to a card."""
    return {"id": f"C{listed.id}", "addressBookIds": {book_id(listed.book): True}}


def _number(id_: str) -> int:
    """0 for what is no id."""
    found = _ID.fullmatch(id_)
    return int(found[1]) if found is not None else 0


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check(card: Card, before: Mapping[str, Any] | None = None) -> None:
    """Raises SetError; what was stored so already may stay so."""
    if wrong := wrong_properties(card, before):
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
