"""Raw header fields: iterate, find, unfold, select, build.

A field starts at the beginning of a line with a printable name and a colon, and runs through its
continuation lines. Other lines are junk and passed over; nothing here raises on any bytes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from message.words import encode_words

# What Thunderbird, Outlook, K-9, mutt, imapflow and mbsync ask for with HEADER.FIELDS.
CACHED_NAMES = frozenset(
    b"from to cc bcc reply-to sender subject date message-id in-reply-to references newsgroups"
    b" priority x-priority importance x-msmail-priority content-type content-disposition"
    b" content-transfer-encoding mime-version list-id list-post list-unsubscribe"
    b" list-unsubscribe-post list-help list-archive list-owner list-subscribe"
    b" disposition-notification-to return-receipt-to auto-submitted precedence"
    b" x-mailer user-agent organization keywords comments x-spam-flag x-spam-status"
    b" x-draft-info x-mozilla-draft-info delivered-to x-label".split()
)
FOLD_AT = 76
MAX_WORD = 900

_NAME = rb"[!-9;-~]+"
_VALUE = rb"[^\n]*+(?:\n[ \t][^\n]*+)*+"
_FIELD = re.compile(rb"^(" + _NAME + rb")[ \t]*:(" + _VALUE + rb")\n?", re.MULTILINE)
_BLANK = re.compile(rb"\n\r?\n")
_BREAKS = re.compile(rb"[\r\n\0]+")


class Field(NamedTuple):
    """One raw field; the block's bytes from `start` to `end` hold it with its line end."""

    name: bytes
    value: bytes
    start: int
    end: int


def iter_fields(block: bytes) -> Iterator[Field]:
    """The fields of a header block (without its body), in order; `value` folded, as written."""
    for match in _FIELD.finditer(block):
        name, value = match.groups()
        yield Field(name, value.removesuffix(b"\r"), match.start(), match.end())


def unfold(value: bytes) -> bytes:
    """One line: folds removed (RFC 5322 §2.2.3), stray CR, LF and NUL become a space, stripped."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"")
    if _BREAKS.search(value):
        value = _BREAKS.sub(b" ", value)
    return value.strip(b" \t")


def first(block: bytes, name: bytes) -> bytes | None:
    """The unfolded value of the first field of that name (any case)."""
    match = _finder(name.lower()).search(block)
    return None if match is None else unfold(match[1])


def all_values(block: bytes, name: bytes) -> list[bytes]:
    """The unfolded values of every field of that name (any case), in order."""
    return [unfold(value) for value in _finder(name.lower()).findall(block)]


def header_block(data: bytes) -> bytes:
    """The header block of a message with its blank line; all of it when there is none."""
    if data.startswith((b"\r\n", b"\n")):
        return data[: data.index(b"\n") + 1]
    match = _BLANK.search(data)
    return data if match is None else data[: match.end()]


def without_blank_line(block: bytes) -> bytes:
    """What `header_block` gives, without the blank line at its end."""
    return block[:-2] if block == b"\r\n" or block.endswith(b"\r\n\r\n") else block


def header_fields(block: bytes, names: Iterable[bytes], invert: bool = False) -> bytes:
    """HEADER.FIELDS, or with `invert` HEADER.FIELDS.NOT (RFC 9051 §6.4.5).

    `block` is a header block or `Meta.fields`. Raw fields in their order, then the blank line.
    Pass `names` as the same tuple for many messages: the compiled selection is kept.
    """
    found = _selection(tuple(names), invert).findall(block)
    if found and not found[-1].endswith(b"\n"):
        found[-1] = found[-1].removesuffix(b"\r") + b"\r\n"
    return b"".join(found) + b"\r\n"


def cached(names: Iterable[bytes], invert: bool = False) -> bool:
    """True when a complete `Meta.fields` answers HEADER.FIELDS of these names."""
    return not invert and all(name.lower() in CACHED_NAMES for name in names)


def build_field(name: str, value: str, utf8: bool = False) -> bytes:
    """One field, folded, with CRLF. Non-ASCII becomes RFC 2047 words unless `utf8`.

    Control characters in the value become spaces, so that no value can start a field of its own.
    """
    clean = "".join(char if char >= " " and char != "\x7f" else " " for char in value).strip()
    words = (clean.encode("utf-8", "replace") if utf8 else encode_words(clean)).split(b" ")
    if any(len(word) > MAX_WORD for word in words):
        words = encode_words(clean, force=True).split(b" ")
    return b"\r\n ".join(fill(name.encode("ascii") + b":", words)) + b"\r\n"


def folded(name: bytes, value: bytes) -> bytes:
    """One field of a value in ASCII, folded at its spaces, with CRLF."""
    return b"\r\n ".join(fill(name + b":", value.split(b" "))) + b"\r\n"


def fill(line: bytes, words: Sequence[bytes]) -> list[bytes]:
    """Lines of words, each at most FOLD_AT octets where that can be."""
    lines = []
    for word in words:
        # A continuation line of blanks alone is obsolete syntax that some peers take for the end.
        if (
            len(line) + 1 + len(word) > FOLD_AT
            and word
            and line.strip()
            and not line.endswith(b":")
        ):
            lines.append(line)
            line = word
        else:
            line += b" " + word
    return [*lines, line]


@lru_cache(maxsize=256)
def _finder(name: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"^" + re.escape(name) + rb"[ \t]*:(" + _VALUE + rb")", re.MULTILINE | re.IGNORECASE
    )


@lru_cache(maxsize=256)
def _selection(names: tuple[bytes, ...], invert: bool) -> re.Pattern[bytes]:
    some = rb"(?:" + b"|".join(re.escape(name) for name in names) + rb")[ \t]*:"
    if not names:
        some = rb"(?!)"
    start = rb"(?!" + some + rb")" + _NAME + rb"[ \t]*:" if invert else some
    return re.compile(rb"^" + start + _VALUE + rb"\n?", re.MULTILINE | re.IGNORECASE)
