"""Changes of a header block one after the other, as milters and scripts ask for them. Pure.

Values are as they stand behind the colon, with their leading blank and folds; whatever line ends
they have, none can begin a field of its own.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from message.headers import iter_fields

_NAME = re.compile(rb"[!-9;-~]{1,200}")
_BREAK = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Insert:
    """A field in front of the one that has `index` others above it; behind all when None."""

    name: bytes
    value: bytes
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Another value for the `index`th field of that name, counted from 1; b"" removes it. Where
    there is none, a value is added at the end.
    """

    name: bytes
    index: int
    value: bytes


HeaderEdit = Insert | Change


def edited(block: bytes, edits: Iterable[HeaderEdit]) -> bytes:
    """The block (without its blank line) after the edits; a name that can't be is passed over."""
    for one in edits:
        if _NAME.fullmatch(one.name):
            block = _inserted(block, one) if isinstance(one, Insert) else _changed(block, one)
    return block


def _inserted(block: bytes, edit: Insert) -> bytes:
    field = _field(edit.name, edit.value)
    if edit.index is not None:
        for number, found in enumerate(iter_fields(block)):
            if number == edit.index:
                return block[: found.start] + field + block[found.start :]
    return _ended(block) + field


def _changed(block: bytes, edit: Change) -> bytes:
    name, seen = edit.name.lower(), 0
    for found in iter_fields(block):
        seen += found.name.lower() == name
        if seen == max(edit.index, 1):
            field = _field(found.name, edit.value) if edit.value else b""
            return block[: found.start] + field + block[found.end :]
    return _ended(block) + _field(edit.name, edit.value) if edit.value else block


def _field(name: bytes, value: bytes) -> bytes:
    lines = [line for line in _BREAK.split(value.replace(b"\0", b"")) if line.strip()]
    folded = [line if line[:1] in b" \t" else b"\t" + line for line in lines[1:]]
    return name + b":" + b"\r\n".join([*lines[:1], *folded]) + b"\r\n"


def _ended(block: bytes) -> bytes:
    return block if not block or block.endswith(b"\n") else block + b"\r\n"
