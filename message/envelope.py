"""ENVELOPE of a header block (RFC 9051 §7.5.2)."""

from collections.abc import Sequence
from functools import lru_cache

from message.address import AddressError, normalise_domain
from message.address_list import MAX_VALUE, Address, parse_address_list
from message.headers import Field, unfold
from message.nstring import NIL, plain_string, quoted, text_string
from message.words import decode_text, encode_words

Values = dict[bytes, list[bytes]]


def header_values(fields: Sequence[Field]) -> Values:
    """Raw values by lower-case name, in order."""
    values: Values = {}
    for name, value, _, _ in fields:
        values.setdefault(name.lower(), []).append(value)
    return values


def render_envelope(values: Values, utf8: bool) -> bytes:
    """The envelope: absent fields NIL, empty ones `""`, Sender and Reply-To default to From."""
    sender = _addresses(values, b"from", utf8)
    parts = (
        plain_string(_single(values, b"date"), utf8),
        text_string(_single(values, b"subject"), utf8),
        sender,
        _addresses(values, b"sender", utf8, sender),
        _addresses(values, b"reply-to", utf8, sender),
        _addresses(values, b"to", utf8),
        _addresses(values, b"cc", utf8),
        _addresses(values, b"bcc", utf8),
        plain_string(_single(values, b"in-reply-to"), utf8),
        plain_string(_single(values, b"message-id"), utf8),
    )
    return b"(" + b" ".join(parts) + b")"


def render_address(address: Address, utf8: bool) -> bytes:
    """`(name route mailbox host)`."""
    name, route, local, domain = address
    if local is not None and not local.isascii():
        text = decode_text(local, "")
        mailbox = quoted(
            text.encode("utf-8", "replace") if utf8 else encode_words(text, force=True)
        )
    else:
        mailbox = plain_string(local, utf8)
    host = NIL if domain is None else plain_string(_host(domain, utf8), utf8)
    return (
        b"("
        + text_string(name, utf8)
        + b" "
        + (NIL if route is None else plain_string(route, utf8))
        + b" "
        + mailbox
        + b" "
        + host
        + b")"
    )


def _single(values: Values, name: bytes) -> bytes | None:
    found = values.get(name)
    return unfold(found[0]) if found else None


def _addresses(values: Values, name: bytes, utf8: bool, default: bytes = NIL) -> bytes:
    found = values.get(name)
    if not found:
        return default
    text = found[0] if len(found) == 1 else b",".join(found)
    if len(text) <= 200:
        return _cached_list(text, utf8) or default
    if len(text) > MAX_VALUE:
        text = text[: max(text.rfind(b",", 0, MAX_VALUE), 0) or MAX_VALUE]
    return _render_list(text, utf8) or default


def _render_list(text: bytes, utf8: bool) -> bytes:
    entries = parse_address_list(text)
    if not entries:
        return b""
    return b"(" + b"".join([render_address(entry, utf8) for entry in entries]) + b")"


# One sender writes often and to the same few: their lists come again and again.
_cached_list = lru_cache(maxsize=4096)(_render_list)


def _host(domain: bytes, utf8: bool) -> bytes:
    """A U-label domain as A-labels for ASCII sessions, where it is a domain at all."""
    if utf8 or domain.isascii():
        return domain
    try:
        return normalise_domain(decode_text(domain, "")).encode("ascii")
    except AddressError:
        return domain
