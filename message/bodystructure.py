"""BODYSTRUCTURE read back, as this server wrote it: the kinds of parts of a message, and the names
of its files, without the message. Pure.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from message.params import decode_params

# A string, the beginning of a literal, a mark of a list, an atom.
_TOKEN: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n|([()])|([^\s()"{]+)|\s+', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(slots=True)
class Structure:
    """A part; names are lower case. What is inside a message/rfc822 is not told."""

    type: bytes
    subtype: bytes
    disposition: bytes | None = None
    filename: str = ""
    children: list["Structure"] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """It has parts."""
        return self.type == b"multipart"

    @property
    def is_named(self) -> bool:
        """Whether it has a file name."""
        return bool(self.filename)


def parse_structure(data: bytes) -> Structure:
    """Raises ValueError for what is none."""
    try:
        return _structure(_lists(data))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ValueError("no body structure") from error


def names(root: Structure) -> list[str]:
    """The file names in a message."""
    found = [root.filename] if root.filename else []
    for child in root.children:
        found += names(child)
    return found


def _lists(data: bytes) -> list[Any]:
    """Nested lists of strings; NIL is None."""
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(data):
        found = _TOKEN.match(data, at)
        if found is None:
            raise ValueError("a string does not end")
        at = found.end()
        quoted, literal, mark, atom = found.groups()
        if quoted is not None:
            stack[-1].append(_ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        elif literal is not None:
            stack[-1].append(data[at : at + int(literal)])
            at += int(literal)
        elif mark == b"(":
            stack.append([])
        elif mark == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif atom is not None:
            stack[-1].append(None if atom == b"NIL" else atom)
    whole: list[Any] = stack[0][0]
    return whole


def _structure(found: list[Any]) -> Structure:
    if isinstance(found[0], list):
        count = 0
        while isinstance(found[count], list):
            count += 1
        subtype, _, placed, *_ = found[count:]
        children = [_structure(one) for one in found[:count]]
        return Structure(b"multipart", subtype.lower(), _placed(placed)[0], "", children)
    kind, subtype = found[0].lower(), found[1].lower()
    after = 7
    if kind == b"text":
        after = 8
    elif kind == b"message" and isinstance(found[7], list):
        after = 10
    disposition, name = _placed(found[after + 1])
    return Structure(kind, subtype, disposition, name or _named(found[2], "name"))


def _placed(found: list[Any] | None) -> tuple[bytes | None, str]:
    """Disposition and file name."""
    if found is None:
        return None, ""
    return found[0].lower(), _named(found[1], "filename")


def _named(params: list[Any] | None, name: str) -> str:
    if params is None:
        return ""
    pairs = zip(params[::2], params[1::2], strict=True)
    return decode_params(tuple((key.lower(), value) for key, value in pairs)).get(name) or ""
