"""The header fields that are kept beside a message, in the form that HEADER.FIELDS picks from.

A number for each field, one octet, then the raw fields in their order, all joined by NUL: a choice
of names is a table of numbers, and picking is a split, a compress and a join. Clients ask for the
same names of thousands of messages. Numbers follow CACHED_NAMES: to change that is to change what
is rendered.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import compress
from typing import Final

from message.headers import CACHED_NAMES

_NUMBERS: Final = {name: number for number, name in enumerate(sorted(CACHED_NAMES), 1)}
_SEPARATOR: Final = b"\0"


def pack_fields(fields: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Names in lower case, all of them in CACHED_NAMES, and raw fields with their CRLF; None when
    one of them holds a NUL.
    """
    names, lines = bytearray(), [b""]
    for name, line in fields:
        if _SEPARATOR in line:
            return None
        names.append(_NUMBERS[name])
        lines.append(line)
    return bytes(names) + _SEPARATOR.join(lines)


def all_fields(packed: bytes) -> bytes:
    """The raw fields."""
    return packed.partition(_SEPARATOR)[2].replace(_SEPARATOR, b"")


def picked(packed: bytes, names: tuple[bytes, ...]) -> bytes:
    """HEADER.FIELDS of names in any case, each of them in CACHED_NAMES, with the blank line."""
    numbers, *lines = packed.split(_SEPARATOR)
    return b"".join([*compress(lines, numbers.translate(_choice(names))), b"\r\n"])


def picked_strings(packed: Iterable[bytes], names: tuple[bytes, ...]) -> list[bytes]:
    """The same of many messages, as literals."""
    choice, found = _choice(names), []
    for one in packed:
        numbers, *lines = one.split(_SEPARATOR)
        text = b"".join(compress(lines, numbers.translate(choice)))
        found.append(b"{%d}\r\n%b\r\n" % (len(text) + 2, text))
    return found


@lru_cache(256)
def _choice(names: tuple[bytes, ...]) -> bytes:
    wanted = {_NUMBERS[name.lower()] for name in names}
    return bytes(number in wanted for number in range(256))
