"""ContactCard/query and /queryChanges (RFC 9610 §3.3, §3.4): what columns say of cards is asked of
the database; the rest is read in pieces, and matched and sorted beside the loop.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from config.clock import rfc3339
from message.collations import COMPARED, USUAL
from message.jscontact import (
    Card,
    folded,
    full_name,
    kind_of,
    members_of,
    name_components,
    objects,
    text_of,
    uid_key,
)
from net.threads import Pool
from storage.card_reader import Column, Equal
from storage.contact_values import Listed
from web.jmap.arguments import utc_date
from web.jmap.contacts.address_book import book_number
from web.jmap.contacts.contact_card import ContactCardType, own_of
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.filters import Combined, Filter, Operator, meets
from web.jmap.standard import Object
from web.jmap.standard_query import Query, Queryable

Test = Callable[[Object], bool]
_SORTS: Final = ("created", "updated", "name/given", "name/surname", "name/surname2")


@dataclass(frozen=True, slots=True)
class Condition:
    """What holds of a card: `equal` are columns of all cards that meet it; with `plain` the columns
    say all.
    """

    tests: Sequence[Test]
    equal: Equal
    plain: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A card that meets the filter, and what it is sorted by."""

    id: int
    keys: Sequence[str]


class ContactCardQuery(ContactCardType, Queryable[Context, Account, Condition]):
    """ContactCard with its queries."""

    sorts: ClassVar = frozenset(_SORTS)

    def condition(self, members: Object) -> Condition:
        tests, equal = [], list[tuple[Column, int | str]]()
        for name, value in members.items():
            if name not in _CONDITIONS:
                raise MethodError("unsupportedFilter", f"filter: {name[:100]} is not known")
            if not isinstance(value, str):
                raise invalid_arguments(f"filter: {name} has a value of the wrong type")
            tests.append(_CONDITIONS[name](value))
            equal += [_EQUAL[name](value)] if name in _EQUAL else []
        return Condition(tests, equal, members.keys() <= _EQUAL.keys())

    async def query(self, account: Account, query: Query[Condition]) -> Sequence[str]:
        equal, books = _equal(query.filter), account.books
        cards = self._service.cards
        found: list[_Found] = []
        if not query.sort and _is_plain(query.filter):
            async for page in cards.among(account.id, equal, books):
                found += _met(query, [(one, _columns(one)) for one in page])
        else:
            async for piece in cards.texts(account.id, equal, books):
                found += await self._offload.run(Pool.MIME, _read_and_met, query, piece)
            found = await self._offload.run(Pool.MIME, _sorted, query, found)
        return [f"C{one.id}" for one in found]


def _equal(found: Filter[Condition]) -> Equal:
    """Columns of all cards that meet the filter."""
    if not isinstance(found, Combined):
        return found.equal
    if found.operator is not Operator.AND:
        return ()
    return [one for part in found.parts for one in _equal(part)]


def _is_plain(found: Filter[Condition]) -> bool:
    if isinstance(found, Combined):
        return all(map(_is_plain, found.parts))
    return found.plain


def _read_and_met(query: Query[Condition], piece: Sequence[tuple[Listed, str]]) -> Sequence[_Found]:
    return _met(query, [(listed, _known(listed, text)) for listed, text in piece])


def _met(query: Query[Condition], cards: Iterable[tuple[Listed, Object]]) -> Sequence[_Found]:
    found = []
    for listed, card in cards:

        def holds(condition: Condition, one: Object = card) -> bool:
            return all(test(one) for test in condition.tests)

        if meets(query.filter, holds):
            found.append(_Found(listed.id, [_key(card, one.property) for one in query.sort]))
    return found


def _sorted(query: Query[Condition], found: Sequence[_Found]) -> list[_Found]:
    """Equal ones in the order that they came in."""
    made = list(found)
    for place, comparator in reversed(list(enumerate(query.sort))):
        compared = COMPARED[comparator.collation or USUAL]

        def key(one: _Found, place: int = place, compared: Any = compared) -> Any:
            return compared(one.keys[place])

        made.sort(key=key, reverse=not comparator.ascending)
    return made


def _columns(listed: Listed) -> Object:
    """What the columns say of a card."""
    return {"uid": listed.uid, "kind": listed.kind, **own_of(listed)}


def _known(listed: Listed, text: str) -> Object:
    """With the times of the row where the card says none."""
    times = {"created": rfc3339(listed.created), "updated": rfc3339(listed.changed)}
    return {**times, **json.loads(text), **own_of(listed)}


