"""The bytes of one message, cleaned and hashed, in memory or in a file under the spool folder.

The file is flushed every FLUSH_EVERY octets while the message arrives, so that the flush at its end
is short; the store makes it durable.
"""

import os
import re
import secrets
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from filters.context import Message
from smtp.grammar import replies
from smtp.grammar.reply import Reply
from smtp.grammar.stuffing import fault_of, unstuff
from storage.values import Content

FLUSH_EVERY = 8 * 1024 * 1024
HEADER_LIMIT = 1024 * 1024
_BEGINNING = re.compile(rb"\r\n|[!-9;-~]+[ \t]*:")


class Piece(NamedTuple):
    """Raw data; `stuffed` as DATA carries it, `line_start` when it begins a line."""

    data: bytes
    stuffed: bool
    line_start: bool


class Spool:
    """One message's bytes. Used in the loop or in a thread, never in both at once."""

    def __init__(self, spool_dir: Path, *, binary: bool = False) -> None:
        self._spool_dir, self._binary = spool_dir, binary
        self._digest = blake2b(digest_size=16)
        self._parts: list[bytes] = []
        self._head = bytearray()
        self._file: int | None = None
        self._unflushed = 0
        self._carry = b""
        self._ascii = True
        self.path: Path | None = None
        self.size = 0

    def take(self, pieces: list[Piece]) -> Reply | None:
        """Keeps the pieces in memory. A fault ends it."""
        parts = []
        for piece in pieces:
            data = unstuff(piece.data, piece.line_start) if piece.stuffed else piece.data
            fault = self._check(data)
            if fault is not None:
                return fault
            parts.append(data)
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._digest.update(data)
        self._ascii = self._ascii and data.isascii()
        self._parts.append(data)
        self.size += len(data)
        return None

    def write(self, pieces: list[Piece]) -> Reply | None:
        """Appends the pieces to the spool file. Raises OSError."""
        fault = self.take(pieces) if pieces else None
        if fault is not None:
            return fault
        data = b"".join(self._parts)
        self._parts = []
        if len(self._head) < HEADER_LIMIT:
            self._head += data[: HEADER_LIMIT - len(self._head)]
        _write(self._open(), data)
        self._unflushed += len(data)
        return None

    @property
    def flush_due(self) -> bool:
        """True when enough was written since the last flush."""
        return self._unflushed >= FLUSH_EVERY

    def flush(self) -> None:
        """Makes what was written durable. Raises OSError."""
        os.fdatasync(self._open())
        self._unflushed = 0

    def message(self) -> Message:
        """The finished message."""
        data = None if self.path is not None else b"".join(self._parts)
        looked = bytes(self._head) if data is None else data
        content = Content(self.size, self._digest.digest(), data=data, path=self.path)
        if looked and not _BEGINNING.match(looked):
            return Message(content, b"", True, not self._ascii, headless=True)
        end = _header_end(looked)
        whole = end >= 0 or self.size <= len(looked)
        return Message(content, looked[:end] if end >= 0 else looked, whole, not self._ascii)

    def _check(self, data: bytes) -> Reply | None:
        """Chunks of BDAT may part a CRLF: the CR waits for its LF."""
        if self._binary:
            return None
        if self._carry:
            data = self._carry + data
        self._carry = b"\r" if data.endswith(b"\r") else b""
        return fault_of(data[:-1] if self._carry else data)

    def last_fault(self) -> Reply | None:
        """What shows only at the end: a CR as the last octet; in binary data a header that is not
        made of lines (RFC 3030 §3: only the body may be binary).
        """
        if self._carry:
            return replies.BARE_LINE_END
        return fault_of(self.message().header) if self._binary else None

    def remove(self) -> None:
        """Removes the file, which may be gone."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file; its bytes stay."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None:
            path = self._spool_dir / f"smtp-{secrets.token_hex(12)}"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self.path = path
        return self._file


def _header_end(data: bytes) -> int:
    """The length of the header block without its blank line; -1 when it does not end."""
    if data.startswith(b"\r\n"):
        return 0
    found = data.find(b"\r\n\r\n")
    return found + 2 if found >= 0 else -1


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
