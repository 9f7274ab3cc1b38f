"""Internationalised messages for clients that take ASCII headers: the surrogate (RFC 6858 §2).

A header in UTF-8 becomes RFC 2047 words, RFC 2231 parameters and A-labels; what can't be said in
ASCII becomes "?". Bodies stay, so that parts keep their numbers. A header with octets that are no
UTF-8 is none of an internationalised message: it stays as its sender wrote it.
"""

import re
from typing import Final
from urllib.parse import quote_from_bytes

from message.address import AddressError, normalise_domain
from message.address_list import Address, parse_address_list
from message.headers import folded, iter_fields, unfold
from message.params import Params, parse_content_type, parse_disposition
from message.scan import Part, walk
from message.words import decode_text, encode_words

_ADDRESSES: Final = frozenset(
    b"from sender reply-to to cc bcc resent-from resent-sender resent-to resent-cc resent-bcc"
    b" disposition-notification-to return-receipt-to".split()
)
# Fields of which the syntax has no place for RFC 2047 words.
_STRUCTURED: Final = frozenset(
    b"message-id in-reply-to references date received return-path resent-message-id resent-date"
    b" mime-version content-id content-transfer-encoding content-md5 content-location"
    b" content-language".split()
)
_TOKEN: Final = re.compile(rb"[!#-'*+\-.0-9A-Z^-~]+")
_PLAIN_NAME: Final = re.compile(rb"[!#-'*+\-/0-9=?A-Z^-~. ]*")


def is_international(data: bytes, root: Part) -> bool:
    """Whether a header of a scanned message, or of a part, holds UTF-8 beyond ASCII."""
    return not data.isascii() and any(_is_utf8(_block(data, part)) for part in walk(root))


def downgrade(data: bytes, root: Part) -> bytes:
    """The surrogate of a scanned message in its CRLF form."""
    out: list[bytes] = []
    done = 0
    for part in walk(root):
        block = _block(data, part)
        if _is_utf8(block):
            out += (data[done : part.header_offset], _ascii_block(block))
            done = part.header_offset + part.header_length
    return b"".join((*out, data[done:]))


def _block(data: bytes, part: Part) -> bytes:
    return data[part.header_offset : part.header_offset + part.header_length]


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return False
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _ascii_block(block: bytes) -> bytes:
    out: list[bytes] = []
    done = 0
    for name, value, start, end in iter_fields(block):
        if not value.isascii():
            whole = block[start:end].endswith(b"\n")
            field = folded(name, _ascii_value(name.lower(), unfold(value)))
            out += (_masked(block[done:start]), field if whole else field.removesuffix(b"\r\n"))
            done = end
    return b"".join((*out, _masked(block[done:])))


def _ascii_value(name: bytes, value: bytes) -> bytes:
    if name in _ADDRESSES:
        return _address_list(parse_address_list(value)) or _masked(value)
    if name == b"content-type":
        found = parse_content_type(value)
        return _masked(value) if found is None else _with_params(b"/".join(found[:2]), found[2])
    if name == b"content-disposition":
        placed = parse_disposition(value)
        return _masked(value) if placed is None else _with_params(*placed)
    if name in _STRUCTURED:
        return _masked(value)
    return encode_words(decode_text(value, ""))


def _with_params(value: bytes, params: Params) -> bytes:
    return b"; ".join((_masked(value), *[_param(name, text) for name, text in params]))


def _param(name: bytes, value: bytes) -> bytes:
    name = _masked(name)
    if not value.isascii():
        return b"%b*=utf-8''%b" % (name.rstrip(b"*"), quote_from_bytes(value, safe="").encode())
    return b"%b=%b" % (name, value if _TOKEN.fullmatch(value) else _quoted(value))


def _address_list(entries: list[Address]) -> bytes:
    """The entries written anew; a group's name and colon, its members, its semicolon."""
    out = b""
    for entry in entries:
        mark = b"" if not out or out.endswith(b":") else b", "
        if entry.domain is None and entry.local is None:
            out = out.removesuffix(b", ") + b";"
        elif entry.domain is None:
            out += mark + _phrase(entry.local or b"") + b":"
        else:
            out += mark + (b" " if out.endswith(b":") else b"") + _address(entry)
    return out


def _address(entry: Address) -> bytes:
    local, domain = entry.local or b"", entry.domain or b""
    if not local.isascii():
        local = encode_words(decode_text(local, ""), force=True)
    if not domain.isascii():
        domain = _a_labels(domain)
    address = local + b"@" + domain if domain else local
    return address if entry.name is None else _phrase(entry.name) + b" <" + address + b">"


def _a_labels(domain: bytes) -> bytes:
    try:
        return normalise_domain(decode_text(domain, "")).encode("ascii")
    except AddressError:
        return _masked(domain)


def _phrase(name: bytes) -> bytes:
    if not name.isascii():
        return encode_words(decode_text(name, ""), force=True)
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _masked(octets: bytes) -> bytes:
    """A "?" for each character beyond ASCII."""
    if octets.isascii():
        return octets
    return octets.decode("utf-8", "replace").encode("ascii", "replace")
