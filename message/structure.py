"""BODYSTRUCTURE and BODY of a part tree (RFC 9051 §7.5.2).

Types, parameter names and encodings are upper case as in the RFCs' examples; values are as sent.
Invariant: the result is bounded whatever the message holds. Above MAX_WEIGHT octets of part headers
only types, encodings and sizes are told.
"""

from dataclasses import replace
from functools import lru_cache

from message.envelope import header_values, render_envelope
from message.headers import iter_fields, unfold
from message.nstring import NIL, param_pair, plain_string, text_string
from message.params import Params, joined_params, parse_content_type
from message.scan import MAX_HEADER, Part, walk

MAX_WEIGHT = 512 * 1024
MAX_NAME = 127  # RFC 6838 §4.2

_US_ASCII: Params = ((b"charset", b"us-ascii"),)


def render_structure(data: bytes, root: Part, utf8: bool) -> tuple[bytes, bytes]:
    """(BODYSTRUCTURE, BODY) of the message `data` in its CRLF form.

    Recursion is bounded by scan.MAX_DEPTH.
    """
    if sum(map(_weight, walk(root))) > MAX_WEIGHT:
        root = _bare(root)
    return _render(data, root, utf8)


def _weight(part: Part) -> int:
    """Octets of headers that go into what is told of a part."""
    inside = sum(min(child.header_length, MAX_HEADER) for child in part.children)
    return sum(map(len, part.fields.values())) + (inside if part.is_message else 0)


def _bare(part: Part) -> Part:
    """The tree without what its headers say beyond the types."""
    return replace(
        part,
        header_length=0,
        type=part.type[:MAX_NAME],
        subtype=part.subtype[:MAX_NAME],
        encoding=part.encoding[:MAX_NAME],
        params=(),
        fields={},
        children=[_bare(child) for child in part.children],
    )


def _render(data: bytes, part: Part, utf8: bool) -> tuple[bytes, bytes]:
    if part.is_multipart:
        inner = [_render(data, child, utf8) for child in part.children]
        subtype = plain_string(part.subtype.upper(), utf8)
        params = _params(part.params, utf8)
        extension = b" ".join((subtype, params, _placement(part, utf8)))
        full = b"".join([pair[0] for pair in inner])
        short = b"".join([pair[1] for pair in inner])
        return b"(%b %b)" % (full, extension), b"(%b %b)" % (short, subtype)
    base = _basic(part, utf8)
    full_base = base
    if part.is_message:
        inside = part.children[0]
        envelope = _envelope(data, inside, utf8)
        full, short = _render(data, inside, utf8)
        full_base = b"%b %b %b %d" % (base, envelope, full, part.lines)
        base = b"%b %b %b %d" % (base, envelope, short, part.lines)
    elif part.type == b"text":
        full_base = base = b"%b %d" % (base, part.lines)
    md5 = plain_string(part.text_field(b"md5"), utf8)
    return b"(%b %b %b)" % (full_base, md5, _placement(part, utf8)), b"(%b)" % base


def _basic(part: Part, utf8: bool) -> bytes:
    """type subtype params id description encoding octets."""
    params = part.params
    if not params and part.type == b"text" and _untyped(part):
        params = _US_ASCII  # RFC 2045 §5.2
    return b"%b %b %b %b %b %d" % (
        _media_type(part.type, part.subtype, utf8),
        _params(params, utf8),
        plain_string(part.text_field(b"id"), utf8),
        text_string(part.text_field(b"description"), utf8),
        plain_string(part.encoding.upper(), utf8),
        part.body_length,
    )


def _placement(part: Part, utf8: bool) -> bytes:
    """disposition language location; most parts have none of them."""
    fields = part.fields
    disposition = NIL
    if b"disposition" in fields and (found := part.disposition) is not None:
        kind = plain_string(found[0].upper(), utf8)
        disposition = b"(%b %b)" % (kind, _params(found[1], utf8))
    language = _language(fields[b"language"], utf8) if b"language" in fields else NIL
    location = plain_string(part.text_field(b"location"), utf8)
    return b"%b %b %b" % (disposition, language, location)


def _envelope(data: bytes, message: Part, utf8: bool) -> bytes:
    length = min(message.header_length, MAX_HEADER)
    block = data[message.header_offset : message.header_offset + length]
    return render_envelope(header_values(list(iter_fields(block))), utf8)


def _language(value: bytes, utf8: bool) -> bytes:
    tags = [tag.strip() for tag in unfold(value).split(b",") if tag.strip()]
    if not tags:
        return NIL
    return b"(" + b" ".join(plain_string(tag, utf8) for tag in tags[:100]) + b")"


def _untyped(part: Part) -> bool:
    kind = part.fields.get(b"type")
    return kind is None or parse_content_type(kind) is None


@lru_cache(maxsize=512)
def _media_type(main: bytes, sub: bytes, utf8: bool) -> bytes:
    return plain_string(main.upper(), utf8) + b" " + plain_string(sub.upper(), utf8)


def _params(params: Params, utf8: bool) -> bytes:
    if not params:
        return NIL
    if len(params) == 1 and len(params[0][1]) < 80:
        return _short_params(params, utf8)
    return _render_params(params, utf8)


def _render_params(params: Params, utf8: bool) -> bytes:
    if any(b"*" in name for name, _ in params):
        params = joined_params(params, utf8)
    return b"(" + b" ".join([param_pair(name, value, utf8) for name, value in params]) + b")"


_short_params = lru_cache(maxsize=1024)(_render_params)
