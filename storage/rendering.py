"""A message rendered for the store: what its blob row holds. Runs wherever there is a processor."""

import re
from dataclasses import dataclass
from pathlib import Path

from message.meta import pack_meta
from message.render import RENDERER_VERSION, render

_INLINE = 80 * 1024
_HEADER = 8 * 1024
_PARTS = 16
_BOUNDARY = re.compile(rb"\n--")


@dataclass(frozen=True, slots=True)
class Prepared:
    """`size` counts the CRLF form, `stored` the bytes of the file."""

    size: int
    stored: int
    header_length: int
    version: int
    meta: bytes
    parts: bytes
    has_id: bool


def is_quick(data: bytes) -> bool:
    """Whether rendering takes less than the way into a thread and back: no large header, few parts.

    The worst that passes for quick (nested messages full of addresses) takes some 15 ms.
    """
    return (
        len(data) <= _INLINE
        and data.find(b"\r\n\r\n", 0, _HEADER) >= 0
        and len(_BOUNDARY.findall(data)) <= _PARTS
    )


def render_bytes(data: bytes) -> Prepared:
    """Renders a message in memory."""
    rendered = render(data, b"")
    return Prepared(
        rendered.size,
        len(data),
        rendered.header_length,
        RENDERER_VERSION,
        pack_meta(rendered),
        rendered.parts,
        bool(rendered.message_id),
    )


def render_utf8(data: bytes) -> bytes:
    """`meta` of a message for sessions in UTF-8."""
    return pack_meta(render(data, b"", utf8=True))


def render_path(path: str) -> Prepared:
    """Renders a message file."""
    return render_bytes(Path(path).read_bytes())
