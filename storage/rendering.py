"""A message rendered for the store: what its blob row holds. Runs wherever there is a processor."""

from dataclasses import dataclass
from pathlib import Path

from message.meta import pack_meta
from message.render import RENDERER_VERSION, render

INLINE = 16 * 1024
"""Up to this size rendering takes less than the way into a thread and back."""


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


def render_path(path: str) -> Prepared:
    """Renders a message file."""
    return render_bytes(Path(path).read_bytes())
