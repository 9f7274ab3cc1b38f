"""N and ADR: structured values of vCard (RFC 6350 §6.2.2, §6.3.1, RFC 9554 §2) as parts of
JSContact with their order (JSCOMPS, RFC 9555 §3.3.1), and back. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from message.vcard_values import components, escaped, split, unescaped

NAME: Final = ("surname", "given", "given2", "title", "credential", "surname2", "generation")
ADDRESS: Final = (
    "postOfficeBox",
    "apartment",
    "name",
    "locality",
    "region",
    "postcode",
    "country",
    "room",
    "apartment",
    "floor",
    "number",
    "name",
    "building",
    "block",
    "subdistrict",
    "district",
    "landmark",
    "direction",
)
# What older programs read in one place that has places of its own: where it is said twice.
_NAME_DOUBLED: Final = {0: (5,), 4: (6,)}
_OLD_ADDRESS: Final = 7
_EXTENDED: Final = (7, 8, 9)
_STREET: Final = (10, 11, 12, 13, 16, 17)
_OWN: Final = (7, 9, 10, 12, 13, 14, 15, 16, 17)
_OLD_NAME: Final = 5


def name_parts(value: str) -> list[dict[str, Any]]:
    """NameComponents of N, in its order."""
    held = components(value)[: len(NAME)]
    for place, others in _NAME_DOUBLED.items():
        again = {text for other in others if other < len(held) for text in held[other]}
        if place < len(held):
            held[place] = [text for text in held[place] if text not in again]
    return _parts(held, NAME)


def address_parts(value: str) -> list[dict[str, Any]]:
    """AddressComponents of ADR; the old places say nothing where the new ones speak."""
    held = components(value)[: len(ADDRESS)]
    for place, others in ((1, _EXTENDED), (2, _STREET)):
        if any(other < len(held) and held[other] for other in others):
            held[place] = []
    return _parts(held, ADDRESS)


def _parts(held: Sequence[Sequence[str]], kinds: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "value": text}
        for kind, texts in zip(kinds, held, strict=False)
        for text in texts
    ]


def name_value(parts: Iterable[tuple[str, str]], *, old: bool) -> str:
    """N out of kinds and values; `old`: with the five places of RFC 2426 and RFC 6350 alone."""
    held = _placed(parts, NAME)
    held[0] = [*held[0], *held[5]]
    held[4] = [*held[4], *held[6]]
    count = _OLD_NAME if old or not (held[5] or held[6]) else len(NAME)
    return _written(held[:count])


def address_value(parts: Iterable[tuple[str, str]], *, old: bool) -> str:
    """ADR, as name_value."""
    held = _placed(parts, ADDRESS)
    if not any(held[place] for place in _OWN):
        return _written(held[:_OLD_ADDRESS])
    # the old places repeat in one text what the new ones say apart
    held[8], held[11] = held[1], held[2]
    for place, others in ((1, _EXTENDED), (2, _STREET)):
        held[place] = [" ".join(text for other in others for text in held[other])]
    return _written(held[:_OLD_ADDRESS] if old else held)


def _placed(parts: Iterable[tuple[str, str]], kinds: Sequence[str]) -> list[list[str]]:
    held: list[list[str]] = [[] for _ in kinds]
    for kind, value in parts:
        if kind in kinds and value:
            held[kinds.index(kind)].append(value)
    return held


def _written(held: Iterable[Iterable[str]]) -> str:
    return ";".join(",".join(escaped(text) for text in texts if text) for texts in held)


def ordered(name: dict[str, Any], jscomps: str, value: str, kinds: Sequence[str]) -> None:
    """Gives `components` the order that JSCOMPS says; leaves them when it fits not to the value."""
    held = components(value)
    first, *rest = split(jscomps, ";")
    parts = []
    for entry in rest:
        if entry.startswith("s,"):
            parts.append({"kind": "separator", "value": unescaped(entry[2:])})
            continue
        place, _, number = entry.partition(",")
        try:
            at = int(place)
            parts.append({"kind": kinds[at], "value": held[at][int(number or 0)]})
        except (ValueError, IndexError):
            return
    name["components"], name["isOrdered"] = parts, True
    if first.startswith("s,"):
        name["defaultSeparator"] = unescaped(first[2:])


def jscomps(
    name: Mapping[str, Any], parts: Iterable[tuple[str, str]], value: str, kinds: Sequence[str]
) -> str:
    """JSCOMPS for what `value` holds of ordered components; "" when they can't all be said."""
    held = components(value)
    taken: set[tuple[int, int]] = set()
    between = name.get("defaultSeparator")
    entries = [f"s,{escaped(between)}" if isinstance(between, str) else ""]
    for kind, text in parts:
        if kind == "separator":
            entries.append(f"s,{escaped(text)}")
            continue
        spot = _spot(kind, text, held, kinds, taken)
        if spot is None:
            return ""
        taken.add(spot)
        entries.append(f"{spot[0]},{spot[1]}" if spot[1] else f"{spot[0]}")
    return ";".join(entries)


def _spot(
    kind: str,
    text: str,
    held: Sequence[Sequence[str]],
    kinds: Sequence[str],
    taken: set[tuple[int, int]],
) -> tuple[int, int] | None:
    for place in reversed(range(min(len(held), len(kinds)))):
        for number, there in enumerate(held[place]):
            if kinds[place] == kind and there == text.strip() and (place, number) not in taken:
                return place, number
    return None
