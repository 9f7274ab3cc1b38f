"""Contacts by the book: files of vCard and CSV in and out, duplicates made one, and whom the
account wrote to as cards.

Invariants: what is read twice is there once; a file that breaks off in the middle leaves whole
cards; reading and writing of files is done beside the loop.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from message.contact_csv import Columns, NotCsv, read_csv, write_csv
from message.jscontact import Card, canonical, kind_of, members_of, uid_key
from message.jscontact_merge import duplicates, marks_of, merged
from message.jscontact_reading import jscontact_of
from message.jscontact_writing import vcard_of
from message.vcard import V3, V4, NotVcard, format_vcard, parse_vcards
from net.threads import Offload, Pool
from storage.contact_service import ContactService, href_of
from storage.contact_values import (
    MAX_CARDS,
    BadContact,
    Book,
    ContactExists,
    Content,
    Listed,
    NoSuchContact,
    Wanted,
)
from storage.directory_names import address_key
from storage.values import AccountId

MAX_FILE: Final = 128 * 1024 * 1024
SEEN: Final = Book("Seen", "seen", "Whom you wrote to", position=1000)
_BATCH: Final = 200
_NAMESPACE: Final = uuid.UUID("6f2b1c1e-7b0a-4c58-9d43-2d6d6a1c9f10")


class Format(StrEnum):
    """Of a file of contacts."""

    VCARD = "vcard"
    GOOGLE = "google"
    OUTLOOK = "outlook"


@dataclass(frozen=True, slots=True)
class Imported:
    """Cards that were `added`, that `changed` what was there, and that were there (`same`)."""

    added: int = 0
    changed: int = 0
    same: int = 0


class ContactExchange:
    """On top of a ContactService. Every call raises StoreUnavailable."""

    def __init__(self, service: ContactService, offload: Offload) -> None:
        self._service, self._offload = service, offload
        self._contacts = service.contacts

    async def read(self, account: AccountId, book: int, data: bytes) -> Imported:
        """The cards of a file, vCard or CSV, into a book; those whose UID the account has replace
        that card, in the book where it is. Raises BadContact, NoSuchContact, TooManyContacts.
        """
        if len(data) > MAX_FILE:
            raise BadContact(f"A file has at most {MAX_FILE} octets")
        cards = await self._offload.run(Pool.MIME, _contents, data)
        there = {uid_key(one.uid): one async for one in self._service.cards.listed(account)}
        found, new = Imported(), list[tuple[str, Content]]()
        for uid, content in cards.items():
            if (present := there.get(uid)) is None:
                new.append((href_of(content.card()), content))
                continue
            put = await self._service.cards.put(account, present.book, present.href, content)
            same = found.same + put.same
            found = replace(found, same=same, changed=found.changed + (not put.same))
        for start in range(0, len(new), _BATCH):
            some = new[start : start + _BATCH]
            await self._service.cards.add_all(account, book, some)
            found = replace(found, added=found.added + len(some))
        return found

    async def write(
        self, account: AccountId, kind: Format, book: int | None = None, version: str = ""
    ) -> bytes:
        """The cards of a book, or of all. vCards are as they were put, or of `version`."""
        made: list[bytes] = []
        cards: list[Card] = []
        async for stored in self._service.cards.stored(account, book):
            if kind is not Format.VCARD:
                cards.append(stored.content.card())
                continue
            one = stored.content.raw
            if version in (V3, V4):
                one = await self._service.vcard(stored, version)
            made.append(one if one.endswith(b"\n") else one + b"\r\n")
        if kind is Format.VCARD:
            return b"".join(made)
        people = [card for card in cards if kind_of(card) != "group"]
        return await self._offload.run(Pool.MIME, write_csv, people, Columns(kind.value))

    async def duplicates(self, account: AccountId) -> list[list[int]]:
        """Ids of cards that seem to be of one person each: an address or the name in common."""
        marked: list[tuple[int, frozenset[str]]] = []
        async for piece in self._service.cards.texts(account, ()):
            marked += await self._offload.run(Pool.MIME, _marked, piece)
        return await self._offload.run(Pool.MIME, duplicates, marked)

    async def merge(self, account: AccountId, ids: Sequence[int]) -> int:
        """The cards become the first of them, in groups too; what they were is kept. Returns its
        id. Raises NoSuchContact; Conflict where one of them is changed meanwhile.
        """
        numbers = list(dict.fromkeys(ids))
        held = {one.listed.id: one for one in await self._service.cards.by_id(account, numbers)}
        if len(held) != len(numbers) or len(numbers) < 2:
            raise NoSuchContact("Two or more contacts are merged")
        others = [held[number].content.card() for number in numbers[1:]]
        first = held[numbers[0]].listed
        await self._service.change(account, first.id, lambda card: merged([card, *others]))
        gone = {uid_key(held[number].listed.uid) for number in numbers[1:]}
        for group in await self._contacts.groups(account):
            await self._service.change(
                account, group.id, lambda card: _regrouped(card, gone, first.uid)
            )
        for number in numbers[1:]:
            known = Wanted(held[number].listed.etag)
            await self._service.cards.delete_id(account, number, known)
        return first.id

    async def collect(self, account: AccountId, addresses: Iterable[str] | None = None) -> int:
        """Who is in no book, of these or of all whom the account wrote to, becomes a card of the
        book "Seen". How many were added. Raises TooManyContacts, NoSuchAccount.
        """
        if addresses is None:
            addresses = [one.address for one in await self._contacts.correspondents.listed(account)]
        new = await self._contacts.strangers(account, addresses)
        if not new:
            return 0
        book, added = await self._seen_book(account), 0
        for start in range(0, len(new), _BATCH):
            some = new[start : start + _BATCH]
            cards = await self._offload.run(Pool.MIME, _seen, account, some)
            added += await self._add_new(account, book.id, cards)
        return added

    async def _seen_book(self, account: AccountId) -> Book:
        try:
            return await self._service.books.named(account, SEEN.slug)
        except NoSuchContact:
            pass
        try:
            return await self._service.books.add(account, SEEN)
        except ContactExists:  # made meanwhile
            return await self._service.books.named(account, SEEN.slug)

    async def _add_new(
        self, account: AccountId, book: int, cards: Sequence[tuple[str, Content]]
    ) -> int:
        """Those whose UID is not there."""
        try:
            return len(await self._service.cards.add_all(account, book, cards))
        except ContactExists:
            if len(cards) == 1:
                return 0
        return sum([await self._add_new(account, book, [one]) for one in cards])


def _marked(piece: Sequence[tuple[Listed, str]]) -> list[tuple[int, frozenset[str]]]:
    return [(listed.id, marks_of(json.loads(text))) for listed, text in piece]


def _seen(account: AccountId, addresses: Sequence[str]) -> list[tuple[str, Content]]:
    """With UIDs made of the addresses, so that none is added twice, whoever adds it."""
    found = []
    for address in addresses:
        made = uuid.uuid5(_NAMESPACE, f"seen/{account}/{address_key(address)}")
        card: Card = {"@type": "Card", "version": "1.0", "uid": f"urn:uuid:{made}"}
        card["emails"] = {"1": {"address": address}}
        found.append((href_of(card), Content.of(card, format_vcard(vcard_of(card)), V4)))
    return found


def _regrouped(group: Card, gone: set[str], uid: str) -> Card | None:
    members = members_of(group)
    if not any(uid_key(one) in gone for one in members):
        return None
    kept = dict.fromkeys((uid if uid_key(one) in gone else one for one in members), True)
    if sum(uid_key(one) == uid_key(uid) for one in kept) > 1:
        kept = {one: True for one in kept if uid_key(one) != uid_key(uid)} | {uid: True}
    return {**group, "members": kept}


def _contents(data: bytes) -> dict[str, Content]:
    """By UID; a card without gets one that is the same whenever it is read. Raises BadContact."""
    cards: list[tuple[Card, str]] = []
    try:
        if b"BEGIN:VCARD" in data[: 64 * 1024].upper():
            for vcard in parse_vcards(data):
                version = vcard.version if vcard.version in (V3, V4) else V3
                cards.append((jscontact_of(vcard), version))
        else:
            cards = [(card, V4) for card in read_csv(data)]
    except (NotVcard, NotCsv) as error:
        raise BadContact(str(error)) from error
    if len(cards) > MAX_CARDS:
        raise BadContact(f"A file has at most {MAX_CARDS} contacts")
    found: dict[str, Content] = {}
    for card, version in cards:
        card["uid"] = card.get("uid") or f"urn:uuid:{uuid.uuid5(_NAMESPACE, canonical(card))}"
        raw = format_vcard(vcard_of(card, version))
        found[uid_key(str(card["uid"]))] = Content.of(card, raw, version)
    if not found:
        raise BadContact("The file holds no contacts")
    return found
