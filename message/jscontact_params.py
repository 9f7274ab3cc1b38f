"""Parameters of vCard properties and what they are in JSContact (RFC 9555 §2.2, §2.3). Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from message.vcard import V4, Params, Property

CONTEXTS: Final = {"home": "private", "work": "work", "billing": "billing", "delivery": "delivery"}
FEATURES: Final = {
    "voice": "voice",
    "fax": "fax",
    "cell": "mobile",
    "mobile": "mobile",
    "iphone": "mobile",
    "text": "text",
    "video": "video",
    "pager": "pager",
    "textphone": "textphone",
    "main-number": "main-number",
    "main": "main-number",
}
_TYPES: Final = {
    "private": "home",
    "work": "work",
    "billing": "billing",
    "delivery": "delivery",
    "mobile": "cell",
}
# Said in other ways by JSContact, or about the text alone.
_TAKEN: Final = ("TYPE", "PREF", "PROP-ID", "VALUE", "CHARSET")
_APPLE_LABEL: Final = ("_$!<", ">!$_")


def types_of(one: Property) -> list[str]:
    """Values of TYPE in lower case; a list in one quoted value counts as one."""
    joined = ",".join(one.param("TYPE")).lower()
    return [text for text in (each.strip() for each in joined.split(",")) if text]


def common(one: Property, label: str, *taken: str) -> dict[str, Any]:
    """What every object has: contexts, pref, label, vCardParams (RFC 9555 §2.15.1)."""
    made: dict[str, Any] = {}
    types = types_of(one)
    contexts = {CONTEXTS[each]: True for each in types if each in CONTEXTS}
    if contexts:
        made["contexts"] = contexts
    if pref := _pref(one.first("PREF"), types):
        made["pref"] = pref
    if label:
        made["label"] = plain_label(label)
    params = params_of(one, *_TAKEN, *taken)
    rest = [each for each in types if each not in CONTEXTS and each != "pref"]
    if "TYPE" not in taken and rest:
        params["type"] = rest[0] if len(rest) == 1 else rest
    if one.group:
        params["group"] = one.group
    if params:
        made["vCardParams"] = params
    return made


def _pref(text: str, types: list[str]) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    return 1 if "pref" in types else 0


def plain_label(label: str) -> str:
    """Apple's own labels are written _$!<Home>!$_."""
    start, end = _APPLE_LABEL
    return label.removeprefix(start).removesuffix(end) if label.startswith(start) else label


def params_of(one: Property, *taken: str) -> dict[str, Any]:
    """All other parameters as jCard has them (RFC 7095 §3.4)."""
    return {
        name.lower(): values[0] if len(values) == 1 else list(values)
        for name, values in one.params
        if name not in taken and values
    }


def written(made: Mapping[str, Any], version: str, types: list[str], key: str = "") -> Params:
    """The same the other way. `key` becomes PROP-ID, which 3.0 lacks."""
    params: dict[str, tuple[str, ...]] = {}
    kinds = [_TYPES.get(each, each) for each in _true(made.get("contexts"))] + types
    pref = made.get("pref")
    if type(pref) is int and 1 <= pref <= 100:
        if version == V4:
            params["PREF"] = (str(pref),)
        elif pref == 1:
            kinds.append("pref")
    kept = made.get("vCardParams")
    for name, value in kept.items() if isinstance(kept, dict) else ():
        if name.lower() == "type":
            kinds += _texts(value)
        elif name.lower() != "group" and is_token(name):
            params[name.upper()] = tuple(_texts(value))
    if kinds:
        params["TYPE"] = tuple(dict.fromkeys(kinds))
    if key and version == V4:
        params["PROP-ID"] = (key,)
    return tuple((name, values) for name, values in params.items() if values)


def group_of(made: Mapping[str, Any]) -> str:
    """The group that a property had, or ""."""
    kept = made.get("vCardParams")
    group = kept.get("group") if isinstance(kept, dict) else None
    return group if isinstance(group, str) and is_token(group) else ""


def is_token(text: object) -> bool:
    """Whether it can name a property, parameter or group (RFC 6350 §3.3)."""
    return (
        isinstance(text, str)
        and text.isascii()
        and bool(text)
        and text.replace("-", "").replace("_", "").isalnum()
    )


def features(made: Mapping[str, Any]) -> list[str]:
    """TYPE of a phone."""
    return [_TYPES.get(each, each) for each in _true(made.get("features"))]


def _true(held: object) -> list[str]:
    if not isinstance(held, dict):
        return []
    return [key for key, value in held.items() if value is True and is_token(key)]


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one if isinstance(one, str) else json.dumps(one) for one in values]
