"""Which parts of a message are shown as text or HTML, and offered as files (RFC 8621 §4.1.4). Pure.

The algorithm is the standard's own; it asks of a part only what BODYSTRUCTURE tells too, so that a
search needs no message for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

_MEDIA: Final = (b"image", b"audio", b"video")


class Entity(Protocol):
    """A part; names are lower case."""

    @property
    def type(self) -> bytes: ...

    @property
    def subtype(self) -> bytes: ...

    @property
    def disposition(self) -> bytes | None: ...

    @property
    def is_named(self) -> bool: ...

    @property
    def is_multipart(self) -> bool: ...


E = TypeVar("E", bound=Entity)


@dataclass(slots=True)
class Bodies(Generic[E]):
    """Parts to show as text, as HTML, and to offer as files."""

    text: list[E] = field(default_factory=list)
    html: list[E] = field(default_factory=list)
    attachments: list[E] = field(default_factory=list)

    @property
    def has_attachment(self) -> bool:
        """Whether a client should offer something for download."""
        return any(one.disposition != b"inline" for one in self.attachments)


def bodies(root: E) -> Bodies[E]:
    """Of a message; children of a part are parts of the same kind."""
    found: Bodies[E] = Bodies()
    _sort([root], b"mixed", False, found.text, found.html, found.attachments)
    return found


def _sort(
    nodes: Sequence[E],
    inside: bytes,
    alternative: bool,
    text: list[E] | None,
    html: list[E] | None,
    attachments: list[E],
) -> None:
    """`inside` is the subtype of the multipart; a list is None once the other one has won."""
    before_text = -1 if text is None else len(text)
    before_html = -1 if html is None else len(html)
    for place, node in enumerate(nodes):
        if node.is_multipart:
            below = alternative or node.subtype == b"alternative"
            children: Sequence[E] = node.children  # type: ignore[attr-defined]
            _sort(children, node.subtype, below, text, html, attachments)
        elif not _is_inline(node, place, inside):
            attachments.append(node)
        elif inside == b"alternative":
            kind = (node.type, node.subtype)
            if kind == (b"text", b"plain"):
                _add(text, node)
            elif kind == (b"text", b"html"):
                _add(html, node)
            else:
                attachments.append(node)
        else:
            if alternative and node.type == b"text":
                html = None if node.subtype == b"plain" else html
                text = None if node.subtype == b"html" else text
            _add(text, node)
            _add(html, node)
            if node.type in _MEDIA and (text is None or html is None):
                attachments.append(node)
    if inside == b"alternative" and text is not None and html is not None:
        if before_text == len(text) and before_html != len(html):
            text.extend(html[before_html:])
        elif before_html == len(html) and before_text != len(text):
            html.extend(text[before_text:])


def _add(nodes: list[E] | None, node: E) -> None:
    if nodes is not None:
        nodes.append(node)


def _is_inline(node: Entity, place: int, inside: bytes) -> bool:
    media = node.type in _MEDIA
    shown = media or (node.type == b"text" and node.subtype in (b"plain", b"html"))
    if not shown or node.disposition == b"attachment":
        return False
    return place == 0 or (inside != b"related" and (media or not node.is_named))
