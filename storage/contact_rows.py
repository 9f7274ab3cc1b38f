"""The statements of address books and cards: rows of config.db in, values out, one connection each.

Who may call when is storage/contacts.py.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from sqlalchemy import Table, delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from message.jscontact import Card, emails_of, full_name, kind_of, members_of, search_words, uid_key
from storage.config_contact_tables import (
    address_book,
    card,
    card_email,
    card_gone,
    card_history,
    card_member,
    card_word,
)
from storage.config_schema import account as accounts
from storage.contact_values import (
    MAX_ADDRESSES,
    Book,
    Content,
    Listed,
    NoSuchContact,
    Stored,
    Version,
)
from storage.directory_names import address_key
from storage.errors import NoSuchAccount
from storage.values import AccountId

T = TypeVar("T")
# Below the number of parameters that any SQLite takes in one statement (999).
BATCH: Final = 400
KEPT_VERSIONS: Final = 10
_b, _c, _h = address_book.c, card.c, card_history.c

LISTED: Final = (
    _c.id,
    _c.book,
    _c.href,
    _c.uid,
    _c.kind,
    _c.name,
    _c.etag,
    _c.octets,
    _c.version,
    _c.born,
    _c.modseq,
    _c.created,
    _c.changed,
)
_WIDTH: Final = len(LISTED)
STORED: Final = (*LISTED, _c.jscontact, _c.raw)


async def locked(at: AsyncConnection, account: AccountId) -> int:
    """Where the account stands; nobody else changes it until the transaction ends. Raises
    NoSuchAccount.
    """
    query = select(accounts.c.modseq).where(accounts.c.id == account).with_for_update()
    found: int | None = (await at.execute(query)).scalar()
    if found is None:
        raise NoSuchAccount("The account is gone")
    return found


def batches(items: Sequence[T], size: int = BATCH) -> Iterable[Sequence[T]]:
    """Few enough for one statement."""
    return (items[start : start + size] for start in range(0, len(items), size))


# Books.


def book_of(row: Any) -> Book:
    return Book(
        name=row.name,
        slug=row.slug,
        description=row.description,
        colour=row.colour,
        position=row.position,
        standard=row.standard,
        subscribed=row.subscribed,
        properties=json.loads(row.properties),
        id=row.id,
        born=row.born,
        modseq=row.modseq,
        changed=row.changed,
        cards=row.cards,
    )


def book_columns(book: Book) -> dict[str, Any]:
    return {
        "slug": book.slug,
        "name": book.name,
        "description": book.description,
        "colour": book.colour,
        "position": book.position,
        "standard": book.standard,
        "subscribed": book.subscribed,
        "properties": json.dumps(dict(book.properties)),
    }


async def insert_book(at: AsyncConnection, account: AccountId, book: Book, modseq: int) -> Book:
    values = {**book_columns(book), "account": account, "cards": 0, "octets": 0}
    values |= {"born": modseq, "modseq": modseq, "changed": modseq}
    made = (await at.execute(insert(address_book).values(values).returning(_b.id))).scalar_one()
    return replace(book, id=made, born=modseq, modseq=modseq, changed=modseq, cards=0)


async def find_book(at: AsyncConnection, account: AccountId, number: int) -> Book:
    """Raises NoSuchContact."""
    query = select(address_book).where(_b.account == account, _b.id == number)
    row = (await at.execute(query)).first()
    if row is None:
        raise NoSuchContact("There is no such address book")
    return book_of(row)


async def touch_book(
    at: AsyncConnection, number: int, modseq: int, cards: int, octets: int
) -> None:
    """Something in it changed; it has so many cards and octets more."""
    values = {"changed": modseq, "cards": _b.cards + cards, "octets": _b.octets + octets}
    await at.execute(update(address_book).where(_b.id == number).values(values))


# Cards.


def listed_of(row: Any) -> Listed:
    return Listed(*row[:_WIDTH])


def stored_of(row: Any) -> Stored:
    return Stored(listed_of(row), Content(row.jscontact, row.raw, row.version))


def version_of(row: Any) -> Version:
    content = Content(row.jscontact, row.raw, row.version)
    return Version(row.id, row.card, row.book, row.href, content, row.modseq, row.replaced)


def card_columns(content: Content, made: Card, etag: str) -> dict[str, Any]:
    uid = str(made["uid"])
    return {
        "uid": uid,
        "uid_key": uid_key(uid),
        "kind": kind_of(made),
        "name": full_name(made),
        "jscontact": content.text,
        "raw": content.raw,
        "version": content.version,
        "etag": etag,
        "octets": len(content.raw),
    }


async def write_index(
    at: AsyncConnection, account: AccountId, cards: Sequence[tuple[int, Card]]
) -> None:
    """By what the cards are found; nothing of them is there yet."""
    for table, rows in index_rows(account, cards):
        await at.execute(insert(table), rows)


def index_rows(
    account: AccountId, cards: Sequence[tuple[int, Card]]
) -> list[tuple[Table, list[dict[str, Any]]]]:
    """The rows of the tables by which cards are found."""
    emails, words, members = [], [], []
    for number, made in cards:
        for position, address in enumerate(emails_of(made)[:MAX_ADDRESSES]):
            key = address_key(address)
            row = {"card": number, "position": position, "account": account}
            emails.append({**row, "key": key, "address": address})
        words += [{"account": account, "word": word, "card": number} for word in search_words(made)]
        if kind_of(made) == "group":
            keys = dict.fromkeys(map(uid_key, members_of(made)))
            members += [{"card": number, "uid_key": key, "account": account} for key in keys]
    found = ((card_email, emails), (card_word, words), (card_member, members))
    return [(table, rows) for table, rows in found if rows]


async def remove_index(at: AsyncConnection, number: int) -> None:
    for table in (card_email, card_word, card_member):
        await at.execute(delete(table).where(table.c.card == number))


async def keep_version(at: AsyncConnection, number: int, modseq: int, now: float) -> None:
    """What the card is goes to its history, of which the last KEPT_VERSIONS stay."""
    names = ("account", "card", "book", "href", "jscontact", "raw", "version", "octets")
    columns = (_c.account, _c.id, _c.book, _c.href, _c.jscontact, _c.raw, _c.version, _c.octets)
    row = select(*columns, literal(modseq), literal(now)).where(_c.id == number)
    await at.execute(insert(card_history).from_select([*names, "modseq", "replaced"], row))
    newest = select(_h.id).where(_h.card == number).order_by(_h.id.desc())
    edge = (await at.execute(newest.offset(KEPT_VERSIONS).limit(1))).scalar()
    if edge is not None:
        await at.execute(delete(card_history).where(_h.card == number, _h.id <= edge))


async def write_gone(at: AsyncConnection, account: AccountId, gone: Listed, modseq: int) -> None:
    """The card is not in its book any more."""
    values = {"book": gone.book, "card": gone.id, "href": gone.href, "born": gone.born}
    await at.execute(insert(card_gone).values(account=account, modseq=modseq, **values))
