"""A message that stands in a file of our own, behind an envelope, as the store takes it."""

import contextlib
import secrets
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from filters.context import Message
from message.headers import header_block, without_blank_line
from storage.values import Content

IN_MEMORY = 1024 * 1024
_HEADER = 1024 * 1024
_PIECE = 256 * 1024


def message_in(path: Path, offset: int, size: int, spool_dir: Path) -> Message:
    """The `size` octets at `offset`, copied to a file below `spool_dir` when large. Blocks."""
    digest, header, plain = blake2b(digest_size=16), bytearray(), True
    copy = spool_dir / f"held-{secrets.token_hex(12)}" if size > IN_MEMORY else None
    kept: list[bytes] = []
    with contextlib.ExitStack() as files:
        take = kept.append if copy is None else files.enter_context(copy.open("xb")).write
        for piece in _pieces(path, offset, size):
            take(piece)
            digest.update(piece)
            plain = plain and piece.isascii()
            header += piece[: _HEADER - len(header)]
    content = Content(size, digest.digest(), data=None if copy else b"".join(kept), path=copy)
    block = without_blank_line(header_block(bytes(header)))
    return Message(content, block, eightbit=not plain)


def _pieces(path: Path, offset: int, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while size and (piece := file.read(min(size, _PIECE))):
            size -= len(piece)
            yield piece
