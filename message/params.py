"""Content-Type and Content-Disposition values: token, then parameters (RFC 2045 §5.1, RFC 2231).

Parameters stay raw bytes as IMAP shows them; `decode_params` joins and decodes them for people.
"""

import re
from functools import lru_cache
from urllib.parse import quote_from_bytes, unquote_to_bytes

from message.headers import unfold
from message.words import decode_text, decode_words

Params = tuple[tuple[bytes, bytes], ...]
MediaType = tuple[bytes, bytes, Params]
TEXT_PLAIN: MediaType = (b"text", b"plain", ())
MESSAGE: MediaType = (b"message", b"rfc822", ())
MAX_PARAMS = 200
MAX_VALUE = 16 * 1024
CACHED_VALUE = 256

_TYPE = re.compile(rb"[\s]*([^\s/;\"(),<>@:\\\[\]?=]+)\s*/\s*([^\s/;\"(),<>@:\\\[\]?=]+)")
_TOKEN = re.compile(rb"[\s]*\"?([^\s;\"]+)")
_PARAM = re.compile(
    rb";\s*([^\s=;\"]+)\s*=\s*(?:\"((?:[^\"\\]++|\\.|\\\Z)*+)\"?|([^;]*+))", re.DOTALL
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\s*\([^()]*\)\s*\Z")


def parse_content_type(value: bytes) -> MediaType | None:
    """(type, subtype, parameters), types lower case; None when the value is no media type."""
    if len(value) <= CACHED_VALUE:
        return _cached_type(value)
    return _read_type(value[:MAX_VALUE])


def parse_disposition(value: bytes) -> tuple[bytes, Params] | None:
    """(disposition, parameters), the disposition lower case (RFC 2183)."""
    value = unfold(value[:MAX_VALUE])
    match = _TOKEN.match(value)
    if match is None:
        return None
    return match[1].lower(), _parse_params(value, match.end())


def get_param(params: Params, name: bytes) -> bytes | None:
    """The raw value of the first parameter of that (lower case) name."""
    return next((value for key, value in params if key == name), None)


def decode_params(params: Params) -> dict[str, str]:
    """Names and decoded values; RFC 2231 continuations and charsets, RFC 2047 words tolerated."""
    plain: dict[str, str] = {}
    for key, value in params:
        if b"*" not in key:
            plain.setdefault(key.decode("ascii", "replace"), decode_words(value))
    extended = _extended(params).items()
    return plain | {name.decode("ascii", "replace"): text for name, text in extended}


def joined_params(params: Params, utf8: bool) -> Params:
    """The parameters with those of RFC 2231 put together, as IMAP is to show them (RFC 9051
    §7.5.2): decoded where that can be said, else as one value in UTF-8.
    """
    extended = _extended(params)
    plain = {name for name, _ in params if b"*" not in name}
    out: dict[bytes, bytes] = {}
    for name, value in params:
        base = name.partition(b"*")[0]
        text = extended.get(base)
        if text is None or (b"*" not in name and not utf8):
            out.setdefault(name, value)
        elif utf8 or (text.isascii() and base not in plain):
            out[base] = text.encode("utf-8", "replace")
        else:
            octets = quote_from_bytes(text.encode("utf-8", "replace"), safe="")
            out[base + b"*"] = b"utf-8''" + octets.encode("ascii")
    return tuple(out.items())


def _extended(params: Params) -> dict[bytes, str]:
    """The decoded values of parameters with RFC 2231 marks, by their names without them."""
    pieces: dict[bytes, list[tuple[int, bool, bytes]]] = {}
    for key, value in params:
        name, star, rest = key.partition(b"*")
        if star:
            number = rest.rstrip(b"*")
            index = int(number) if number.isdigit() and len(number) < 4 else 0
            pieces.setdefault(name, []).append((index, rest.endswith(b"*") or not rest, value))
    return {name: _join(found) for name, found in pieces.items()}


def _read_type(value: bytes) -> MediaType | None:
    value = unfold(value)
    match = _TYPE.match(value)
    if match is None:
        return None
    return match[1].lower(), match[2].lower(), _parse_params(value, match.end())


# The same few values stand in most messages; long ones are not worth their memory.
_cached_type = lru_cache(maxsize=2048)(_read_type)


def _join(found: list[tuple[int, bool, bytes]]) -> str:
    found.sort(key=lambda piece: piece[0])
    charset = ""
    out = b""
    for position, (_, encoded, value) in enumerate(found):
        if encoded and position == 0 and value.count(b"'") >= 2:
            label, _, value = value.split(b"'", 2)
            charset = label.decode("ascii", "replace")
        out += unquote_to_bytes(value) if encoded else value
    return decode_text(out, charset)


def _parse_params(value: bytes, start: int) -> Params:
    out: list[tuple[bytes, bytes]] = []
    for match in _PARAM.finditer(value, start):
        name, quoted, bare = match.groups()
        if quoted is not None:
            out.append((name.lower(), _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted))
        else:
            out.append((name.lower(), _COMMENT.sub(b"", bare).strip()))
        if len(out) >= MAX_PARAMS:
            break
    return tuple(out)
