"""Views of large mailboxes, packed in files: data/views/<account>/<mailbox>.

A file that is lost, torn or stale is harmless: it is taken only when its checksum, UIDVALIDITY and
modseq fit, is brought up to date from the journal, and the sums must then be those of the
mailbox's row (storage/views.py); else the view is read from its rows. Nothing is flushed here.
"""

import shutil
import struct
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.values import AccountId, MailboxId

FROM: Final = 20_000
"""Smaller views are read from rows in no time."""

_MAGIC: Final = b"view1" + sys.byteorder[:1].encode()
_HEAD: Final = struct.Struct("<6sIIQQII")
_FIELDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Packed:
    """The arrays of a view at `modseq`, and how often each flag field stands in `flags`."""

    uidvalidity: int
    uidnext: int
    modseq: int
    uids: "array[int]"
    flags: "array[int]"
    modseqs: "array[int]"
    counts: "Counter[int]"


class Snapshots:
    """The folder of packed views; every method blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, account: AccountId, mailbox: MailboxId) -> Path:
        return self._folder / str(account) / str(mailbox)

    def read(self, account: AccountId, mailbox: MailboxId) -> Packed | None:
        """The packed view; None when there is none that is whole."""
        try:
            with self._path(account, mailbox).open("rb") as file:
                return _unpack(file.read())
        except (OSError, ValueError, struct.error):
            return None

    def write(
        self, account: AccountId, mailbox: MailboxId, view: Packed, known: Iterable[MailboxId]
    ) -> None:
        """Replaces the file; those of the account's mailboxes that are not `known` go."""
        if len(view.counts) > _FIELDS:
            return
        path = self._path(account, mailbox)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            for part in _pack(view):
                file.write(part)
        fresh.replace(path)
        names = {str(number) for number in known}
        for other in path.parent.iterdir():
            if other.name not in names and other != path:
                other.unlink(missing_ok=True)

    def forget(self, account: AccountId, mailbox: MailboxId | None = None) -> None:
        """Removes one file, or all of the account."""
        if mailbox is not None:
            self._path(account, mailbox).unlink(missing_ok=True)
        else:
            shutil.rmtree(self._folder / str(account), ignore_errors=True)


def forget_all(data_dir: Path) -> None:
    """For whoever writes the index anew."""
    shutil.rmtree(folder_of(data_dir), ignore_errors=True)


def folder_of(data_dir: Path) -> Path:
    """Where the files lie."""
    return data_dir / "views"


def _pack(view: Packed) -> list[bytes]:
    fields = array("I")
    for field, count in view.counts.items():
        fields.extend((field, count))
    body = [part.tobytes() for part in (fields, view.uids, view.flags, view.modseqs)]
    check = 0
    for part in body:
        check = zlib.crc32(part, check)
    count = len(view.uids)
    head = (view.uidvalidity, view.uidnext, view.modseq, count, len(fields) // 2, check)
    return [_HEAD.pack(_MAGIC, *head), *body]


def _unpack(data: bytes) -> Packed | None:
    magic, uidvalidity, uidnext, modseq, count, kinds, check = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if magic != _MAGIC or len(body) != 8 * kinds + 16 * count or zlib.crc32(body) != check:
        return None
    parts = (array("I"), array("I"), array("I"), array("Q"))
    start = 0
    for part, length in zip(parts, (2 * kinds, count, count, count), strict=True):
        end = start + length * part.itemsize
        part.frombytes(body[start:end])
        start = end
    fields, uids, flags, modseqs = parts
    counts = Counter(dict(zip(fields[::2], fields[1::2], strict=True)))
    return Packed(uidvalidity, uidnext, modseq, uids, flags, modseqs, counts)
