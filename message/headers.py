"""Raw header fields: iterate, find, unfold, select, build. Tolerant of junk lines, never raising."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Field(NamedTuple):
    name: bytes      # as written
    value: bytes     # raw, folded, without the last CRLF
    start: int       # of the whole field in the block
    end: int


def iter_fields(block: bytes) -> Iterator[Field]: ...
def unfold(value: bytes) -> bytes: ...
def first(block: bytes, name: bytes) -> bytes | None:
    """Unfolded, stripped value of the first such field."""
def all_values(block: bytes, name: bytes) -> list[bytes]: ...
def header_block(data: bytes) -> bytes:
    """The header block of a message, with its blank line."""
def header_fields(block: bytes, names: Iterable[bytes], invert: bool = False) -> bytes:
    """HEADER.FIELDS / HEADER.FIELDS.NOT: matching fields raw, in order, and the blank line."""
def cached(names: Iterable[bytes], invert: bool = False) -> bool:
    """True when `Meta.fields` holds every field asked for."""
def build_field(name: str, value: str, utf8: bool = False) -> bytes:
    """One folded field with CRLF; non-ASCII as RFC 2047 words unless `utf8`."""
def add_top(data: bytes, *fields: bytes) -> bytes: ...
