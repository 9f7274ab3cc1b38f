"""Addresses by the beginnings of words, out of the cards of an account and whom it wrote to.

Every word that is typed begins a word of the card's name, nicknames, organizations or addresses.
Invariant: what is read is bounded, however many cards begin so.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, exists, select

from message.jscontact import folded, words_of
from storage.config_contact_tables import card, card_email, card_word
from storage.config_database import ConfigDatabase
from storage.config_user_tables import correspondent
from storage.values import AccountId

MAX_FOUND: Final = 100
_CARDS: Final = 200
_LAST: Final = "\U0010ffff"
_c, _e, _w, _s = card.c, card_email.c, card_word.c, correspondent.c


@dataclass(frozen=True, slots=True)
class Completion:
    """An address and who has it. `card` is 0 for somebody who is in no book; `written` says how
    often the account wrote there. A group has no address, its `kind` is "group".
    """

    name: str
    address: str
    card: int = 0
    kind: str = "individual"
    written: int = 0


async def complete(
    database: ConfigDatabase, account: AccountId, text: str, limit: int = 10, *, seen: bool = True
) -> list[Completion]:
    """At most `limit`, those written to most first; with `seen` also who is in no book. Raises
    StoreUnavailable.
    """
    typed = sorted(set(words_of(text)), key=len, reverse=True)[:8]
    if typed and "@" in text and (whole := folded(text.strip())):
        typed = [whole[:64]]
    limit = max(0, min(limit, MAX_FOUND))
    if not typed or not limit:
        return []
    return await database.finish(_complete(database, account, typed, limit, seen))


async def _complete(
    database: ConfigDatabase, account: AccountId, typed: list[str], limit: int, seen: bool
) -> list[Completion]:
    first = (
        select(_w.card)
        .where(_begins(typed[0]), _w.account == account)
        .order_by(_w.account, _w.word, _w.card)
    )
    for word in typed[1:]:
        other = card_word.alias()
        same = other.c.card == _w.card  # not the account: it would lead to the wrong index
        first = first.where(exists().where(same, _range(other.c.word, word)))
    async with database.reading() as at:
        ids = list(dict.fromkeys((await at.execute(first.limit(_CARDS))).scalars()))
        query = (
            select(_c.id, _c.name, _c.kind, _e.address, _e.key, _s["count"].label("written"))
            .outerjoin(card_email, _e.card == _c.id)
            .outerjoin(correspondent, (_s.account == account) & (_s.key == _e.key))
            .where(_c.id.in_(ids))
            .order_by(_c.id, _e.position)
        )
        rows = (await at.execute(query)).all() if ids else []
        others = (await at.execute(_strangers(account, typed, limit))).all() if seen else []
    known = {row.key for row in rows}
    found = [
        Completion(row.name, row.address or "", row.id, row.kind, row.written or 0)
        for row in rows
        if row.address or row.kind == "group"
    ]
    found += [
        Completion("", row.address, written=row.written) for row in others if row.key not in known
    ]
    found.sort(key=lambda one: (-one.written, not one.card, one.name.casefold(), one.address))
    return found[:limit]


def _begins(word: str) -> ColumnElement[bool]:
    return _range(_w.word, word)


def _range(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return (column >= word) & (column < word + _LAST)


def _strangers(account: AccountId, typed: list[str], limit: int) -> Select[Any]:
    query = select(_s.address, _s.key, _s["count"].label("written")).where(_s.account == account)
    for word in typed:
        query = query.where(_s.key.contains(word, autoescape=True))
    held = exists().where(_e.account == account, _e.key == _s.key)
    return query.where(~held).order_by(_s.last.desc()).limit(limit)
