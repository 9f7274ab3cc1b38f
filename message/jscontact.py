"""What is asked of a JSContact Card (RFC 9553), which is a dict as JSON has it. Pure.

Cards come from outside: whatever has another type than the standard says counts as absent.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

Card = dict[str, Any]

MAX_WORDS: Final = 40
_WORD: Final = re.compile(r"[^\s,;:()<>\"'@._+-]+")
_UUID: Final = "urn:uuid:"


def text_of(value: object) -> str:
    """A string, or ""; without what no database takes."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def objects(card: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of a map of objects, those preferred first (RFC 9553 §1.5.3)."""
    held = card.get(name)
    if not isinstance(held, dict):
        return
    found = [(key, one) for key, one in held.items() if isinstance(one, dict)]
    yield from sorted(found, key=lambda entry: _preference(entry[1]))


def _preference(one: Mapping[str, Any]) -> int:
    pref = one.get("pref")
    return pref if isinstance(pref, int) and 1 <= pref <= 100 else 101


def kind_of(card: Mapping[str, Any]) -> str:
    """`kind`; "individual" when the card doesn't say (RFC 9553 §2.1.4)."""
    return text_of(card.get("kind")).lower() or "individual"


def uid_key(uid: str) -> str:
    """One key for what programs write with `urn:uuid:` or without, in any case."""
    lower = uid.strip().lower()
    return lower.removeprefix(_UUID)


def members_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """UIDs of the members of a group, in order."""
    held = card.get("members")
    if not isinstance(held, dict):
        return ()
    return tuple(text_of(uid) for uid, there in held.items() if there is True)


def emails_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses, the preferred first."""
    found = (text_of(one.get("address")).strip() for _, one in objects(card, "emails"))
    return tuple(one for one in found if one)


def name_components(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and value of each part of the name, as ordered."""
    name = card.get("name")
    held = name.get("components") if isinstance(name, dict) else None
    if not isinstance(held, list):
        return []
    parts = [one for one in held if isinstance(one, dict)]
    return [(text_of(one.get("kind")), text_of(one.get("value"))) for one in parts]


def full_name(card: Mapping[str, Any]) -> str:
    """What the card says, or is made of its parts; failing that a nickname or an organization."""
    name = card.get("name")
    if isinstance(name, dict):
        if full := text_of(name.get("full")).strip():
            return full
        if made := composed_name(name):
            return made
    for where in ("nicknames", "organizations"):
        for _, one in objects(card, where):
            if found := text_of(one.get("name")).strip():
                return found
    return ""


_SPOKEN: Final = (
    "title",
    "given",
    "given2",
    "surname",
    "surname2",
    "generation",
    "credential",
)


def composed_name(name: Mapping[str, Any]) -> str:
    """A full name out of the parts of one (RFC 9553 §2.2.1)."""
    parts = name_components({"name": name})
    if name.get("isOrdered") is True:
        between = name.get("defaultSeparator")
        joint = text_of(between) if isinstance(between, str) else " "
        made = ""
        separated = True
        for kind, value in parts:
            if kind == "separator":
                made, separated = made + value, True
                continue
            made += value if separated else joint + value
            separated = False
        return made.strip()
    order = {kind: place for place, kind in enumerate(_SPOKEN)}
    known = [one for one in parts if one[0] in order and one[1]]
    known.sort(key=lambda one: order[one[0]])
    return " ".join(value for _, value in known)


def folded(text: str) -> str:
    """For comparing: case and accents away."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


def words_of(text: str) -> list[str]:
    """The words of a text as they are searched."""
    return _WORD.findall(folded(text))


def search_words(card: Mapping[str, Any]) -> frozenset[str]:
    """By what beginnings a card is completed: name, nicknames, organizations and addresses."""
    found: list[str] = words_of(full_name(card))
    for _, value in name_components(card):
        found += words_of(value)
    for where in ("nicknames", "organizations"):
        for _, one in objects(card, where):
            found += words_of(text_of(one.get("name")))
    for address in emails_of(card):
        found += [folded(address), *words_of(address)]
    return frozenset(word[:64] for word in found[:MAX_WORDS])


def canonical(card: Mapping[str, Any]) -> str:
    """The card as text; equal cards have equal texts."""
    return json.dumps(card, sort_keys=True, separators=(",", ":"))
