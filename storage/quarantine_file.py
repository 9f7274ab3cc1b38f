"""The files of data/quarantine: one kept message each, complete enough to rebuild its row.

Layout, as of a file of the queue: the line `mailserver-quarantine 1 E M`, E octets of JSON (the
envelope, ending with LF), M octets of message, then a log: one JSON line for what was done about
some recipients, with their positions. A torn last line of the log is ignored. Blocks on the disk.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.disk import sync_folder
from storage.values import Content

_MAGIC = b"mailserver-quarantine 1 "
_MAX_FIRST_LINE = 80
_MAX_ENVELOPE = 16 * 1024 * 1024
_MAX_LOG = 1024 * 1024
_PIECE = 1024 * 1024


class QuarantineFileDamaged(Exception):
    """The file does not begin with a whole envelope, or its message is cut short."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in quarantine. `id` names its file, `at` is Unix seconds, `size` octets of message.

    `envelope` is what it needs to be delivered after all: filters/quarantining.py knows it. `done`:
    positions of recipients for whom it was released or deleted.
    """

    id: str
    at: float
    trace: str
    sender: str
    recipients: tuple[str, ...]
    reason: str = ""
    symbols: tuple[str, ...] = ()
    subject: str = ""
    author: str = ""
    message_id: str = ""
    size: int = 0
    envelope: Mapping[str, Any] = field(default_factory=dict)
    done: frozenset[int] = frozenset()

    @property
    def left(self) -> dict[int, str]:
        """The recipients that it is still kept from, by position."""
        return {n: one for n, one in enumerate(self.recipients) if n not in self.done}


def packed(kept: Kept) -> bytes:
    """All but `done`, as JSON."""
    values = {name: getattr(kept, name) for name in kept.__slots__ if name != "done"}
    return json.dumps(values).encode()


def unpacked(data: bytes, done: Iterable[int] = ()) -> Kept:
    """Raises ValueError, TypeError."""
    values = json.loads(data)
    for name in ("recipients", "symbols"):
        values[name] = tuple(values[name])
    return Kept(**values, done=frozenset(done))


def size_of(kept: Kept) -> int:
    """Octets of its file, at most, before anything is done about recipients."""
    return _MAX_FIRST_LINE + len(packed(kept)) + kept.size


def write(folder: Path, kept: Kept, content: Content) -> None:
    """Durable on return, under the name `new/ID`: nothing is replaced. Raises OSError."""
    spool, final = folder / "tmp" / kept.id, folder / "new" / kept.id
    head = packed(kept) + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(spool, flags, 0o600), "wb") as file:
            file.write(b"%s%d %d\n%s" % (_MAGIC, len(head), kept.size, head))
            written = sum(map(file.write, _pieces(content)))
            if written != kept.size:
                raise OSError(f"message of {kept.size} octets has {written}")
            file.flush()
            os.fsync(file.fileno())
        os.link(spool, final)
        sync_folder(folder / "new")
    finally:
        spool.unlink(missing_ok=True)


def _pieces(content: Content) -> Iterator[bytes]:
    yield content.prefix
    if content.path is None:
        yield content.data or b""
        return
    with content.path.open("rb") as file:
        file.seek(content.start)
        while piece := file.read(_PIECE):
            yield piece


def append_done(path: Path, positions: Iterable[int], at: float, what: str, by: str) -> None:
    """Notes durably what was done about recipients. Raises OSError."""
    line = {"at": round(at, 3), "done": sorted(positions), "what": what, "by": by}
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        # a leading LF keeps it apart from a line that a power loss cut short
        file.write(b"\n" + json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> tuple[Kept, int]:
    """The envelope, and where the message begins. Raises QuarantineFileDamaged,
    FileNotFoundError.
    """
    with path.open("rb") as file:
        first = file.read(_MAX_FIRST_LINE).partition(b"\n")[0]
        length, size = _numbers(first, path)
        begin = len(first) + 1
        if length > _MAX_ENVELOPE or os.fstat(file.fileno()).st_size < begin + length + size:
            raise QuarantineFileDamaged(f"{path.name}: shorter than its first line says")
        file.seek(begin)
        head = file.read(length)
        file.seek(begin + length + size)
        done = _done(file.read(_MAX_LOG).split(b"\n"))
    try:
        return unpacked(head, done), begin + length
    except (ValueError, TypeError, KeyError):
        raise QuarantineFileDamaged(f"{path.name}: the envelope can't be read") from None


def _numbers(line: bytes, path: Path) -> tuple[int, int]:
    numbers = line.removeprefix(_MAGIC).split(b" ")
    if not line.startswith(_MAGIC) or len(numbers) != 2 or not all(map(bytes.isdigit, numbers)):
        raise QuarantineFileDamaged(f"{path.name}: not a file of the quarantine")
    return int(numbers[0]), int(numbers[1])


def _done(lines: Iterable[bytes]) -> set[int]:
    done: set[int] = set()
    for line in lines:
        try:
            entry = json.loads(line) if line else {}
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("done"), list):
            done.update(n for n in entry["done"] if isinstance(n, int))
    return done
