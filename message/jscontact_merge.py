"""Cards of one person made one. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from message.jscontact import Card, canonical, emails_of, folded, full_name, kind_of

# What says which card it is and when it was written, not who the person is.
_OWN: Final = frozenset({"@type", "version", "uid", "kind", "created", "updated", "prodId"})
# By what two entries say the same.
_SAYS: Final = ("address", "number", "uri", "name", "note", "language", "value", "full")


def merged(cards: Sequence[Card]) -> Card:
    """The first card with what the others say more; where they contradict, the first is right."""
    made = dict(cards[0])
    for other in cards[1:]:
        for name, value in other.items():
            if name in _OWN:
                continue
            if name not in made:
                made[name] = value
            elif name == "vCardProps" and isinstance(made[name], list) and isinstance(value, list):
                made[name] = [*made[name], *(one for one in value if one not in made[name])]
            elif name == "name":
                made[name] = _names(made[name], value)
            elif isinstance(made[name], dict) and isinstance(value, dict):
                made[name] = _maps(made[name], value)
    return made


def _names(first: Any, other: Any) -> Any:
    if not isinstance(first, dict) or not isinstance(other, dict):
        return first
    return {**other, **first} if "components" not in first else first


def _maps(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Entries of the other that say something new, under keys of their own."""
    made = dict(first)
    known = {_said(one) for one in first.values()}
    for key, one in other.items():
        if not isinstance(one, dict):
            made.setdefault(key, one)
            continue
        if (said := _said(one)) in known:
            continue
        known.add(said)
        number = len(made) + 1
        while key in made:
            key, number = str(number), number + 1
        made[key] = one
    return made


def _said(one: Any) -> str:
    if not isinstance(one, dict):
        return ""
    held = [folded(one[name]).strip() for name in _SAYS if isinstance(one.get(name), str)]
    return "\n".join(held) or canonical(one)


def marks_of(card: Card) -> frozenset[str]:
    """What two cards of one person have in common: an address or the whole name."""
    if kind_of(card) != "individual":
        return frozenset()
    marks = {f"@{folded(address)}" for address in emails_of(card)}
    if len(name := folded(full_name(card)).split()) > 1:
        marks.add(" ".join(sorted(name)))
    return frozenset(marks)


def duplicates(cards: Iterable[tuple[int, Iterable[str]]]) -> list[list[int]]:
    """Ids of cards that have marks in common, each with its marks; the first come first."""
    leader: dict[int, int] = {}
    holder: dict[str, int] = {}

    def find(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    for number, marks in cards:
        leader[number] = number
        for mark in marks:
            other = find(holder.setdefault(mark, number))
            first, last = sorted((other, find(number)))
            leader[last] = first
    found: dict[int, list[int]] = {}
    for number in leader:
        found.setdefault(find(number), []).append(number)
    return [sorted(ids) for ids in found.values() if len(ids) > 1]
