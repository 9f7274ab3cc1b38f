"""Who says to have written a message: From and Sender (RFC 5322 §3.6.2), read without doubt.

A reader of mail and this server must see the same author. What is not plainly an address list is
therefore either an error or written anew as it was understood here.
"""

import re
from dataclasses import dataclass

from message.address_list import Address, mailboxes
from message.headers import all_values, build_field
from message.rewrite import named, without
from message.words import encode_words

_WORD = rb"(?:[^\s\"<>()@,:;\\\[\].]++|\"(?:[^\"\\]|\\.)*+\"|[\s.]++)"
_LOCAL = rb"(?:[^\s\"<>()@,:;\\\[\]]++|\"(?:[^\"\\]|\\.)*+\")"
_DOMAIN = rb"[^\s\"<>()@,:;\\\[\]]++"
_COMMENT = rb"(?:\([^()\\<>@]*+\))?+"
_ENTRY = (
    rb"\s*+(?:%(word)b*+<\s*+%(local)b@%(domain)b\s*+>|%(local)b@%(domain)b)\s*+%(comment)b\s*+"
    % {b"word": _WORD, b"local": _LOCAL, b"domain": _DOMAIN, b"comment": _COMMENT}
)
_PLAIN = re.compile(_ENTRY + rb"(?:," + _ENTRY + rb")*+", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Far above what people write, and far below what would keep others waiting.
MAX_VALUE = 16 * 1024
MAX_AUTHORS = 50


class AuthorsError(ValueError):
    """From says nobody, or cannot be understood; the text is fit for a reply."""


@dataclass(frozen=True, slots=True)
class Authors:
    """`addresses` of From as `local@domain`; `field`: From written anew, b"" if plain."""

    addresses: tuple[str, ...]
    field: bytes = b""


def authors(header: bytes) -> Authors | None:
    """What From says; None without such a field. Raises AuthorsError."""
    values = all_values(header, b"from")
    if not values:
        return None
    if len(values) > 1:
        raise AuthorsError("more than one From field")
    if len(values[0]) > MAX_VALUE:
        raise AuthorsError("From is too long")
    entries = mailboxes(values[0])
    if len(entries) > MAX_AUTHORS:
        raise AuthorsError("From has too many addresses")
    if not entries or not all(entry.local and entry.domain for entry in entries):
        raise AuthorsError("From is not a list of addresses")
    addresses = tuple(entry.text for entry in entries)
    if any(map(_CONTROL.search, addresses)):
        raise AuthorsError("From has control characters in an address")
    if _PLAIN.fullmatch(values[0]):
        return Authors(addresses)
    return Authors(addresses, build_field("From", ", ".join(map(_written, entries)), utf8=True))


def sender(header: bytes) -> tuple[str, ...]:
    """The addresses of all Sender fields, "" for what is none; more than two are as good as two."""
    return tuple(
        entry.text
        for value in all_values(header, b"sender")[:2]
        for entry in mailboxes(value[:MAX_VALUE])[:2] or [Address(None, None, None, None)]
    )


def with_from(header: bytes, field: bytes) -> bytes:
    """The header with `field` in the place of From, at its top."""
    return field + without(header, named((b"from",)))


def address_field(name: str, address: str, display: str = "") -> bytes:
    """A field of one address, with a display name that may be any text."""
    value = f"{_phrase(display)} <{address}>" if display else f"<{address}>"
    return build_field(name, value, utf8=True)


def _written(entry: Address) -> str:
    name = entry.display
    return f"{_phrase(name)} <{entry.text}>" if name else f"<{entry.text}>"


def _phrase(name: str) -> str:
    """A display name as a phrase (RFC 5322 §3.2.5), in ASCII."""
    if not name.isascii():
        return encode_words(name, force=True).decode("ascii")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
