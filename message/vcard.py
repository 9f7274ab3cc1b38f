"""vCard as text (RFC 6350, RFC 2426): bytes in, properties out, and back. Pure.

Reading is lenient: any line end, folded anywhere, vCard 2.1's bare parameters and quoted-printable,
lines that are none are left out. Writing is strict. A value stays as it is escaped in the text:
what it means is message/vcard_values.py and, as JSContact, message/jscontact_reading.py.
"""

import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from message.vcard_values import caret_decoded, caret_encoded

V3: Final = "3.0"
V4: Final = "4.0"
MAX_PROPERTIES: Final = 5_000
_FOLD: Final = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
_LINE: Final = re.compile(rb"\r\n|\r|\n")
_HEAD: Final = re.compile(r"(?:([A-Za-z0-9_-]+)\.)?([A-Za-z0-9_-]+)(?=[;:])")
_PARAM: Final = re.compile(r';\s*([A-Za-z0-9_-]+)\s*(?:=((?:"[^"]*"|[^;:,"]|,|"(?=[;:,]))*))?')
_PARAM_VALUE: Final = re.compile(r'"([^"]*)"[^,]*|([^,]*)')
_SAFE: Final = re.compile(r'[^",;:\x00-\x08\x0a-\x1f\x7f]*')
_WIDTH: Final = 75
# vCard 2.1's parameters without a name that say how the value is encoded.
_ENCODINGS: Final = frozenset({"QUOTED-PRINTABLE", "BASE64", "7BIT", "8BIT"})


class NotVcard(ValueError):
    """No card in the text, or one beyond the bounds; the text says why."""


Params = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Property:
    """One line. `name` and the names of `params` are in upper case, `group` is as it was written;
    `value` is escaped still.
    """

    name: str
    value: str
    params: Params = ()
    group: str = ""

    def param(self, name: str) -> tuple[str, ...]:
        """Its values; none when there is no such parameter."""
        return next((values for key, values in self.params if key == name), ())

    def first(self, name: str) -> str:
        """The first of its values, or ""."""
        return next(iter(self.param(name)), "")

    def without(self, *names: str) -> "Property":
        return replace(self, params=tuple(one for one in self.params if one[0] not in names))


@dataclass(frozen=True, slots=True)
class Vcard:
    """`properties` are without BEGIN, VERSION and END, in order."""

    version: str
    properties: tuple[Property, ...]

    def all(self, name: str) -> Iterator[Property]:
        return (one for one in self.properties if one.name == name)

    def value(self, name: str) -> str:
        """That of the first property of that name, escaped; or ""."""
        return next((one.value for one in self.all(name)), "")


def parse_vcard(data: bytes) -> Vcard:
    """The one card in the text. Raises NotVcard."""
    found = list(parse_vcards(data))
    if len(found) != 1:
        raise NotVcard(f"The text holds {len(found)} cards, not one")
    return found[0]


def parse_vcards(data: bytes) -> Iterator[Vcard]:
    """Every card in the text. Raises NotVcard."""
    for lines in _cards(_LINE.split(_FOLD.sub(b"", data.removeprefix(b"\xef\xbb\xbf")))):
        if len(lines) > MAX_PROPERTIES:
            raise NotVcard(f"A card has at most {MAX_PROPERTIES} properties")
        yield _card(lines)


