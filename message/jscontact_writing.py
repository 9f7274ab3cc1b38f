"""vCard out of JSContact by the rules of RFC 9555 §3, in 4.0 or 3.0. Pure.

Parts of a card that have another type than RFC 9553 says are left out.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from message.jscontact import Card, full_name, name_components, text_of
from message.jscontact_dates import date_text, stamp
from message.jscontact_names import ADDRESS, NAME, address_value, jscomps, name_value
from message.jscontact_params import features, group_of, is_token, written
from message.vcard import V4, Params, Property, Vcard
from message.vcard_values import escaped

_DATA: Final = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,(.*)", re.DOTALL | re.IGNORECASE)
_GROUPS: Final = re.compile(r'"group": "(item[0-9]+)"')
_LEVELS: Final = {"low": "beginner", "medium": "average", "high": "expert"}
_APPLE: Final = "X-ADDRESSBOOKSERVER-"
_NOT_PROPERTIES: Final = ("@type", "version", "vCardProps")


def vcard_of(card: Card, version: str = V4) -> Vcard:
    """The card as vCard of that version."""
    return Vcard(version, tuple(_Writing(card, version).lines()))


class _Writing:
    def __init__(self, card: Card, version: str) -> None:
        self.card, self.version = card, version
        self.new = version == V4
        self._groups = set(_GROUPS.findall(json.dumps(card).lower()))
        self._labels = 0

    def lines(self) -> Iterator[Property]:
        yield self._full()
        names = [name for name in _WRITERS if name in self.card]
        for name in names:
            yield from _WRITERS[name](self, self.card[name])
        if not self.new and not name_components(self.card):
            yield Property("N", ";;;;")  # 3.0 must have one
        for name, params, kind, value in _kept(self.card):
            yield _property(name, params, kind, value)
        for name, value in self.card.items():
            if name not in _WRITERS and name not in _NOT_PROPERTIES:
                pointer = (("JSPTR", (name,)),)
                yield Property("JSPROP", escaped(json.dumps(value)), pointer)

    def _full(self) -> Property:
        """FN, which every vCard has; DERIVED says that it repeats something (RFC 9554 §4.4)."""
        name = self.card.get("name")
        if isinstance(name, dict) and text_of(name.get("full")).strip():
            return Property("FN", escaped(text_of(name["full"])))
        derived: Params = (("DERIVED", ("true",)),) if self.new else ()
        return Property("FN", escaped(full_name(self.card)), derived)

    def objects(self, held: object) -> Iterator[tuple[str, dict[str, Any]]]:
        """With the key to write as PROP-ID: "" where reading gives the same."""
        if isinstance(held, dict):
            for number, (key, one) in enumerate(held.items(), 1):
                if isinstance(one, dict):
                    yield ("" if key == str(number) else key), one

    def property(
        self,
        name: str,
        value: str,
        made: Mapping[str, Any],
        key: str = "",
        types: list[str] | None = None,
        more: Params = (),
    ) -> Iterator[Property]:
        """One, with its label."""
        params = written(made, self.version, types or [], key)
        given = {each for each, _ in more}
        params = tuple(one for one in params if one[0] not in given) + more
        label = text_of(made.get("label"))
        group = group_of(made) or (self._group() if label else "")
        yield Property(name, value, params, group)
        if label:
            yield Property("X-ABLABEL", escaped(label), (), group)

    def _group(self) -> str:
        while True:
            self._labels += 1
            if (name := f"item{self._labels}") not in self._groups:
                return name


_Writer = Callable[[_Writing, Any], Iterator[Property]]


def _kept(card: Card) -> Iterator[tuple[str, dict[str, Any], str, object]]:
    held = card.get("vCardProps")
    for one in held if isinstance(held, list) else ():
        if isinstance(one, list) and len(one) >= 4 and is_token(one[0]):
            params = one[1] if isinstance(one[1], dict) else {}
            yield one[0], params, text_of(one[2]), one[3] if len(one) == 4 else one[3:]


def _property(name: str, params: dict[str, Any], kind: str, value: object) -> Property:
    rest = {"vCardParams": params}
    found = tuple(
        (key.upper(), tuple(map(str, values if isinstance(values, list) else [values])))
        for key, values in params.items()
        if key.lower() != "group" and is_token(key)
    )
    if kind != "unknown" and is_token(kind):
        found = (*found, ("VALUE", (kind,)))
    return Property(name.upper(), _jcard_value(kind, value), found, group_of(rest))


def _jcard_value(kind: str, value: object) -> str:
    """RFC 7095 §3.3."""
    values = value if isinstance(value, list) else [value]
    texts = [one if isinstance(one, str) else json.dumps(one) for one in values]
    if kind == "text":
        return (";" if isinstance(value, list) else ",").join(map(escaped, texts))
    return ",".join(texts)


def _single(name: str) -> _Writer:
    def write(to: _Writing, value: Any) -> Iterator[Property]:
        if text_of(value):
            yield Property(name, escaped(text_of(value)))

    return write


def _kind(to: _Writing, value: Any) -> Iterator[Property]:
    if text := text_of(value):
        yield Property("KIND" if to.new else f"{_APPLE}KIND", escaped(text))


def _stamp(name: str) -> _Writer:
    def write(to: _Writing, value: Any) -> Iterator[Property]:
        if text := stamp(text_of(value), to.version):
            yield Property(name, text)

    return write


def _members(to: _Writing, value: Any) -> Iterator[Property]:
    for uid, there in value.items() if isinstance(value, dict) else ():
        if there is True:
            text = uid if ":" in uid else escaped(uid)
            params: Params = () if ":" in uid or not to.new else (("VALUE", ("text",)),)
            yield Property("MEMBER" if to.new else f"{_APPLE}MEMBER", text, params)


def _name(to: _Writing, value: Any) -> Iterator[Property]:
    parts = name_components(to.card)
    if not isinstance(value, dict) or not parts:
        return
    text = name_value(parts, old=not to.new)
    params: list[tuple[str, tuple[str, ...]]] = []
    sort = value.get("sortAs")
    if to.new and isinstance(sort, dict):
        keys = [text_of(sort.get(kind)) for kind in NAME]
        while keys and not keys[-1]:
            keys.pop()
        if keys:
            params.append(("SORT-AS", tuple(keys)))
    if to.new and value.get("isOrdered") is True and (order := jscomps(value, parts, text, NAME)):
        params.append(("JSCOMPS", (order,)))
    yield Property("N", text, tuple(params))


def _texts(name: str, key: str, *, uri: bool = False) -> _Writer:
    def write(to: _Writing, value: Any) -> Iterator[Property]:
        for prop_id, one in to.objects(value):
            if text := text_of(one.get(key)):
                yield from to.property(name, text if uri else escaped(text), one, prop_id)

    return write


def _organizations(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        units = one.get("units")
        parts = [text_of(one.get("name"))]
        for unit in units if isinstance(units, list) else ():
            parts.append(text_of(unit.get("name")) if isinstance(unit, dict) else "")
        sort = text_of(one.get("sortAs"))
        more: Params = (("SORT-AS", (sort,)),) if sort and to.new else ()
        yield from to.property("ORG", ";".join(map(escaped, parts)), one, key, more=more)


def _titles(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        name = "ROLE" if one.get("kind") == "role" else "TITLE"
        if text := text_of(one.get("name")):
            yield from to.property(name, escaped(text), one, key)


def _emails(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        if text := text_of(one.get("address")):
            types = [] if to.new else ["internet"]
            yield from to.property("EMAIL", escaped(text), one, key, types)


def _phones(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        number = text_of(one.get("number"))
        is_uri = to.new and number.lower().startswith("tel:")
        if number and not to.new and number.lower().startswith("tel:"):
            number = number[4:]
        more: Params = (("VALUE", ("uri",)),) if is_uri else ()
        if number:
            text = number if is_uri else escaped(number)
            yield from to.property("TEL", text, one, key, features(one), more)


def _online(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        uri, user = text_of(one.get("uri")), text_of(one.get("user"))
        service = text_of(one.get("service"))
        name = text_of(one.get("vCardName")).upper()
        if not is_token(name):
            name = "SOCIALPROFILE" if to.new else "X-SOCIALPROFILE"
        apple = "X-" if name.startswith("X-") or not to.new else ""
        more: list[tuple[str, tuple[str, ...]]] = []
        if service:
            more.append((f"{apple}SERVICE-TYPE", (service,)))
        if user and uri:
            more.append(("X-USER" if apple else "USERNAME", (user,)))
        if user and not uri and to.new and ":" in user:
            more.append(("VALUE", ("text",)))
        if text := uri or escaped(user):
            yield from to.property(name, text, one, key, more=tuple(more))


def _addresses(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        parts = name_components({"name": one})
        text = address_value(parts, old=not to.new)
        more: list[tuple[str, tuple[str, ...]]] = []
        if to.new:
            for param, name in (("GEO", "coordinates"), ("TZ", "timeZone"), ("CC", "countryCode")):
                if found := text_of(one.get(name)):
                    more.append((param, (found,)))
            if full := text_of(one.get("full")):
                more.append(("LABEL", (full,)))
            if one.get("isOrdered") is True and (order := jscomps(one, parts, text, ADDRESS)):
                more.append(("JSCOMPS", (order,)))
        elif not parts and (full := text_of(one.get("full"))):
            text = address_value([("name", full)], old=True)
        yield from to.property("ADR", text, one, key, more=tuple(more))


def _media(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        name = text_of(one.get("kind")).upper()
        if name in ("PHOTO", "LOGO", "SOUND"):
            yield from _resource(to, name, one, key)


def _keys(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        yield from _resource(to, "KEY", one, key)


def _resource(to: _Writing, name: str, one: dict[str, Any], key: str) -> Iterator[Property]:
    uri, media = text_of(one.get("uri")), text_of(one.get("mediaType"))
    data = None if to.new else _DATA.fullmatch(uri)
    if data is not None:
        kind = (media or data[1] or "application/octet-stream").rpartition("/")[2].upper()
        more: Params = (("ENCODING", ("b",)), ("TYPE", (kind,)))
        yield from to.property(name, data[2], one, key, more=more)
    elif uri:
        more = (("MEDIATYPE", (media,)),) if media and to.new else ()
        more = more if to.new else (("VALUE", ("uri",)),)
        yield from to.property(name, uri, one, key, more=more)


def _anniversaries(to: _Writing, value: Any) -> Iterator[Property]:
    names = {"birth": "BDAY", "death": "DEATHDATE", "wedding": "ANNIVERSARY"}
    for key, one in to.objects(value):
        name = names.get(text_of(one.get("kind")))
        text = date_text(one.get("date"), to.version)
        if not name or not text:
            continue
        more: list[tuple[str, tuple[str, ...]]] = []
        date = one["date"]
        if to.new and (scale := text_of(date.get("calendarScale"))):
            more.append(("CALSCALE", (scale,)))
        if not to.new:
            if "year" not in date and "utc" not in date:
                more.append(("X-APPLE-OMIT-YEAR", ("1604",)))
            name = name if name == "BDAY" else f"X-{name}"
        yield from to.property(name, text, one, key, more=tuple(more))


def _by_kind(names: Mapping[str, str], other: str) -> _Writer:
    """Resources whose property goes by their kind."""

    def write(to: _Writing, value: Any) -> Iterator[Property]:
        for key, one in to.objects(value):
            name = names.get(text_of(one.get("kind")), other)
            more: list[tuple[str, tuple[str, ...]]] = []
            if to.new and (media := text_of(one.get("mediaType"))):
                more.append(("MEDIATYPE", (media,)))
            if to.new and type(one.get("listAs")) is int:
                more.append(("INDEX", (str(one["listAs"]),)))
            if uri := text_of(one.get("uri")):
                yield from to.property(name, uri, one, key, more=tuple(more))

    return write


def _keywords(to: _Writing, value: Any) -> Iterator[Property]:
    if isinstance(value, dict):
        held = [text_of(each) for each, there in value.items() if there is True]
        if any(held):
            yield Property("CATEGORIES", ",".join(escaped(each) for each in held if each))


def _notes(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        more: list[tuple[str, tuple[str, ...]]] = []
        author = one.get("author")
        if to.new and (created := stamp(text_of(one.get("created")), to.version)):
            more.append(("CREATED", (created,)))
        if to.new and isinstance(author, dict):
            for param, name in (("AUTHOR-NAME", "name"), ("AUTHOR", "uri")):
                if found := text_of(author.get(name)):
                    more.append((param, (found,)))
        if text := text_of(one.get("note")):
            yield from to.property("NOTE", escaped(text), one, key, more=tuple(more))


def _related(to: _Writing, value: Any) -> Iterator[Property]:
    for uid, one in value.items() if isinstance(value, dict) else ():
        held = one.get("relation") if isinstance(one, dict) else None
        types = [each for each in (held if isinstance(held, dict) else ()) if is_token(each)]
        params: list[tuple[str, tuple[str, ...]]] = [("TYPE", tuple(types))] if types else []
        if ":" not in uid and to.new:
            params.append(("VALUE", ("text",)))
        yield Property("RELATED", escaped(uid) if ":" not in uid else uid, tuple(params))


def _personal(to: _Writing, value: Any) -> Iterator[Property]:
    for key, one in to.objects(value):
        name = text_of(one.get("kind")).upper()
        more: list[tuple[str, tuple[str, ...]]] = []
        if level := text_of(one.get("level")):
            level = _LEVELS.get(level, level) if name == "EXPERTISE" else level
            more.append(("LEVEL", (level,)))
        if type(one.get("listAs")) is int:
            more.append(("INDEX", (str(one["listAs"]),)))
        if name in ("EXPERTISE", "HOBBY", "INTEREST") and (text := text_of(one.get("value"))):
            yield from to.property(name, escaped(text), one, key, more=tuple(more))


def _speak(to: _Writing, value: Any) -> Iterator[Property]:
    if not isinstance(value, dict):
        return
    if gender := text_of(value.get("grammaticalGender")):
        yield Property("GRAMGENDER", escaped(gender))
    for key, one in to.objects(value.get("pronouns")):
        if text := text_of(one.get("pronouns")):
            yield from to.property("PRONOUNS", escaped(text), one, key)


_WRITERS: Final[dict[str, _Writer]] = {
    "uid": _single("UID"),
    "kind": _kind,
    "name": _name,
    "nicknames": _texts("NICKNAME", "name"),
    "organizations": _organizations,
    "titles": _titles,
    "emails": _emails,
    "phones": _phones,
    "addresses": _addresses,
    "onlineServices": _online,
    "links": _by_kind({"contact": "CONTACT-URI"}, "URL"),
    "notes": _notes,
    "anniversaries": _anniversaries,
    "keywords": _keywords,
    "members": _members,
    "media": _media,
    "cryptoKeys": _keys,
    "preferredLanguages": _texts("LANG", "language"),
    "calendars": _by_kind({"freeBusy": "FBURL"}, "CALURI"),
    "schedulingAddresses": _texts("CALADRURI", "uri", uri=True),
    "directories": _by_kind({"entry": "SOURCE"}, "ORG-DIRECTORY"),
    "relatedTo": _related,
    "personalInfo": _personal,
    "speakToAs": _speak,
    "language": _single("LANGUAGE"),
    "prodId": _single("PRODID"),
    "created": _stamp("CREATED"),
    "updated": _stamp("REV"),
}
