"""ContactService: address books and cards as vCard and as JSContact, for all who ask for them.

Invariants: a vCard is stored with the JSContact that it means (RFC 9555), and given back byte for
byte; a JSContact that is equal to what is stored leaves the vCard as it was, another one gets a
vCard of the version that was there. Large cards are converted beside the loop.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from message.jscontact import Card, canonical, emails_of, full_name, members_of
from message.jscontact_reading import jscontact_of
from message.jscontact_writing import vcard_of
from message.vcard import V4, NotVcard, format_vcard, parse_vcard
from net.threads import Offload, Pool
from storage.cards import Put
from storage.contact_values import (
    ANY,
    BadContact,
    Conflict,
    Content,
    NoSuchContact,
    Stored,
    Wanted,
)
from storage.contacts import Contacts
from storage.directory_names import address_key
from storage.values import AccountId

P = ParamSpec("P")
T = TypeVar("T")
_LARGE: Final = 32 * 1024
_TRIES: Final = 5


class ContactService:
    """What is not about conversion is asked of `books` and `cards` themselves. Every call raises
    StoreUnavailable.
    """

    def __init__(self, contacts: Contacts, offload: Offload) -> None:
        self.contacts = contacts
        self.books, self.cards = contacts.books, contacts.cards
        self._offload = offload

    # vCard.

    async def put_vcard(
        self, account: AccountId, book: int, href: str, raw: bytes, wanted: Wanted = ANY
    ) -> Put:
        """The one vCard in `raw` under a name (PUT of CardDAV). Raises as Cards.put, BadContact
        also for what is no vCard or has no UID.
        """
        content = await self._apart(len(raw), content_of_vcard, raw)
        return await self.cards.put(account, book, href, content, wanted)

    async def vcard(self, stored: Stored, version: str) -> bytes:
        """The card in a version: as it was put when it was put so, else converted."""
        if stored.content.version == version:
            return stored.content.raw
        return await self._apart(len(stored.content.text), _converted, stored.content, version)

    # JSContact.

    async def add(
        self, account: AccountId, card: Mapping[str, Any], book: int | None = None
    ) -> Put:
        """A new card, in the default book unless another is named; it gets a UID if it has none.
        Raises as Cards.put.
        """
        made: Card = {"@type": "Card", "version": "1.0", **card}
        made["uid"] = made.get("uid") or f"urn:uuid:{uuid.uuid4()}"
        if book is None:
            book = (await self.books.default(account)).id
        content = await self._apart(_LARGE, _content, made, V4)
        return await self.cards.put(account, book, href_of(made), content, Wanted(absent=True))

    async def change(
        self,
        account: AccountId,
        number: int,
        edit: Callable[[Card], Card | None],
        *,
        place: tuple[int, str] | None = None,
        wanted: Wanted = ANY,
    ) -> Put:
        """The card with that id becomes what `edit` makes of it, from the newest state when others
        change it at the same time; None leaves it. `place` is another book and href ("" leaves
        it). Raises as Cards.change and what `edit` raises.
        """
        for _ in range(_TRIES):
            present = await self.cards.get(account, number)
            text, version = present.content.text, present.content.version
            made = edit(present.content.card())
            content = None
            if made is not None and canonical(made) != text:
                content = await self._apart(len(text), _content, made, version)
            known = wanted if wanted.etag else Wanted(present.listed.etag)
            try:
                return await self.cards.change(account, number, content, place=place, wanted=known)
            except Conflict:
                if wanted.etag or (await self.cards.get(account, number)) == present:
                    raise
        raise Conflict("The card is changed all the time")

    async def restore(self, account: AccountId, version: int) -> Put:
        """The card is again what it was; in the default book when its own is gone. Raises
        NoSuchContact, and as Cards.put.
        """
        was = await self.cards.version(account, version)
        try:
            book = (await self.cards.get(account, was.card)).listed.book
        except NoSuchContact:
            books = await self.books.all(account)
            book = next((one.id for one in books if one.id == was.book), 0)
            book = book or (await self.books.default(account)).id
            return await self.cards.put(account, book, was.href, was.content)
        return await self.cards.change(account, was.card, was.content, place=(book, ""))

    # People and groups by plain words.

    async def add_address(self, account: AccountId, email: str, name: str = "") -> Stored:
        """The first card that has the address, made if there is none; `name` becomes its name when
        it is not empty. Raises as Cards.put.
        """
        if not address_key(email):
            raise BadContact(f"{email!r} is not an address")
        found = await self.contacts.with_address(account, email)
        if not found:
            card: Card = {"emails": {"1": {"address": email}}}
            if name:
                card["name"] = {"full": name}
            return await self.cards.get(account, (await self.add(account, card)).card.id)
        stored = await self.cards.get(account, found[0].id)
        if name and name != found[0].name:
            renamed = {"name": {"full": name}}
            await self.change(account, found[0].id, lambda card: {**card, **renamed})
            stored = await self.cards.get(account, found[0].id)
        return stored

    async def join(self, account: AccountId, group: str, uids: Sequence[str]) -> Stored:
        """The cards become members of the group of that name, which is made if there is none.
        Raises as Cards.put.
        """
        members = dict.fromkeys(uids, True)
        try:
            number = (await self.contacts.group_named(account, group)).id
        except NoSuchContact:
            made = {"kind": "group", "name": {"full": group}, "members": members}
            number = (await self.add(account, made)).card.id
        else:
            await self.change(account, number, lambda card: _joined(card, members))
        return await self.cards.get(account, number)

    async def _apart(
        self, octets: int, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if octets < _LARGE:
            return call(*args, **kwargs)
        return await self._offload.run(Pool.MIME, call, *args, **kwargs)


def content_of_vcard(raw: bytes) -> Content:
    """The vCard as it is, and what it means. Raises BadContact."""
    try:
        vcard = parse_vcard(raw)
    except NotVcard as error:
        raise BadContact(str(error)) from error
    return Content.of(jscontact_of(vcard), raw, vcard.version)


def _content(card: Card, version: str) -> Content:
    """What JSContact means as a vCard. Raises BadContact."""
    if not (full_name(card) or emails_of(card) or len(card) > _EMPTY):
        raise BadContact("A card says something of somebody")
    return Content.of(card, format_vcard(vcard_of(card, version)), version)


_EMPTY: Final = len(("@type", "version", "uid"))


def _joined(group: Card, members: Mapping[str, bool]) -> Card:
    return {**group, "members": {**dict.fromkeys(members_of(group), True), **members}}


def _converted(content: Content, version: str) -> bytes:
    return format_vcard(vcard_of(content.card(), version))


def href_of(card: Card) -> str:
    """A name for the card made of its UID, or a new one where that is no plain name."""
    uid = str(card.get("uid", "")).removeprefix("urn:uuid:")
    plain = uid.isascii() and uid.replace("-", "").replace("_", "").isalnum() and len(uid) <= 200
    return f"{uid if plain else uuid.uuid4()}.vcf"