def _cards(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines between BEGIN:VCARD and END:VCARD; a card without its end ends with the text."""
    held: list[bytes] | None = None
    soft = False
    for line in lines:
        if soft and held:
            held[-1] = held[-1][:-1] + line
            soft = line.endswith(b"=")
            continue
        word = line.strip().upper()
        if word == b"BEGIN:VCARD":
            if held:
                yield held
            held = []
        elif word == b"END:VCARD":
            if held is not None:
                yield held
            held = None
        elif held is not None and word:
            held.append(line)
            soft = line.endswith(b"=") and b"QUOTED-PRINTABLE" in word.partition(b":")[0]
    if held:
        yield held


def _card(lines: list[bytes]) -> Vcard:
    found = [one for one in map(_property, lines) if one is not None]
    version = next((one.value.strip() for one in found if one.name == "VERSION"), V3)
    if version == V4:
        found = [_carets(one) for one in found]
    return Vcard(version, tuple(one for one in found if one.name != "VERSION"))


def _carets(one: Property) -> Property:
    """Parameter values of vCard 4 as RFC 6868 means them."""
    decoded = tuple((name, tuple(map(caret_decoded, values))) for name, values in one.params)
    return replace(one, params=decoded)


def _property(line: bytes) -> Property | None:
    text = _text(line)
    head = _HEAD.match(text)
    if head is None:
        return None
    params, at = _params(text, head.end())
    if at >= len(text) or text[at] != ":":
        return None
    made = Property(head[2].upper(), text[at + 1 :], params, head[1] or "")
    return _unquoted(made, line) if _encoding(made) == "QUOTED-PRINTABLE" else made


def _text(line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("cp1252", "replace")
    return text.replace("\0", "")


def _encoding(one: Property) -> str:
    return one.first("ENCODING").upper()


def _unquoted(one: Property, line: bytes) -> Property:
    """A value of vCard 2.1 in quoted-printable, as text with the escapes of 3.0 for line ends."""
    octets = quopri.decodestring(one.value.encode())
    charset = one.first("CHARSET") or "utf-8"
    try:
        text = octets.decode(charset)
    except (LookupError, UnicodeDecodeError, ValueError):
        text = octets.decode("cp1252", "replace")
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return replace(one.without("ENCODING", "CHARSET"), value=text)


def _params(text: str, at: int) -> tuple[Params, int]:
    held: dict[str, list[str]] = {}
    while match := _PARAM.match(text, at):
        name, value = match[1].upper(), match[2]
        at = match.end()
        if value is None:  # vCard 2.1: TEL;HOME;VOICE
            name, value = ("ENCODING" if name in _ENCODINGS else "TYPE"), match[1]
        held.setdefault(name, []).extend(_values(value))
    return tuple((name, tuple(values)) for name, values in held.items()), at


def _values(text: str) -> list[str]:
    found, at = [], 0
    while at <= len(text):
        match = _PARAM_VALUE.match(text, at)
        assert match is not None  # it matches nothing at all too
        found.append(match[2].strip() if match[1] is None else match[1])
        at = match.end() + 1
    return found


def format_vcard(card: Vcard) -> bytes:
    """With CRLF, folded at 75 octets; what a version can't carry in a parameter is left out."""
    lines = ["BEGIN:VCARD", f"VERSION:{card.version}"]
    lines += [_line(one, card.version) for one in card.properties]
    return b"".join(map(_folded, [*lines, "END:VCARD"]))


def _line(one: Property, version: str) -> str:
    params = "".join(
        f";{name}={','.join(_param_value(value, version) for value in values)}"
        for name, values in one.params
        if values
    )
    group = f"{one.group}." if one.group else ""
    return f"{group}{one.name}{params}:{_plain(one.value)}"


def _plain(value: str) -> str:
    """No line end in a value would be one of the text."""
    return value.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _param_value(value: str, version: str) -> str:
    if version == V4:
        value = caret_encoded(value)
    else:
        value = value.replace('"', "'").replace("\n", " ").replace("\r", " ")
    return value if _SAFE.fullmatch(value) and value == value.strip() and value else f'"{value}"'


def _folded(line: str) -> bytes:
    octets = line.encode("utf-8", "replace")
    if len(octets) <= _WIDTH:
        return octets + b"\r\n"
    pieces, start, width = [], 0, _WIDTH
    while start < len(octets):
        end = min(start + width, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(octets[start:end])
        start, width = end, _WIDTH - 1
    return b"\r\n ".join(pieces) + b"\r\n"
