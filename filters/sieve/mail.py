"""The message that a script sees: its fields, decoded when asked for and once, and its edits.

Field names are in lower case. Nothing here raises on any bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from filters.sieve.values import Kept, Values
from message.address_list import Address, mailboxes
from message.edits import Edit
from message.headers import build_field, header_block, iter_fields, unfold, without_blank_line
from message.words import decode_words

MAX_VALUE: Final = 64 * 1024
MAX_FIELDS: Final = 5000
NONE: Final = Values([])


@dataclass(frozen=True, slots=True)
class Mail:
    """`header` is the block without its blank line, `size` in octets of the whole; `read` gives the
    whole message in its CRLF form when the script looks beyond the header.
    """

    header: bytes
    size: int
    read: Callable[[], bytes]


def mail_of(data: bytes) -> Mail:
    """A message in memory."""
    return Mail(without_blank_line(header_block(data)), len(data), lambda: data)


@dataclass(slots=True)
class FieldOf:
    """One field; `start` and `end` are its place in the original header, -1 for an added one."""

    name: str
    value: bytes
    start: int = -1
    end: int = -1
    raw: bytes = b""
    text: str | None = None

    def decoded(self) -> str:
        if self.text is None:
            self.text = decode_words(unfold(self.value[:MAX_VALUE]))
        return self.text


@dataclass(slots=True)
class Fields:
    """The fields of one header in order. `above` and `below` count those added at either end."""

    size: int
    fields: list[FieldOf]
    removed: list[FieldOf] = field(default_factory=list)
    edited: bool = False
    _by_name: dict[str, list[FieldOf]] | None = None
    kept: Kept = field(default_factory=Kept)
    _addresses: dict[str, list[Address]] = field(default_factory=dict)

    def named(self, name: str) -> list[FieldOf]:
        """Those of a name, from the top."""
        by_name = self._by_name
        if by_name is None:
            by_name = self._by_name = {}
            for one in self.fields:
                by_name.setdefault(one.name, []).append(one)
        return by_name.get(name, [])

    def values(self, names: tuple[str, ...]) -> Values:
        """The decoded values of all fields of these names."""
        found = self.kept.get(names)
        if found is not None:
            return found
        texts = [one.decoded() for name in names for one in self.named(name)]
        return self.kept.put(names, Values(texts))

    def addresses(self, name: str) -> list[Address]:
        """All addresses in the fields of a name."""
        found = self._addresses.get(name)
        if found is None:
            found = [one for each in self.named(name) for one in mailboxes(each.value)]
            self._addresses[name] = found
        return found

    def add(self, name: str, value: str, last: bool) -> None:
        raw = build_field(name, value)
        one = FieldOf(name.lower(), raw.partition(b":")[2], raw=raw)
        self.fields.insert(len(self.fields) if last else 0, one)
        self._forget()

    def remove(self, gone: list[FieldOf]) -> None:
        lost = {id(one) for one in gone}
        self.fields = [one for one in self.fields if id(one) not in lost]
        self.removed += [one for one in gone if one.start >= 0]
        self._forget()

    def edits(self) -> list[Edit]:
        """What was done to it, as edits of the original message."""
        if not self.edited:
            return []
        first = next((at for at, one in enumerate(self.fields) if one.start >= 0), None)
        above = self.fields[:first] if first is not None else self.fields
        below = [one for one in self.fields[first:] if one.start < 0] if first is not None else []
        edits: list[Edit] = [(one.start, one.end, b"") for one in self.removed]
        if above:
            edits.append((0, 0, b"".join(one.raw for one in above)))
        if below:
            edits.append((self.size, self.size, b"".join(one.raw for one in below)))
        return edits

    def _forget(self) -> None:
        self.edited = True
        self._by_name = None
        self._addresses.clear()
        self.kept.clear()


def fields_of(block: bytes) -> Fields:
    """The fields of a header block."""
    found: list[FieldOf] = []
    for one in iter_fields(block):
        if len(found) >= MAX_FIELDS:
            break
        name = one.name.decode("ascii", "replace").lower()
        found.append(FieldOf(name, one.value, one.start, one.end))
    return Fields(len(block), found)
