"""XML that clients send, as elements; bounded, and without a document type, so without entities
(RFC 4918 §20.6). Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from web.dav.errors import DavError
from web.dav.names import D

MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 250_000
MAX_ATTRIBUTES: Final = 32


@dataclass(slots=True)
class Element:
    """`name` and the attributes' as names.py has them; `tail` is the text after it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: str = ""
    tail: str = ""

    def find(self, name: str) -> "Element | None":
        """The first child of that name."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator["Element"]:
        return (child for child in self.children if child.name == name)

    def value(self, name: str, default: str = "") -> str:
        """The text of the first child of that name, without space around it."""
        found = self.find(name)
        return default if found is None else found.text.strip()


def size_of(element: Element) -> int:
    """How many elements are in it, at any depth."""
    return sum(1 + size_of(child) for child in element.children)


def parse_xml(data: bytes, most: int = MAX_ELEMENTS) -> Element:
    """The root, of so many elements at most. Raises DavError."""
    return _Reader(most).read(data)


class _Reader:
    def __init__(self, most: int) -> None:
        self._most = most
        self._root = Element("")
        self._open = [self._root]
        self._texts: list[str] = []
        self._count = 0

    def read(self, data: bytes) -> Element:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._texts.append
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise DavError(400, detail=f"not well-formed XML: {error}") from None
        except (LookupError, ValueError):
            raise DavError(400, detail="an encoding that nobody knows") from None
        return self._root.children[0]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) > MAX_DEPTH:
            raise DavError(400, detail=f"more than {MAX_DEPTH} levels of elements")
        if self._count > self._most or len(attributes) > MAX_ATTRIBUTES:
            raise DavError(413, detail=f"more than {self._most} elements")
        self._flush()
        named = {_name(key): value for key, value in attributes.items()}
        made = Element(_name(name), named)
        self._open[-1].children.append(made)
        self._open.append(made)

    def _end(self, _: str) -> None:
        self._flush()
        self._open.pop()

    def _flush(self) -> None:
        if not self._texts:
            return
        text = "".join(self._texts)
        self._texts.clear()
        inside = self._open[-1]
        if inside.children:
            inside.children[-1].tail += text
        else:
            inside.text += text


def _refuse(*_: object) -> None:
    raise DavError(403, D + "no-external-entities", "a document type is not allowed")


def _name(name: str) -> str:
    namespace, space, local = name.rpartition(" ")
    return f"{{{namespace}}}{local}" if space else name
