"""What SORT compares of the address fields (RFC 5256 §3, RFC 5957 §3), taken at delivery.

Values as they are, decoded; how they compare (i;unicode-casemap) is message/casemap.py's.
"""

from functools import lru_cache
from typing import NamedTuple

from message.address_list import parse_address_list
from message.envelope import Values
from message.words import decode_words

MAX_LENGTH = 200
_FIRST = 2048


class SortFields(NamedTuple):
    """Of the first address of From, To and Cc: its local part; of From and To what is displayed."""

    sender: str = ""
    to: str = ""
    cc: str = ""
    display_from: str = ""
    display_to: str = ""

    def packed(self) -> bytes:
        """For the blob of message/meta.py."""
        return "\0".join(self).encode("utf-8", "replace")

    @classmethod
    def unpacked(cls, data: bytes) -> "SortFields":
        """Back from it."""
        parts = data.decode("utf-8", "replace").split("\0")
        return cls(*parts) if len(parts) == len(cls._fields) else cls()


def sort_fields(values: Values) -> SortFields:
    """Those of a header; an absent field gives "", which sorts first."""
    sender, to, cc = (_first(values, name) for name in (b"from", b"to", b"cc"))
    return SortFields(sender[0], to[0], cc[0], sender[1], to[1])


def _first(values: Values, name: bytes) -> tuple[str, str]:
    found = values.get(name)
    return _first_of(found[0][:_FIRST]) if found else ("", "")


# One sender writes often and to the same few.
@lru_cache(maxsize=4096)
def _first_of(value: bytes) -> tuple[str, str]:
    """Local part and display of the first address; of a group both are its name."""
    address = next(iter(parse_address_list(value)), None)
    if address is None:
        return "", ""
    local = _clean(decode_words(address.local or b""))
    return local, _clean(address.display or address.text) or local


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()[:MAX_LENGTH]
