"""The text of an HTML part as a reader sees it, for searching. Linear time, nothing raises.

Tags, comments, scripts and styles go, entities are decoded, white space is one space, blocks are
lines. What links lead to and what `alt` and `title` say follows behind the text. Not a sanitizer.
"""

import re
from typing import Final

from message.entities import unescape

_SPACE: Final = re.compile(r"\s+")
_MARK: Final = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][a-zA-Z0-9:-]*+)([^<>]*+)>|[!?/][^<>]*+>)")
_ATTRIBUTE: Final = re.compile(
    r"\b(?:href|alt|title)\s?=\s?(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE
)
_BREAK: Final = re.compile(r" ?\n[ \n]*")
# Elements that stand within a line; every other one ends it.
_WITHIN: Final = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp"
    " small span strike strong sub sup time tt u var wbr"
)
_INLINE: Final = frozenset(_WITHIN.split())
_UNSEEN: Final = frozenset({"script", "style"})


def html_text(source: str) -> str:
    """The text, lines joined by newlines."""
    reader = _Reader(_SPACE.sub(" ", source))
    reader.read()
    text = unescape("".join(reader.text))
    said = [unescape(value) for value in reader.said]
    return _BREAK.sub("\n", "\n".join([text, *said])).strip()


class _Reader:
    """One pass from mark to mark."""

    __slots__ = ("_lower", "_source", "said", "text")

    def __init__(self, source: str) -> None:
        self._source = source
        self._lower = ""
        self.text: list[str] = []
        self.said: list[str] = []

    def read(self) -> None:
        source, position = self._source, 0
        endless: set[str] = set()
        while found := _MARK.search(source, position):
            self.text.append(source[position : found.start()])
            position = found.end()
            comment, closing, name, attributes = found.groups()
            end = "-->" if comment else self._unseen_until(closing, name)
            if end and end not in endless:
                stop = self._find(end, position)
                if stop < 0:
                    endless.add(end)
                else:
                    position = stop + (3 if comment else 0)
            if not comment and name is not None:
                self._element(name.lower(), attributes)
        self.text.append(source[position:])

    def _unseen_until(self, closing: str | None, name: str | None) -> str:
        """What ends an element that is no text, "" for any other."""
        return f"</{name.lower()}" if name and not closing and name.lower() in _UNSEEN else ""

    def _find(self, end: str, position: int) -> int:
        if end == "-->":
            return self._source.find(end, position)
        if not self._lower:
            # Letters whose lower case is longer would move everything behind them.
            self._lower = re.sub("[A-Z]", lambda found: found[0].lower(), self._source)
        return self._lower.find(end, position)

    def _element(self, name: str, attributes: str) -> None:
        if name not in _INLINE:
            self.text.append("\n")
        if "=" in attributes:
            for values in _ATTRIBUTE.findall(attributes):
                value = values[0] or values[1] or values[2]
                if value and not value.startswith("#"):
                    self.said.append(value)
