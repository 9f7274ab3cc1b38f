"""The features of a stored message, as it came in: without what was written into it since.

Pure. The classifier judges a message before this server adds its fields; what is learned must not
see them, or it would learn what the server itself thought of the message.
"""

from array import array
from typing import Final

from filters.spam.features import features
from filters.spam.reading import read
from message.headers import Field, header_block, iter_fields
from message.rewrite import without

# of servers on the way of delivery, and of mail programs that keep mail
_LATER: Final = frozenset(
    {
        b"return-path",
        b"delivered-to",
        b"x-original-to",
        b"authentication-results",
        b"received-spf",
        b"status",
        b"x-status",
        b"x-keywords",
        b"x-uid",
        b"x-tuid",
        b"x-bogosity",
    }
)
_PREFIXES: Final = (b"x-spam", b"x-mozilla-", b"x-evolution", b"x-virus-scanned")


def as_it_came(data: bytes, hostname: str) -> bytes:
    """The message without fields of this server (`hostname`, in Received) and of mail programs."""
    block = header_block(data)
    ours = f" by {hostname} ".encode("ascii", "replace").lower()
    first = next((one for one in iter_fields(block) if one.name.lower() == b"received"), None)
    own = first.start if first is not None and ours in _one_line(first) else -1

    def later(field: Field) -> bool:
        name = field.name.lower()
        return field.start == own or name in _LATER or name.startswith(_PREFIXES)

    return without(block, later) + data[len(block) :]


def extract(data: bytes, hostname: str) -> "array[int]":
    """Its features, ascending."""
    return array("I", sorted(features(read(as_it_came(data, hostname)))))


def _one_line(field: Field) -> bytes:
    return b" " + b" ".join(field.value.lower().split()) + b" "