def _key(card: Card, property_: str) -> str:
    if not property_.startswith("name/"):
        return text_of(card.get(property_))
    kind = property_.removeprefix("name/")
    name = card.get("name")
    sort = name.get("sortAs") if isinstance(name, dict) else None
    if isinstance(sort, dict) and text_of(sort.get(kind)):
        return text_of(sort[kind])
    return " ".join(value for each, value in name_components(card) if each == kind)


def _texts(card: Card, name: str, *keys: str) -> Iterator[str]:
    for _, one in objects(card, name):
        for key in keys:
            yield text_of(one.get(key))


def _names(card: Card) -> Iterator[str]:
    yield full_name(card)
    for _, value in name_components(card):
        yield value


def _of_kind(kind: str) -> Callable[[Card], Iterator[str]]:
    def texts(card: Card) -> Iterator[str]:
        return (value for each, value in name_components(card) if each == kind)

    return texts


def _organizations(card: Card) -> Iterator[str]:
    for _, one in objects(card, "organizations"):
        yield text_of(one.get("name"))
        units = one.get("units")
        for unit in units if isinstance(units, list) else ():
            yield text_of(unit.get("name")) if isinstance(unit, dict) else ""


def _addresses(card: Card) -> Iterator[str]:
    for _, one in objects(card, "addresses"):
        yield text_of(one.get("full"))
        yield " ".join(value for _, value in name_components({"name": one}))


def _services(card: Card) -> Iterator[str]:
    return _texts(card, "onlineServices", "service", "uri", "user", "label")


def _fields(name: str, *keys: str) -> Callable[[Card], Iterator[str]]:
    return lambda card: _texts(card, name, *keys)


_SAID: Final[Mapping[str, Callable[[Card], Iterator[str]]]] = {
    "name": _names,
    "nickname": _fields("nicknames", "name"),
    "organization": _organizations,
    "email": _fields("emails", "address", "label"),
    "phone": _fields("phones", "number", "label"),
    "onlineService": _services,
    "address": _addresses,
    "note": _fields("notes", "note"),
}


def _every(card: Card) -> Iterator[str]:
    for texts in _SAID.values():
        yield from texts(card)
    yield from _texts(card, "titles", "name")
    held = card.get("keywords")
    yield from held if isinstance(held, dict) else ()


def _contains(texts: Callable[[Card], Iterator[str]]) -> Callable[[str], Test]:
    """All words, each somewhere in the texts."""

    def made(value: str) -> Test:
        words = folded(value).split()

        def test(card: Object) -> bool:
            held = [folded(text) for text in texts(card)]
            return all(any(word in text for text in held) for word in words)

        return test

    return made


def _in_book(value: str) -> Test:
    return lambda card: value in card["addressBookIds"]


def _has_member(value: str) -> Test:
    wanted = uid_key(value)
    return lambda card: any(uid_key(one) == wanted for one in members_of(card))


def _uid(value: str) -> Test:
    return lambda card: bool(card.get("uid") == value)


def _kind(value: str) -> Test:
    return lambda card: kind_of(card) == value


def _time(property_: str, *, before: bool) -> Callable[[str], Test]:
    """Before a time, or at it and later."""

    def made(value: str) -> Test:
        edge = utc_date(value)
        if edge is None:
            raise invalid_arguments("filter: a UTCDate is needed")

        def test(card: Object) -> bool:
            found = utc_date(card.get(property_))
            return found is not None and (found < edge) is before

        return test

    return made


_CONDITIONS: Final[Mapping[str, Callable[[str], Test]]] = {
    "inAddressBook": _in_book,
    "uid": _uid,
    "hasMember": _has_member,
    "kind": _kind,
    "createdBefore": _time("created", before=True),
    "createdAfter": _time("created", before=False),
    "updatedBefore": _time("updated", before=True),
    "updatedAfter": _time("updated", before=False),
    "text": _contains(_every),
    "name/given": _contains(_of_kind("given")),
    "name/surname": _contains(_of_kind("surname")),
    "name/surname2": _contains(_of_kind("surname2")),
    **{name: _contains(texts) for name, texts in _SAID.items()},
}

_EQUAL: Final[Mapping[str, Callable[[str], tuple[Column, int | str]]]] = {
    "inAddressBook": lambda value: ("book", book_number(value)),
    "kind": lambda value: ("kind", value),
    "uid": lambda value: ("uid_key", uid_key(value)),
}
