"""Whether a JSContact Card has the types that RFC 9553 gives its properties. Pure.

Properties that the standard does not know are let through (RFC 9553 §1.8.1).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from message.jscontact_dates import utc

_Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _stamp(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z") and bool(utc(value))


def _set(value: Any) -> bool:
    return isinstance(value, dict) and all(one is True for one in value.values())


def _pref(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 100


def _unsigned(value: Any) -> bool:
    return type(value) is int and value >= 0


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _object(needed: Mapping[str, _Check], known: Mapping[str, _Check]) -> _Check:
    both = {**_COMMON, **known, **needed}

    def check(value: Any) -> bool:
        if not isinstance(value, dict) or any(name not in value for name in needed):
            return False
        return all(name not in both or both[name](one) for name, one in value.items())

    return check


def _map(check: _Check) -> _Check:
    def each(value: Any) -> bool:
        return isinstance(value, dict) and all(map(check, value.values()))

    return each


def _list(check: _Check) -> _Check:
    def each(value: Any) -> bool:
        return isinstance(value, list) and all(map(check, value))

    return each


_COMMON: Final[Mapping[str, _Check]] = {
    "@type": _text,
    "contexts": _set,
    "pref": _pref,
    "label": _text,
    "vCardParams": lambda value: isinstance(value, dict),
}
_PARTS: Final = _list(_object({"kind": _text, "value": _text}, {}))
_RESOURCE: Final = _map(_object({"uri": _filled}, {"kind": _text, "mediaType": _text}))
_DATE: Final = _object({}, {"year": _unsigned, "month": _unsigned, "day": _unsigned, "utc": _stamp})
_CHECKS: Final[Mapping[str, _Check]] = {
    "@type": lambda value: value == "Card",
    "version": lambda value: value == "1.0",
    "uid": _filled,
    "kind": _filled,
    "created": _stamp,
    "updated": _stamp,
    "language": _filled,
    "prodId": _text,
    "members": _set,
    "keywords": _set,
    "relatedTo": _map(_object({}, {"relation": _set})),
    "name": _object(
        {},
        {
            "full": _text,
            "components": _PARTS,
            "isOrdered": _flag,
            "defaultSeparator": _text,
            "sortAs": _map(_text),
        },
    ),
    "nicknames": _map(_object({"name": _text}, {})),
    "organizations": _map(
        _object({}, {"name": _text, "units": _list(_object({"name": _text}, {}))})
    ),
    "titles": _map(_object({"name": _text}, {"kind": _text, "organizationId": _text})),
    "speakToAs": _object(
        {}, {"grammaticalGender": _text, "pronouns": _map(_object({"pronouns": _text}, {}))}
    ),
    "emails": _map(_object({"address": _filled}, {})),
    "phones": _map(_object({"number": _filled}, {"features": _set})),
    "onlineServices": _map(_object({}, {"service": _text, "uri": _text, "user": _text})),
    "preferredLanguages": _map(_object({"language": _filled}, {})),
    "addresses": _map(
        _object(
            {},
            {
                "components": _PARTS,
                "isOrdered": _flag,
                "countryCode": _text,
                "coordinates": _text,
                "timeZone": _text,
                "full": _text,
            },
        )
    ),
    "calendars": _RESOURCE,
    "schedulingAddresses": _RESOURCE,
    "cryptoKeys": _RESOURCE,
    "directories": _RESOURCE,
    "links": _RESOURCE,
    "media": _map(_object({"kind": _filled, "uri": _filled}, {"mediaType": _text})),
    "anniversaries": _map(_object({"kind": _filled, "date": _DATE}, {})),
    "notes": _map(_object({"note": _text}, {"created": _stamp})),
    "personalInfo": _map(_object({"kind": _filled, "value": _text}, {"level": _text})),
    "localizations": _map(lambda value: isinstance(value, dict)),
    "vCardProps": lambda value: isinstance(value, list),
}


def wrong_properties(card: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> list[str]:
    """Those of the card whose values have another type than the standard says; what was so `before`
    may stay so.
    """
    wrong = [name for name, value in card.items() if name in _CHECKS and not _CHECKS[name](value)]
    return [name for name in wrong if not before or before.get(name) != card[name]]
