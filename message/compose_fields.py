"""Header fields made of values: addresses, texts, message ids, dates, URLs, parameters. Pure.

Names of people and parameters beyond ASCII become encoded words (RFC 2047) and RFC 2231; domains
become A-labels. Only a local part beyond ASCII needs SMTPUTF8 (RFC 6532): the field is UTF-8 then.
Nothing that a value holds can start a field of its own.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from message.address import AddressError, normalise_domain
from message.date import format_date
from message.headers import build_field, fill, folded
from message.words import encode_words

_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOT_ATOM: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
    r"(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+)*"
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]+")
_MESSAGE_ID: Final = re.compile(r"[^\s<>@\x00-\x1f\x7f]+@[^\s<>@\x00-\x1f\x7f]+")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_EXTENDED: Final = "!#$&+-.^_`|~"
_SECTION: Final = 60
MAX_ADDRESS: Final = 320


@dataclass(frozen=True, slots=True)
class Person:
    """A mailbox: `email` is the addr-spec, `name` what is shown, "" for nothing."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A named list of mailboxes; without a name its members stand for themselves."""

    name: str | None
    members: tuple[Person, ...]


class BadValue(ValueError):
    """Something that no field can say; the text says why."""


def addresses(name: str, groups: Sequence[Group]) -> bytes:
    """A field of addresses. Raises BadValue."""
    people = [one for group in groups for one in group.members]
    utf8 = not all(_split(one.email)[0].isascii() for one in people)
    parts: list[str] = []
    for group in groups:
        inside = [_mailbox(one, utf8) for one in group.members]
        if group.name is None:
            parts += inside
        else:
            parts.append(f"{_phrase(group.name, utf8)}: {', '.join(inside)};")
    value = ", ".join(parts)
    if not value:
        raise BadValue("an address is needed")
    return folded(name.encode("ascii"), value.encode())


def text(name: str, value: str) -> bytes:
    """A field of words, such as Subject."""
    return build_field(name, value)


def message_ids(name: str, ids: Iterable[str]) -> bytes:
    """A field of message ids, given without angle brackets. Raises BadValue."""
    found = list(ids)
    for one in found:
        if not _MESSAGE_ID.fullmatch(one) or len(one) > 900:
            raise BadValue(f"{one[:100]} is no message id")
    if not found:
        raise BadValue("a message id is needed")
    return folded(name.encode("ascii"), " ".join(f"<{one}>" for one in found).encode())


def date(name: str, when: datetime) -> bytes:
    """A field of a date; `when` is aware."""
    return build_field(name, format_date(when))


def urls(name: str, found: Sequence[str]) -> bytes:
    """A field of URLs (RFC 2369). Raises BadValue."""
    for one in found:
        if not one.isascii() or _CONTROLS.search(one) or set("<> ") & set(one):
            raise BadValue(f"{one[:100]} is no URL")
    if not found:
        raise BadValue("a URL is needed")
    return folded(name.encode("ascii"), ", ".join(f"<{one}>" for one in found).encode())


def raw(name: str, value: str) -> bytes:
    """A field whose value, folds included, is given as it stands behind the colon. Beyond ASCII it
    becomes encoded words. Raises BadValue.
    """
    body = value.replace("\r\n", "\n")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]|\n(?![ \t]+\S)", body):
        raise BadValue("there is a control, or a fold without a blank and text behind it")
    if not body.isascii() or any(len(line) > 990 for line in body.split("\n")):
        return build_field(name, body.replace("\n", ""))
    lead = "" if body[:1] in (" ", "\n", "\t") else " "
    return f"{name}:{lead}{body}\r\n".replace("\r\n", "\n").replace("\n", "\r\n").encode("ascii")


def parametrised(name: str, value: str, params: Sequence[tuple[str, str]]) -> bytes:
    """A field such as Content-Type, with parameters; `value` is known to be of its grammar."""
    words = [value]
    for key, given in params:
        for one in _param(key, _CONTROLS.sub(" ", given)):
            words[-1] += ";"
            words.append(one)
    octets = [word.encode("ascii") for word in words]
    return b"\r\n ".join(fill(f"{name}:".encode("ascii"), octets)) + b"\r\n"


def _param(key: str, value: str) -> list[str]:
    """One parameter, or its sections (RFC 2231 §3, §4)."""
    if value.isascii() and len(value) <= _SECTION:
        if _TOKEN.fullmatch(value):
            return [f"{key}={value}"]
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{key}="{quoted}"']
    encoded = _percent(value)
    if len(encoded) <= _SECTION:
        return [f"{key}*=utf-8''{encoded}"]
    sections = [""]
    for piece in re.findall(r"%..|.", encoded):
        if len(sections[-1]) + len(piece) > _SECTION:
            sections.append("")
        sections[-1] += piece
    sections[0] = f"utf-8''{sections[0]}"
    return [f"{key}*{number}*={one}" for number, one in enumerate(sections)]


def _percent(value: str) -> str:
    return quote(value.encode("utf-8", "replace"), safe=_EXTENDED)


def _mailbox(one: Person, utf8: bool) -> str:
    address = address_of(one.email, utf8)
    if not one.name.strip():
        plain = "@" in address and _DOT_ATOM.fullmatch(address.rpartition("@")[0])
        return address if plain else f"<{address}>"
    return f"{_phrase(one.name, utf8)} <{address}>"


def address_of(email: str, utf8: bool = False) -> str:
    """The addr-spec as a field has it: the local part quoted where it must be, the domain in
    A-labels. Raises BadValue.
    """
    local, domain = _split(email)
    if not (local.isascii() or utf8):
        raise BadValue(f"{email[:100]} needs SMTPUTF8")
    if not _DOT_ATOM.fullmatch(local) and not re.fullmatch(r'"(?:[^"\\]|\\.)*"', local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{local}@{domain}" if domain else local


def _split(email: str) -> tuple[str, str]:
    """The local part and the domain, "" for an address that is not finished. Raises BadValue."""
    email = email.strip()
    if not email or _CONTROLS.search(email) or len(email) > MAX_ADDRESS:
        raise BadValue(f"{email[:100]} is no address")
    local, at, domain = email.rpartition("@")
    if not at and _DOT_ATOM.fullmatch(email) and email.isascii():
        return email, ""
    try:
        labels = normalise_domain(domain)
    except AddressError:
        raise BadValue(f"{email[:100]} is no address") from None
    if not local:
        raise BadValue(f"{email[:100]} is no address")
    return local, domain if domain.isascii() else labels


def _phrase(name: str, utf8: bool) -> str:
    clean = " ".join(_CONTROLS.sub(" ", name).split())
    if _ATOMS.fullmatch(clean) and "=?" not in clean:
        return clean
    if (clean.isascii() or utf8) and "=?" not in clean and len(clean) <= 200:
        escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return encode_words(clean, force=True).decode("ascii")
