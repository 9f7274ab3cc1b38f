"""Header fields out of the values that properties of a new Email give (RFC 8621 §4.1.2, §4.6):
header_forms.py the other way. Pure.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from message import compose_fields
from message.compose_fields import BadValue, Group, Person
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.mail.content import CONVENIENCE
from web.jmap.mail.header_forms import HeaderProperty, header_property


def is_header(name: str) -> bool:
    """Whether a property of an Email is a header field."""
    return name in CONVENIENCE or name.startswith("header:")


def named_fields(values: Mapping[str, Any]) -> dict[str, list[bytes]]:
    """Fields by their names in lower case, of properties `header:...` and those that stand for one;
    null is none. Raises SetError.
    """
    found: dict[str, list[bytes]] = {}
    for key, value in values.items():
        if not is_header(key) or value is None:
            continue
        wanted = _property(key)
        if wanted.name in found:
            raise invalid_properties(f"{wanted.name} is given twice", key)
        try:
            found[wanted.name] = _fields(wanted, value)
        except BadValue as error:
            raise invalid_properties(str(error), key) from None
    return found


def _property(key: str) -> HeaderProperty:
    try:
        return header_property(CONVENIENCE.get(key, key))
    except MethodError as error:
        raise invalid_properties(error.description, key) from None


def _fields(wanted: HeaderProperty, value: Any) -> list[bytes]:
    """Raises BadValue."""
    name = wanted.key.split(":")[1]
    make = _FORMS[wanted.form]
    if not wanted.every:
        return [made for made in [make(name, value)] if made]
    if not isinstance(value, list):
        raise BadValue("an array is needed")
    return [made for one in value if (made := make(name, one))]


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise BadValue("a string is needed")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadValue("the text is no Unicode") from None
    return value


def _texts_of(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise BadValue("an array of strings is needed")
    return [_text_of(one) for one in value]


def _raw(name: str, value: Any) -> bytes:
    return compose_fields.raw(name, _text_of(value))


def _text(name: str, value: Any) -> bytes:
    return compose_fields.text(name, _text_of(value))


def _addresses(name: str, value: Any) -> bytes:
    people = _people(value)
    return compose_fields.addresses(name, [Group(None, people)]) if people else b""


def _grouped(name: str, value: Any) -> bytes:
    if not isinstance(value, list):
        raise BadValue("an array of groups is needed")
    groups = []
    for one in value:
        if not isinstance(one, dict) or one.keys() - {"name", "addresses"}:
            raise BadValue("a group has name and addresses")
        title = one.get("name")
        groups.append(Group(None if title is None else _text_of(title), _people(one["addresses"])))
    filled = [one for one in groups if one.members or one.name is not None]
    return compose_fields.addresses(name, filled) if filled else b""


def _people(value: Any) -> tuple[Person, ...]:
    if not isinstance(value, list):
        raise BadValue("an array of addresses is needed")
    found = []
    for one in value:
        if not isinstance(one, dict) or one.keys() - {"name", "email"}:
            raise BadValue("an address has name and email")
        found.append(Person(_text_of(one.get("email")), _text_of(one.get("name") or "")))
    return tuple(found)


def _message_ids(name: str, value: Any) -> bytes:
    return compose_fields.message_ids(name, found) if (found := _texts_of(value)) else b""


def _date(name: str, value: Any) -> bytes:
    when = date_of(value)
    if when is None:
        raise BadValue("a Date is needed")
    return compose_fields.date(name, when)


def _urls(name: str, value: Any) -> bytes:
    return compose_fields.urls(name, found) if (found := _texts_of(value)) else b""


def date_of(value: Any) -> datetime | None:
    """A Date (RFC 8620 §1.4): as RFC 3339, with its zone."""
    if not isinstance(value, str) or value[10:11] != "T" or not value.isupper():
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None


_FORMS: Final[dict[str, Callable[[str, Any], bytes]]] = {
    "asRaw": _raw,
    "asText": _text,
    "asAddresses": _addresses,
    "asGroupedAddresses": _grouped,
    "asMessageIds": _message_ids,
    "asDate": _date,
    "asURLs": _urls,
}


def refuse_content_fields(fields: Mapping[str, Any]) -> None:
    """RFC 8621 §4.6: those of the content belong to parts. Raises SetError."""
    if found := [name for name in fields if name.startswith("content-")]:
        raise SetError(
            "invalidProperties",
            "fields of the content are those of a body part",
            tuple(f"header:{name}" for name in found),
        )
