"""Renders message files again for rows of `blob` that are lost, in threads or worker processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from message.crlf import to_crlf
from message.render import content_digest
from storage.rendering import render_bytes
from storage.values import AccountId, BlobId

BATCH = 64
_SEPARATOR = "\0"


def request(paths: Sequence[str]) -> str:
    """The argument of render_files."""
    return _SEPARATOR.join(paths)


def render_files(joined: str) -> list[tuple[Any, ...] | None]:
    """Columns of `blob` from size on for each file; None for one that can't be read.

    The digest is that of the whole message: what stood before the trace header is not known again.
    """
    return [_render(path) for path in joined.split(_SEPARATOR)]


def blob_row(number: AccountId, blob: BlobId, columns: tuple[Any, ...]) -> tuple[Any, ...]:
    """The whole row."""
    return (number, blob, *columns)


def _render(path: str) -> tuple[Any, ...] | None:
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    item = render_bytes(data)
    digest = content_digest(to_crlf(data))
    head = (item.size, item.stored, item.header_length, item.version)
    return (*head, digest, item.meta, item.parts)
