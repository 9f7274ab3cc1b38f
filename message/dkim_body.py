"""Hashes of a message body in DKIM's canonical forms (RFC 6376 §3.4.3, §3.4.4, §3.7).

The body comes in chunks of any size and is read once for all forms; memory is that of one chunk,
whatever the body holds: blanks and empty lines that may turn out to be the last are only counted.
Only SHA-256 (RFC 8301 §3.1). The end of the body ends its last line.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_PAIRS = re.compile(rb"(?:\n\r)*+")
_LINES_AT_ONCE = 32 * 1024


class BodyForm(NamedTuple):
    """What is hashed: `relaxed` or simple; `length` is l=, None for the whole body."""

    relaxed: bool
    length: int | None = None


class BodyDigest(NamedTuple):
    """SHA-256 of a form, and the octets of the whole canonical body whatever l= says."""

    digest: bytes
    total: int


def body_hashes(chunks: Iterable[bytes], forms: Iterable[BodyForm]) -> dict[BodyForm, BodyDigest]:
    """The hashes of all forms. What reading the chunks raises passes through."""
    wanted = set(forms)
    readers = []
    for relaxed in {form.relaxed for form in wanted}:
        limits = {form.length for form in wanted if form.relaxed == relaxed}
        readers.append(_Reader(relaxed, limits))
    if readers:
        for chunk in chunks:
            for reader in readers:
                reader.feed(chunk)
    return {form: digest for reader in readers for form, digest in reader.finish()}


class Canonical:
    """One canonical form of a body, chunk by chunk."""

    def __init__(self, relaxed: bool) -> None:
        self._relaxed = relaxed
        self._carry = b""
        self._lines = 0  # line ends held back: they count only when something follows
        self._empty = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk adds to the canonical body."""
        data = self._carry + chunk if self._carry else chunk
        end = len(data)
        if data.endswith(b"\r"):
            end -= 1
        if self._relaxed:
            kept = len(data[:end].rstrip(b" \t"))
            self._carry = (b" " if kept < end else b"") + data[end:]
            return self._held(_relax(data[:kept]))
        self._carry = data[end:]
        return self._held(data[:end] if self._carry else data)

    def finish(self) -> Iterator[bytes]:
        """What the end of the body adds."""
        if self._carry.endswith(b"\r"):
            yield from self._held(self._carry)
        if not (self._empty and self._relaxed):
            yield b"\r\n"

    def _held(self, data: bytes) -> Iterator[bytes]:
        end = len(data) - _trailing(data)
        if end:
            while self._lines:
                several = min(self._lines, _LINES_AT_ONCE)
                self._lines -= several
                yield b"\r\n" * several
            self._empty = False
            yield data[:end] if end < len(data) else data
        self._lines += (len(data) - end) // 2


class _Reader:
    """One canonical form, hashed up to each of some lengths."""

    def __init__(self, relaxed: bool, limits: Iterable[int | None]) -> None:
        self._relaxed = relaxed
        self._canonical = Canonical(relaxed)
        self._hashes = [(limit, hashlib.sha256()) for limit in limits]
        self._total = 0

    def feed(self, chunk: bytes) -> None:
        for piece in self._canonical.feed(chunk):
            self._add(piece)

    def finish(self) -> Iterator[tuple[BodyForm, BodyDigest]]:
        for piece in self._canonical.finish():
            self._add(piece)
        for limit, digest in self._hashes:
            yield BodyForm(self._relaxed, limit), BodyDigest(digest.digest(), self._total)

    def _add(self, piece: bytes) -> None:
        for limit, digest in self._hashes:
            if limit is None:
                digest.update(piece)
            elif limit > self._total:
                digest.update(piece[: limit - self._total])
        self._total += len(piece)


def _relax(data: bytes) -> bytes:
    """Runs of blanks shortened, those before line ends removed. Each round halves a run."""
    if b"\t" in data:
        data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b" \r\n", b"\r\n")


def _trailing(data: bytes) -> int:
    """The octets of the line ends at the end."""
    if not data.endswith(b"\r\n"):
        return 0
    tail = data[len(data.rstrip(b"\r\n")) :]
    found = _PAIRS.match(tail[::-1])
    return found.end() if found is not None else 0
