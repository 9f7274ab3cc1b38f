"""ContactCard/query and /queryChanges (RFC 9610 §3.3, §3.4): cards are read in pieces and matched
one by one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from storage.contact_values import Stored
from web.jmap.arguments import utc_date
from web.jmap.contacts.accounts import rights_in
from web.jmap.contacts.contact_card import ContactCardType, shown
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.filters import meets
from web.jmap.standard import Object
from web.jmap.standard_query import Query, Queryable

Test = Callable[[Object], bool]
Condition = Sequence[Test]
_SORTS: Final = ("created", "updated", "name/given", "name/surname", "name/surname2")


class ContactCardQuery(ContactCardType, Queryable[Context, Account, Condition]):
    """ContactCard with its queries."""

    sorts: ClassVar = frozenset(_SORTS)

    def condition(self, members: Object) -> Condition:
        tests = []
        for name, value in members.items():
            if name not in _CONDITIONS:
                raise MethodError("unsupportedFilter", f"filter: {name[:100]} is not known")
            if not isinstance(value, str):
                raise invalid_arguments(f"filter: {name} has a value of the wrong type")
            tests.append(_CONDITIONS[name](value))
        return tests

    async def query(self, account: Account, query: Query[Condition]) -> Sequence[str]:
        found: list[tuple[str, int, list[Any]]] = []
        async for stored in self._service.cards.stored(account.id):
            if not rights_in(account, stored.listed.book):
                continue
            one = _known(stored)
            if meets(query.filter, lambda tests: all(test(one) for test in tests)):  # noqa: B023 - asked at once
                keys = [_key(one, comparator.property) for comparator in query.sort]
                found.append((one["id"], stored.listed.id, keys))
        found.sort(key=lambda entry: entry[1])
        for place, comparator in reversed(list(enumerate(query.sort))):
            compared = COMPARED[comparator.collation or USUAL]
            found.sort(
                key=lambda entry: compared(entry[2][place]),
                reverse=not comparator.ascending,
            )
        return [id_ for id_, _, _ in found]


def _known(stored: Stored) -> Object:
    """With the times of the row where the card says none."""
    listed = stored.listed
    times = {"created": rfc3339(listed.created), "updated": rfc3339(listed.changed)}
    return {**times, **shown(stored)}


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
