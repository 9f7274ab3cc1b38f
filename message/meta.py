"""`meta`: what FETCH sends of a message, as one blob of the store.

A fixed head, then the byte fields one behind the other; their lengths stand in the head, so that
one of them is a slice away. `RENDERER_VERSION` leads: a reader renders again what is older.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from message.kept_fields import all_fields, picked_strings
from message.render import RENDERER_VERSION, Rendered
from message.sort_fields import SortFields

# version, flags, zone, size, header length, lines, date, surrogate size;
# lengths of the nine byte fields
_HEAD = struct.Struct("<HHhxxQIIqQ9I")
_LONG = struct.Struct("<Q")
_ONE = struct.Struct("<I")
_FOUR = struct.Struct("<4I")
_TWO = struct.Struct("<II")
_VERSION = RENDERER_VERSION.to_bytes(2, "little")
_COMPLETE, _EIGHT_BIT, _DATED, _REPLY, _SURROGATE = 1, 2, 4, 8, 16
_LENGTHS_AT = _HEAD.size - 36


class Meta(NamedTuple):
    """As in Rendered; `subject_base` is UTF-8 and `references` are joined by spaces."""

    version: int
    fields_complete: bool
    eight_bit: bool
    size: int
    header_length: int
    lines: int
    date: int | None
    date_zone: int
    envelope: bytes
    bodystructure: bytes
    body: bytes
    fields: bytes
    message_id: bytes
    subject_base: bytes
    references: bytes
    is_reply: bool
    sort: bytes
    preview: bytes
    surrogate_size: int

    @property
    def sort_fields(self) -> SortFields:
        """What SORT compares of addresses."""
        return SortFields.unpacked(self.sort)


def pack_meta(rendered: Rendered) -> bytes:
    """The blob of a rendered message."""
    flags = _COMPLETE if rendered.fields_complete else 0
    flags |= _EIGHT_BIT if rendered.eight_bit else 0
    flags |= _DATED if rendered.date is not None else 0
    flags |= _SURROGATE if rendered.surrogate_size else 0
    flags |= _REPLY if rendered.is_reply else 0
    pieces = (
        rendered.envelope,
        rendered.bodystructure,
        rendered.body,
        rendered.kept,
        rendered.message_id,
        rendered.subject_base.encode("utf-8", "replace"),
        b" ".join(rendered.references),
        rendered.sort.packed(),
        rendered.preview,
    )
    head = _HEAD.pack(
        RENDERER_VERSION,
        flags,
        rendered.date_zone,
        rendered.size,
        rendered.header_length,
        rendered.lines,
        rendered.date or 0,
        rendered.surrogate_size,
        *map(len, pieces),
    )
    return b"".join((head, *pieces))


def unpack_meta(blob: bytes) -> Meta:
    """Everything in the blob; raises struct.error for what is no blob of pack_meta."""
    version, flags, zone, size, header, lines, date, shown, *lengths = _HEAD.unpack_from(blob)
    env, full, short, kept, ident, base, refs, sort, seen = lengths
    a = _HEAD.size + env
    b = a + full
    c = b + short
    d = c + kept
    e = d + ident
    f = e + base
    g = f + refs
    h = g + sort
    return Meta(
        version,
        flags & _COMPLETE != 0,
        flags & _EIGHT_BIT != 0,
        size,
        header,
        lines,
        date if flags & _DATED else None,
        zone,
        blob[_HEAD.size : a],
        blob[a:b],
        blob[b:c],
        all_fields(blob[c:d]),
        blob[d:e],
        blob[e:f],
        blob[f:g],
        flags & _REPLY != 0,
        blob[g:h],
        blob[h : h + seen],
        shown,
    )


class Keys(NamedTuple):
    """What sorting and threading need of a message, as in Meta."""

    date: int | None
    message_id: bytes
    subject_base: bytes
    references: bytes
    is_reply: bool
    sort: bytes


def meta_keys(blob: bytes) -> Keys:
    """The fields for sorting and threading alone."""
    _, flags, _, _, _, _, date, _, *lengths = _HEAD.unpack_from(blob)
    a = _HEAD.size + sum(lengths[:4])
    b = a + lengths[4]
    c = b + lengths[5]
    d = c + lengths[6]
    return Keys(
        date if flags & _DATED else None,
        blob[a:b],
        blob[b:c],
        blob[c:d],
        flags & _REPLY != 0,
        blob[d : d + lengths[7]],
    )


def meta_version(blob: bytes) -> int:
    """The renderer's version; below RENDERER_VERSION the message is to be rendered again."""
    return blob[0] | blob[1] << 8


def all_current(blobs: Iterable[bytes]) -> bool:
    """Whether this program's renderer made all of them."""
    return {blob[:2] for blob in blobs} <= {_VERSION}


def envelopes(blobs: Iterable[bytes]) -> list[bytes]:
    """The ENVELOPE of each; a list's FETCH makes 10,000, hence no call for each."""
    start, lengths, at = _HEAD.size, _ONE.unpack_from, _LENGTHS_AT
    return [blob[start : start + lengths(blob, at)[0]] for blob in blobs]


def bodystructures(blobs: Iterable[bytes]) -> list[bytes]:
    """The BODYSTRUCTURE of each."""
    lengths, at = _TWO.unpack_from, _LENGTHS_AT
    found = []
    for blob in blobs:
        before, length = lengths(blob, at)
        start = _HEAD.size + before
        found.append(blob[start : start + length])
    return found


def meta_fields(blob: bytes) -> bytes | None:
    """The kept header fields alone, for headers.header_fields; None where the file must be read."""
    kept = meta_kept(blob)
    return None if kept is None else all_fields(kept)


def meta_kept(blob: bytes) -> bytes | None:
    """The same for kept_fields.picked."""
    return _kept(blob) if blob[2] & _COMPLETE else None


def _kept(blob: bytes) -> bytes:
    envelope, full, short, length = _FOUR.unpack_from(blob, _LENGTHS_AT)
    start = _HEAD.size + envelope + full + short
    return blob[start : start + length]


def header_lists(blobs: Iterable[bytes], names: tuple[bytes, ...]) -> list[bytes]:
    """HEADER.FIELDS of each as a literal, for blobs of which `all_kept` holds."""
    return picked_strings(map(_kept, blobs), names)


def all_kept(blobs: Iterable[bytes], utf8: bool) -> bool:
    """Whether the kept fields are complete, and for sessions in UTF-8 none of a surrogate."""
    wanted = _COMPLETE | _SURROGATE if utf8 else _COMPLETE
    return {blob[2] & wanted for blob in blobs} <= {_COMPLETE}


def previews(blobs: Iterable[bytes]) -> list[bytes]:
    """The preview of each; it comes last."""
    at = _HEAD.size - 4
    return [blob[len(blob) - _ONE.unpack_from(blob, at)[0] :] for blob in blobs]


def is_eight_bit(blob: bytes) -> bool:
    """Whether sessions in UTF-8 want it rendered again."""
    return blob[2] & _EIGHT_BIT != 0


def has_surrogate(blob: bytes) -> bool:
    """Whether ASCII sessions are shown its surrogate."""
    return blob[2] & _SURROGATE != 0


def shown_sizes(blobs: Sequence[bytes], sizes: Iterable[int]) -> list[int]:
    """RFC822.SIZE for ASCII sessions; `sizes` are those of the messages."""
    found = zip(blobs, sizes, strict=True)
    return [_shown_size(blob) if blob[2] & _SURROGATE else size for blob, size in found]


def _shown_size(blob: bytes) -> int:
    return int(_LONG.unpack_from(blob, _LENGTHS_AT - 8)[0])
