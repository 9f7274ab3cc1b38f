"""A header block as DKIM and ARC hash it: choice of fields and canonical forms.

RFC 6376 §3.4.1, §3.4.2, §3.7, §5.4.2. A name that is listed more often than there are fields of it
stands for the null string: so a field added later breaks the signature.
"""

import re
from collections.abc import Iterable

from message.headers import iter_fields

_RUN = re.compile(rb"[ \t]+")
_ODD = re.compile(rb"[\r\n\v\f]")
_B_TAG = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


class Header:
    """The fields of a block, numbered from the top. Canonical forms are made once and kept."""

    def __init__(self, block: bytes) -> None:
        self.names: list[bytes] = []
        self._raw: list[bytes] = []
        self._values: list[bytes] = []
        self._relaxed: dict[int, bytes] = {}
        self._places: dict[bytes, list[int]] = {}
        for number, field in enumerate(iter_fields(block)):
            name = field.name.lower()
            self.names.append(name)
            self._raw.append(block[field.start : field.end])
            self._values.append(field.value)
            self._places.setdefault(name, []).append(number)

    def places(self, name: bytes) -> list[int]:
        """The numbers of the fields of a lower-case name, from the top."""
        return self._places.get(name, [])

    def value(self, place: int) -> bytes:
        """What stands behind the colon, folded as written, without the last line end."""
        return self._values[place]

    def chosen(self, names: Iterable[bytes], own: int = -1) -> list[int]:
        """The fields that lower-case names stand for, from the bottom up; `own` is never one."""
        left: dict[bytes, list[int]] = {}
        found = []
        for name in names:
            places = left.get(name)
            if places is None:
                places = left[name] = [n for n in self.places(name) if n != own]
            if places:
                found.append(places.pop())
        return found

    def form(self, place: int, relaxed: bool) -> bytes:
        """One field in canonical form, with CRLF."""
        if not relaxed:
            return _terminated(self._raw[place])
        form = self._relaxed.get(place)
        if form is None:
            form = self._relaxed[place] = relaxed_form(self.names[place], self._values[place])
        return form

    def forms(self, places: Iterable[int], relaxed: bool) -> bytes:
        """Several fields in canonical form, in this order."""
        return b"".join([self.form(place, relaxed) for place in places])

    def own_form(self, place: int, relaxed: bool) -> bytes:
        """A signature's own field as it signs itself: b= empty, without the last CRLF."""
        if relaxed:
            value = without_b(self._values[place])
            return relaxed_form(self.names[place], value).removesuffix(b"\r\n")
        name, colon, value = self._raw[place].partition(b":")
        return name + colon + without_b(value.removesuffix(b"\n").removesuffix(b"\r"))


def relaxed_form(name: bytes, value: bytes) -> bytes:
    """Name and folded value of a field in relaxed form, with CRLF (RFC 6376 §3.4.2)."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"")
    if _ODD.search(value):
        value = _RUN.sub(b" ", value).strip(b" ")
    else:
        value = b" ".join(value.split())
    return name.lower() + b":" + value + b"\r\n"


def without_b(value: bytes) -> bytes:
    """A tag list whose b= has no value, nor white space where it stood (RFC 6376 §3.7)."""
    return _B_TAG.sub(rb"\1", value, count=1)


def _terminated(field: bytes) -> bytes:
    if field.endswith(b"\r\n"):
        return field
    return field.removesuffix(b"\n") + b"\r\n"
