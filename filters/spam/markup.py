"""What a reader sees of HTML, what is hidden from him, and where it leads. Not a sanitizer.

Pure; one pass from mark to mark, linear on any text; nothing raises. Text counts as hidden inside
elements whose style hides it (`display:none`, a font of no size, no opacity), and when it is white
where nothing but white has been set behind it.
"""

import re
from dataclasses import dataclass
from typing import Final

from message.entities import unescape

MAX_LINKS: Final = 500
MAX_TARGET: Final = 2048
MAX_LABEL: Final = 512

_MARK: Final = re.compile(
    r"<(?:(!--)|(/?)([a-zA-Z][a-zA-Z0-9:-]*+)([^<>]*+)>|[!?/][^<>]*+>)",
)
_ATTRIBUTE: Final = re.compile(
    r"(?<![\w-])([a-zA-Z-]++)\s*+=\s*+(?:\"([^\"]*+)\"?|'([^']*+)'?|([^\s\"'>]++))"
)
_SPACE: Final = re.compile(r"\s+")
_BREAK: Final = re.compile(r" ?\n[ \n]*")
_HIDES: Final = re.compile(
    r"display\s*+:\s*+none|visibility\s*+:\s*+hidden|mso-hide\s*+:\s*+all"
    r"|opacity\s*+:\s*+0(?:\.0++)?+(?![\d.])|max-height\s*+:\s*+0(?![\d.])"
    r"|font-size\s*+:\s*+[01]?(?:\.\d++)?(?:px|pt|%)?\s*+(?:;|!|\Z)"
)
_COLOUR: Final = re.compile(r"(?<![\w-])color\s*+:\s*+([#\w]++)")
_BEHIND: Final = re.compile(r"background(?:-color|-image)?\s*+:\s*+([#\w]++)")
_REFRESH: Final = re.compile(r"url\s*+=\s*+['\"]?([^'\"\s]++)", re.IGNORECASE)
_WHITE: Final = re.compile(r"#?(?:f[0-9a-f]){3}|#fff|white")
# Elements that stand within a line; every other one ends it.
_WITHIN: Final = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp"
    " small span strike strong sub sup time tt u var wbr"
)
_UNREAD: Final = frozenset({"script", "style", "title", "textarea"})
_INLINE: Final = frozenset(_WITHIN.split()) | _UNREAD
_NO_TEXT: Final = "area base br col embed hr img input link meta param wbr"
_EMPTY: Final = frozenset(_NO_TEXT.split())
_TARGETS: Final = {
    "a": ("href", "a"),
    "area": ("href", "a"),
    "img": ("src", "img"),
    "form": ("action", "form"),
    "iframe": ("src", "frame"),
    "frame": ("src", "frame"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """Where something leads, as written, references decoded.

    `kind`: "a" (`text` is what is shown, "" for a picture), "img" (`text` is its `alt`), "form",
    "frame", "refresh", or "plain" for an address that stands in the text itself.
    """

    target: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Markup:
    """The text a reader sees, lines joined by newlines; the text hidden; links; number of tags."""

    text: str
    hidden: str
    links: tuple[Link, ...]
    tags: int


def read_markup(source: str) -> Markup:
    """Read the source of one HTML text."""
    reader = _Reader(source)
    reader.read()
    hidden = _tidy("".join(reader.hidden))
    return Markup(_tidy("".join(reader.seen)), hidden, tuple(reader.links), reader.tags)


def _tidy(text: str) -> str:
    return _BREAK.sub("\n", unescape(text)).strip()


class _Reader:
    """`_veil` is the name of the element that hides, `_veils` how many of that name are open."""

    __slots__ = (
        "_href",
        "_label",
        "_lower",
        "_shown",
        "_source",
        "_veil",
        "_veils",
        "_white",
        "hidden",
        "links",
        "seen",
        "tags",
    )

    def __init__(self, source: str) -> None:
        self._source = source
        self._lower = ""
        self._veil, self._veils = "", 0
        self._white = True
        self._href: str | None = None
        self._label: list[str] = []
        self._shown = 0
        self.seen: list[str] = []
        self.hidden: list[str] = []
        self.links: list[Link] = []
        self.tags = 0

    def read(self) -> None:
        source, position = self._source, 0
        endless: set[str] = set()
        while found := _MARK.search(source, position):
            self._text(source[position : found.start()])
            position = found.end()
            comment, closing, name, attributes = found.groups()
            lower = name.lower() if name else ""
            end = "-->" if comment else ""
            if lower in _UNREAD and not closing:
                end = f"</{lower}"
            if end and end not in endless:
                stop = self._find(end, position)
                if stop < 0:
                    endless.add(end)
                else:
                    position = stop + (3 if comment else 0)
            if lower:
                self.tags += 1
                if closing:
                    self._close(lower)
                else:
                    self._open(lower, attributes)
        self._text(source[position:])
        self._end_link()

    def _find(self, end: str, position: int) -> int:
        if end == "-->":
            return self._source.find(end, position)
        if not self._lower:
            # Letters whose lower case is longer would move everything behind them.
            self._lower = re.sub("[A-Z]", lambda found: found[0].lower(), self._source)
        return self._lower.find(end, position)

    def _text(self, text: str) -> None:
        if not text:
            return
        text = _SPACE.sub(" ", text)
        if self._veils:
            self.hidden.append(text)
            return
        self.seen.append(text)
        if self._href is not None and self._shown < MAX_LABEL:
            self._label.append(text)
            self._shown += len(text)

    def _open(self, name: str, attributes: str) -> None:
        if name not in _INLINE:
            (self.hidden if self._veils else self.seen).append("\n")
        if name == self._veil:
            self._veils += 1
        values = _values(attributes) if "=" in attributes else {}
        if name == "a":
            self._end_link()
        if values:
            self._target(name, values)
            if not self._veils and name not in _EMPTY and self._hides(name, values):
                self._veil, self._veils = name, 1

    def _close(self, name: str) -> None:
        if name == "a":
            self._end_link()
        if name == self._veil:
            self._veils -= 1
            if self._veils == 0:
                self._veil = ""
                self.hidden.append(" ")
        if name not in _INLINE:
            (self.hidden if self._veils else self.seen).append("\n")

    def _target(self, name: str, values: dict[str, str]) -> None:
        if name == "meta" and (found := _REFRESH.search(values.get("content", ""))):
            self._link(found[1], "", "refresh")
        background = values.get("background")
        if background:
            self._link(background, "", "img")
        if name not in _TARGETS:
            return
        attribute, kind = _TARGETS[name]
        target = values.get(attribute, "")
        if not target or target.startswith("#"):
            return
        if name == "a":
            self._href, self._label, self._shown = target, [], 0
        else:
            self._link(target, values.get("alt", ""), kind)

    def _end_link(self) -> None:
        if self._href is not None:
            self._link(self._href, "".join(self._label), "a")
            self._href = None

    def _link(self, target: str, text: str, kind: str) -> None:
        if len(self.links) <= MAX_LINKS:
            target = unescape(target[:MAX_TARGET]).strip()
            self.links.append(Link(target, _tidy(text[:MAX_LABEL]), kind))

    def _hides(self, name: str, values: dict[str, str]) -> bool:
        style = values.get("style", "").lower()
        behind = values.get("bgcolor") or values.get("background")
        if style and (found := _BEHIND.search(style)):
            behind = found[1]
        if behind and not _WHITE.fullmatch(behind.strip().lower()):
            self._white = False
        if style and _HIDES.search(style):
            return True
        colour = values.get("color", "") if name == "font" else ""
        if style and (found := _COLOUR.search(style)):
            colour = found[1]
        return self._white and bool(colour) and bool(_WHITE.fullmatch(colour.strip().lower()))


def _values(attributes: str) -> dict[str, str]:
    """The attributes by lower-case name; the first of a name counts."""
    values: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), double or single or bare)
    return values
