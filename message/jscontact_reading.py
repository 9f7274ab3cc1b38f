"""JSContact out of vCard by the rules of RFC 9555 §2: what has no place in JSContact stays in
`vCardProps`. Pure.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from message.jscontact import Card
from message.jscontact_dates import date_of, utc
from message.jscontact_names import ADDRESS, NAME, address_parts, name_parts, ordered
from message.jscontact_params import FEATURES, common, params_of, types_of
from message.vcard import Property, Vcard
from message.vcard_values import components, escaped, split, texts, unescaped, uri

# Their places in JSContact keep no parameters, ALTID neither.
_SETS: Final = ("CATEGORIES", "MEMBER", "RELATED", "X-ADDRESSBOOKSERVER-MEMBER")
_IMAGE: Final = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio"}


def jscontact_of(vcard: Vcard, uid: str = "") -> Card:
    """The Card; `uid` is for a vCard without one."""
    return _Reading(vcard, uid).card


class _Reading:
    def __init__(self, vcard: Vcard, uid: str) -> None:
        self.card: Card = {"@type": "Card", "version": "1.0"}
        self._labels = {
            one.group: unescaped(one.value)
            for one in vcard.properties
            if one.name == "X-ABLABEL" and one.group
        }
        groups = [one.group for one in vcard.properties if one.group]
        self._shared = {group for group in groups if groups.count(group) > 2}
        self._used: set[str] = set()
        self._languages: dict[tuple[str, str], str] = {}
        later = [one for one in vcard.properties if one.name != "JSPROP"]
        for one in later:
            if one.name != "X-ABLABEL" or not one.group:
                self._read(one)
        for one in vcard.all("X-ABLABEL"):
            if one.group and one.group not in self._used:
                self.keep(one)
        for one in vcard.all("JSPROP"):
            if not self._pointed(one):
                self.keep(one)
        if not self.card.get("name", True):
            del self.card["name"]
        self.card.setdefault("uid", uid)

    def _read(self, one: Property) -> None:
        if one.name in ("FN", "N") and not one.value.strip(" ;,"):
            return  # a vCard must have them
        handler = _HANDLERS.get(one.name)
        if handler is None or self._other_language(one) or not handler(self, one):
            self.keep(one)

    def _other_language(self, one: Property) -> bool:
        """The same in another language than that which came first: kept as it is."""
        altid = one.first("ALTID")
        if not altid or one.name in _SETS:
            return False
        language = one.first("LANGUAGE").lower()
        return self._languages.setdefault((one.name, altid), language) != language

    def keep(self, one: Property) -> None:
        """As jCard, its value as it is escaped (RFC 7095 §5.1)."""
        kind, value = one.first("VALUE").lower() or "unknown", one.value
        if kind == "text":
            value = unescaped(one.value)
            if escaped(value) != one.value:  # several texts: what is escaped tells them apart
                kind, value = "unknown", one.value
        params = params_of(one, *(() if kind == "unknown" else ("VALUE",)))
        if one.group:
            params["group"] = one.group
        made = [one.name.lower(), params, kind, value]
        self.card.setdefault("vCardProps", []).append(made)

    def _pointed(self, one: Property) -> bool:
        """JSPROP (RFC 9555 §3.2.1) of what vCard has no property for."""
        name = one.first("JSPTR").strip("/")
        if not name or "/" in name or name in self.card or name in ("uid", "@type", "version"):
            return False
        try:
            self.card[name] = json.loads(unescaped(one.value))
        except (ValueError, RecursionError):
            return False
        return True

    def label(self, one: Property) -> str:
        found = self._labels.get(one.group, "") if one.group else ""
        if found:
            self._used.add(one.group)
        return found

    def common(self, one: Property, *taken: str) -> dict[str, Any]:
        label = self.label(one)
        alone = label and one.group not in self._shared
        return common(replace(one, group="") if alone else one, label, *taken)

    def put(self, name: str, one: Property, made: dict[str, Any]) -> bool:
        held: dict[str, Any] = self.card.setdefault(name, {})
        key = one.first("PROP-ID")
        number = len(held) + 1
        while not key or key in held:
            key = f"{number}"
            number += 1
        held[key] = made
        return True


_Handler = Callable[[_Reading, Property], bool]


def _single(name: str, read: Callable[[str], str]) -> _Handler:
    def handle(to: _Reading, one: Property) -> bool:
        value = read(one.value)
        if not value or name in to.card:
            return False
        to.card[name] = value
        return True

    return handle


def _object(name: str, key: str, **fixed: str) -> _Handler:
    """A map of objects that hold one text."""

    def handle(to: _Reading, one: Property) -> bool:
        value = unescaped(one.value).strip()
        made = {key: value, **fixed, **to.common(one)}
        return bool(value) and to.put(name, one, made)

    return handle


def _full_name(to: _Reading, one: Property) -> bool:
    if one.first("DERIVED").lower() == "true":
        return True  # made of other properties (RFC 9554 §4.4)
    name = to.card.setdefault("name", {})
    if "full" in name:
        return False
    name["full"] = unescaped(one.value)
    return True


def _name(to: _Reading, one: Property) -> bool:
    name = to.card.setdefault("name", {})
    parts = name_parts(one.value)
    if "components" in name:
        return False
    if parts:
        name["components"] = parts
        if order := one.first("JSCOMPS"):
            ordered(name, order, one.value, NAME)
    sort = components(";".join(one.param("SORT-AS")).replace(",", ";"))
    keys = {kind: held[0] for kind, held in zip(NAME, sort, strict=False) if held}
    if keys:
        name["sortAs"] = keys
    return True


def _nickname(to: _Reading, one: Property) -> bool:
    names = texts(one.value)
    for text in names:
        to.put("nicknames", one, {"name": text, **to.common(one)})
    return bool(names)


def _organization(to: _Reading, one: Property) -> bool:
    parts = [unescaped(piece).strip() for piece in split(one.value, ";")]
    made: dict[str, Any] = {}
    sort = one.first("SORT-AS").split(",") if one.first("SORT-AS") else []
    if parts[0]:
        made["name"] = parts[0]
    if sort and sort[0]:
        made["sortAs"] = sort[0]
    if units := [{"name": text} for text in parts[1:] if text]:
        made["units"] = units
    return bool(made) and to.put("organizations", one, {**made, **to.common(one, "SORT-AS")})


def _email(to: _Reading, one: Property) -> bool:
    address = unescaped(one.value).strip()
    address = address.removeprefix("mailto:")
    made = {"address": address, **to.common(one)}
    params = made.get("vCardParams", {})
    if params.get("type") == "internet":  # says nothing, in 3.0 every address has it
        params.pop("type")
        if not params:
            made.pop("vCardParams")
    return bool(address) and to.put("emails", one, made)


def _phone(to: _Reading, one: Property) -> bool:
    number = unescaped(one.value).strip()
    made = {"number": number, **to.common(one, "TYPE")}
    found = {FEATURES[each]: True for each in types_of(one) if each in FEATURES}
    if found:
        made["features"] = found
    known = {*FEATURES, "home", "work", "pref", "billing", "delivery"}
    if rest := [each for each in types_of(one) if each not in known]:
        made.setdefault("vCardParams", {})["type"] = rest[0] if len(rest) == 1 else rest
    return bool(number) and to.put("phones", one, made)


def _online(to: _Reading, one: Property) -> bool:
    names = ("SERVICE-TYPE", "X-SERVICE-TYPE", "USERNAME", "X-USER")
    made: dict[str, Any] = to.common(one, *names)
    is_text = one.first("VALUE").lower() == "text" or ":" not in one.value
    value = unescaped(one.value).strip() if is_text else uri(one.value)
    made["user" if is_text else "uri"] = value
    if user := one.first("USERNAME") or one.first("X-USER"):
        made["user"] = user
    if service := one.first("SERVICE-TYPE") or one.first("X-SERVICE-TYPE"):
        made["service"] = service
    if one.name != "SOCIALPROFILE":
        made["vCardName"] = one.name.lower()
    return bool(value) and to.put("onlineServices", one, made)


def _address(to: _Reading, one: Property) -> bool:
    names = ("LABEL", "GEO", "TZ", "CC", "JSCOMPS")
    made: dict[str, Any] = to.common(one, *names)
    if parts := address_parts(one.value):
        made["components"] = parts
        if order := one.first("JSCOMPS"):
            ordered(made, order, one.value, ADDRESS)
    for param, key in (("LABEL", "full"), ("GEO", "coordinates"), ("TZ", "timeZone")):
        if found := one.first(param):
            made[key] = unescaped(found) if param == "LABEL" else found
    if found := one.first("CC"):
        made["countryCode"] = found
    said = "components" in made or "full" in made
    return said and to.put("addresses", one, made)


def _media(to: _Reading, one: Property) -> bool:
    if not (found := _resource(one, _IMAGE.get(one.name, ""))):
        return False
    made = {"kind": one.name.lower(), "uri": found, **to.common(one, *_BINARY)}
    if media := one.first("MEDIATYPE"):
        made["mediaType"] = media
    return to.put("media", one, made)


_BINARY: Final = ("ENCODING", "MEDIATYPE", "TYPE")


def _key(to: _Reading, one: Property) -> bool:
    found = _resource(one, "application")
    made: dict[str, Any] = {"uri": found, **to.common(one, *_BINARY)}
    if media := one.first("MEDIATYPE"):
        made["mediaType"] = media
    return bool(found) and to.put("cryptoKeys", one, made)


def _resource(one: Property, tree: str) -> str:
    """A URI; binary data of 3.0 becomes one."""
    if one.first("ENCODING").upper() not in ("B", "BASE64"):
        value = one.value.strip()
        is_text = one.first("VALUE").lower() == "text"
        return "" if is_text or ":" not in value else uri(value)
    kind = next((each for each in types_of(one) if each not in ("home", "work", "pref")), "")
    subtype = {"jpg": "jpeg", "": "jpeg" if tree == "image" else "octet-stream"}.get(kind, kind)
    media = subtype if "/" in subtype else f"{tree}/{subtype}"
    return f"data:{media};base64,{''.join(one.value.split())}"


def _anniversary(kind: str) -> _Handler:
    def handle(to: _Reading, one: Property) -> bool:
        value = unescaped(one.value).strip()
        date = None if one.first("VALUE").lower() == "text" else date_of(value)
        if date is None:
            return False
        if date.get("year") is not None and one.first("X-APPLE-OMIT-YEAR") == str(date["year"]):
            date.pop("year")
        if scale := one.first("CALSCALE"):
            date["calendarScale"] = scale
        made = {"kind": kind, "date": date}
        return to.put(
            "anniversaries", one, {**made, **to.common(one, "CALSCALE", "X-APPLE-OMIT-YEAR")}
        )

    return handle


def _resources(name: str, kind: str = "") -> _Handler:
    def handle(to: _Reading, one: Property) -> bool:
        found = uri(one.value)
        made: dict[str, Any] = {"uri": found, **to.common(one, "MEDIATYPE")}
        if kind:
            made["kind"] = kind
        if media := one.first("MEDIATYPE"):
            made["mediaType"] = media
        return bool(found) and to.put(name, one, made)

    return handle


def _categories(to: _Reading, one: Property) -> bool:
    found = texts(one.value)
    to.card.setdefault("keywords", {}).update(dict.fromkeys(found, True))
    return bool(found)


def _note(to: _Reading, one: Property) -> bool:
    made: dict[str, Any] = {"note": unescaped(one.value)}
    if found := utc(one.first("CREATED")):
        made["created"] = found
    author = {"name": one.first("AUTHOR-NAME"), "uri": one.first("AUTHOR")}
    if author := {key: value for key, value in author.items() if value}:
        made["author"] = author
    return bool(one.value) and to.put(
        "notes", one, {**made, **to.common(one, "CREATED", "AUTHOR", "AUTHOR-NAME")}
    )


def _related(to: _Reading, one: Property) -> bool:
    value = _uri_or_text(one)
    relation = dict.fromkeys(types_of(one), True)
    held = to.card.setdefault("relatedTo", {}) if value else {}
    held.setdefault(value, {}).setdefault("relation", {}).update(relation)
    return bool(value)


def _member(to: _Reading, one: Property) -> bool:
    value = _uri_or_text(one)
    if value:
        to.card.setdefault("members", {})[value] = True
    return bool(value)


def _personal(kind: str) -> _Handler:
    levels = {"beginner": "low", "average": "medium", "expert": "high"}

    def handle(to: _Reading, one: Property) -> bool:
        made: dict[str, Any] = {"kind": kind, "value": unescaped(one.value).strip()}
        made |= to.common(one, "LEVEL", "INDEX")
        if level := one.first("LEVEL").lower():
            made["level"] = levels.get(level, level)
        if one.first("INDEX").isdecimal():
            made["listAs"] = int(one.first("INDEX"))
        return bool(made["value"]) and to.put("personalInfo", one, made)

    return handle


def _directory(kind: str) -> _Handler:
    def handle(to: _Reading, one: Property) -> bool:
        found = uri(one.value)
        made: dict[str, Any] = {"kind": kind, "uri": found, **to.common(one, "INDEX", "MEDIATYPE")}
        if one.first("INDEX").isdecimal():
            made["listAs"] = int(one.first("INDEX"))
        if media := one.first("MEDIATYPE"):
            made["mediaType"] = media
        return bool(found) and to.put("directories", one, made)

    return handle


def _gender(to: _Reading, one: Property) -> bool:
    value = unescaped(one.value).strip().lower()
    held = to.card.setdefault("speakToAs", {}) if value else {}
    if not value or "grammaticalGender" in held:
        return False
    held["grammaticalGender"] = value
    return True


def _pronouns(to: _Reading, one: Property) -> bool:
    value = unescaped(one.value).strip()
    held = to.card.setdefault("speakToAs", {}).setdefault("pronouns", {}) if value else {}
    key = one.first("PROP-ID") or str(len(held) + 1)
    held[key] = {"pronouns": value, **to.common(one)}
    return bool(value)


def _uri_or_text(one: Property) -> str:
    is_text = one.first("VALUE").lower() == "text" or ":" not in one.value
    return unescaped(one.value).strip() if is_text else uri(one.value)


def _lower(text: str) -> str:
    return unescaped(text).strip().lower()


def _trimmed(text: str) -> str:
    return unescaped(text).strip()


_HANDLERS: Final[dict[str, _Handler]] = {
    "UID": _single("uid", _trimmed),
    "KIND": _single("kind", _lower),
    "X-ADDRESSBOOKSERVER-KIND": _single("kind", _lower),
    "REV": _single("updated", utc),
    "CREATED": _single("created", utc),
    "PRODID": _single("prodId", _trimmed),
    "LANGUAGE": _single("language", _trimmed),
    "FN": _full_name,
    "N": _name,
    "NICKNAME": _nickname,
    "ORG": _organization,
    "TITLE": _object("titles", "name", kind="title"),
    "ROLE": _object("titles", "name", kind="role"),
    "EMAIL": _email,
    "TEL": _phone,
    "IMPP": _online,
    "SOCIALPROFILE": _online,
    "X-SOCIALPROFILE": _online,
    "LANG": _object("preferredLanguages", "language"),
    "ADR": _address,
    "PHOTO": _media,
    "LOGO": _media,
    "SOUND": _media,
    "KEY": _key,
    "BDAY": _anniversary("birth"),
    "DEATHDATE": _anniversary("death"),
    "ANNIVERSARY": _anniversary("wedding"),
    "URL": _resources("links"),
    "CONTACT-URI": _resources("links", "contact"),
    "CALURI": _resources("calendars", "calendar"),
    "FBURL": _resources("calendars", "freeBusy"),
    "CALADRURI": _resources("schedulingAddresses"),
    "SOURCE": _directory("entry"),
    "ORG-DIRECTORY": _directory("directory"),
    "CATEGORIES": _categories,
    "NOTE": _note,
    "RELATED": _related,
    "MEMBER": _member,
    "X-ADDRESSBOOKSERVER-MEMBER": _member,
    "EXPERTISE": _personal("expertise"),
    "HOBBY": _personal("hobby"),
    "INTEREST": _personal("interest"),
    "GRAMGENDER": _gender,
    "PRONOUNS": _pronouns,
}
