"""What is in an archive, and in archives inside it, within bounds: names, real kinds, locks, bombs.

ZIP, tar, gzip, bzip2, xz and TNEF are looked into; of RAR and 7z the names are read, of others
nothing. Where a member can't be read, its name says what it is. Members are unpacked only as far as
their first octets tell what they are, but for archives and documents. Never raises.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from message.file_kinds import ARCHIVES, OFFICE, kind_of_name
from message.magic import has_macros, kind_of
from message.rar_archive import rar_members
from message.seven_archive import seven_names
from message.tar_archive import TarMember, tar_members
from message.tnef_archive import TnefMember, tnef_members
from message.unpacking import Budget, unpack
from message.zip_archive import ZipMember, member_start, zip_members

START: Final = 4096
# An image of a disk says what it is behind 32 KiB of anything.
_DISK_START: Final = 36 * 1024
READABLE: Final = frozenset({"zip", "tar", "gz", "bz2", "xz", "lzma", "rar", "7z", "tnef"})
# What these are, and whether they have macros, is not told by the beginning alone.
WHOLE: Final = READABLE | (OFFICE - {"pdf", "rtf", "one", "mdb"})
# No archive is taken for a bomb that unpacks to less.
LEAST_BOMB: Final = 16 * 1024**2
# The work for one message, in octets unpacked.
WORK: Final = 48 * 1024**2
# What is packed of nothing is not larger.
_LEAST: Final = 32
# A tar file within gzip is one archive, and programs are packed in archives of their own.
_AS_ONE: Final = frozenset({"tar", "jar", "apk"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """Beyond `depth` archives in one another, `members` of all together, `size` octets or `ratio`
    times the packed size when unpacked, an archive is a bomb.
    """

    depth: int = 4
    members: int = 10_000
    size: int = 1024**3
    ratio: int = 200


@dataclass(frozen=True, slots=True)
class Member:
    """`name` with those of the archives that it is in, `a.zip/b.tar/c`; `kind` is by its name when
    it could not be read, "" for unknown. `macros`: it is a document that has some.
    """

    name: str
    kind: str
    size: int
    encrypted: bool
    macros: bool = False


@dataclass(slots=True)
class Contents:
    """`bomb` says what is wrong with it, "" for none; `unread`: a part could not be looked at;
    `nested`: there are archives in it.
    """

    members: list[Member] = field(default_factory=list)
    bomb: str = ""
    unread: bool = False
    nested: bool = False


def look_into(
    data: bytes, kind: str, name: str, bounds: Bounds, budget: Budget | None = None
) -> Contents:
    """What is in an archive of that kind and name."""
    looking = _Looking(bounds, budget or Budget(WORK))
    try:
        looking.look(data, kind, name, 1)
    except _Bomb as bomb:
        looking.found.bomb = str(bomb)
    return looking.found


class _Bomb(Exception):
    """Looking ends here."""


class _Looking:
    def __init__(self, bounds: Bounds, budget: Budget) -> None:
        self._bounds, self._budget = bounds, budget
        self._unpacked = 0
        self.found = Contents()

    def look(self, data: bytes, kind: str, name: str, depth: int) -> None:
        if depth > self._bounds.depth:
            raise _Bomb(f"archives nested deeper than {self._bounds.depth}")
        if kind == "zip":
            self._zip(data, name, depth)
        elif kind == "tar":
            self._plain(tar_members(data), data, name, depth)
        elif kind == "tnef":
            self._plain(tnef_members(data), data, name, depth)
        elif kind == "rar":
            self._rar(data, name)
        elif kind == "7z":
            self._seven(data, name)
        elif kind in READABLE:
            self._stream(data, kind, name, depth)
        else:
            self.found.unread = True

    def _zip(self, data: bytes, name: str, depth: int) -> None:
        packed = declared = count = 0
        for member in zip_members(data):
            count += 1
            if count > self._bounds.members:  # folders too
                raise _Bomb(f"more than {self._bounds.members} files")
            packed += member.packed + member.headers
            declared += member.size
            self._measure(declared, len(data))
            if packed > len(data):
                raise _Bomb("members that overlap")
            if not member.name.endswith("/"):
                self._zip_member(data, member, name, depth)
        if not count and len(data) > 22:
            self.found.unread = True

    def _zip_member(self, data: bytes, member: ZipMember, name: str, depth: int) -> None:
        inner = f"{name}/{member.name}"
        if not member.readable:
            self.found.unread = self.found.unread or not member.encrypted
            self._unseen(inner, member.size, member.encrypted)
            return
        most = _DISK_START if kind_of_name(member.name) == "iso" else START
        start, whole = member_start(data, member, most, self._budget), b""
        if not start and (member.size or member.packed > _LEAST):
            # it is not where it should be, or broken, or the work for one message is done
            self.found.unread = True
            self._unseen(inner, member.size, False)
            return
        kind = kind_of(start)
        if kind in WHOLE:
            whole = member_start(data, member, self._budget.left, self._budget)
            kind = kind_of(whole) or kind
        self._add(Member(inner, kind, member.size, False, has_macros(whole)))
        if kind in READABLE:
            self._inside(whole, member.packed, kind, inner, depth)

    def _plain(
        self, members: Iterable[TarMember | TnefMember], data: bytes, name: str, depth: int
    ) -> None:
        """Members that stand in the archive as they are."""
        for member in members:
            content = data[member.begin : member.begin + member.size]
            kind = kind_of(content)
            inner, mailed = f"{name}/{member.name}", isinstance(member, TnefMember)
            one = Member(inner, kind, member.size, False, has_macros(content))
            self._add(one, mailed=mailed)
            if isinstance(member, TnefMember) and not member.known:
                self.found.unread = True
            elif kind in READABLE:
                self._inside(content, len(content), kind, inner, depth)

    def _rar(self, data: bytes, name: str) -> None:
        for member in rar_members(data):
            self._measure(member.size, len(data))
            self._unseen(f"{name}/{member.name}", member.size, member.encrypted)
        self.found.unread = True

    def _stream(self, data: bytes, kind: str, name: str, depth: int) -> None:
        """One member without a name of its own."""
        most = max(LEAST_BOMB, len(data) * self._bounds.ratio) + 1
        whole = unpack(data, kind, min(most, self._budget.left), self._budget)
        self.found.unread = self.found.unread or (not whole and len(data) > _LEAST)
        self._measure(len(whole), len(data))
        inside = kind_of(whole)
        inner = f"{name}/{name.rpartition('/')[2].rpartition('.')[0]}"
        self._add(Member(inner, inside, len(whole), False, has_macros(whole)))
        if inside in READABLE:
            self._inside(whole, len(data), inside, inner, depth)

    def _seven(self, data: bytes, name: str) -> None:
        self.found.unread = True
        told = seven_names(data)
        if told is None:
            return
        locked, names = told
        for inner in names or [""] * locked:
            self._unseen(f"{name}/{inner}", 0, locked)

    def _unseen(self, name: str, size: int, locked: bool) -> None:
        self._add(Member(name.rstrip("/"), kind_of_name(name), size, locked))

    def _inside(self, data: bytes, packed: int, kind: str, name: str, depth: int) -> None:
        self._unpacked += len(data)
        self._measure(self._unpacked, 0)
        self._measure(len(data), packed)
        if self._budget.left <= 0:
            self.found.unread = True
        self.look(data, kind, name, depth + 1)

    def _add(self, member: Member, *, mailed: bool = False) -> None:
        """`mailed`: it is an attachment rather than in an archive."""
        if len(self.found.members) >= self._bounds.members:
            raise _Bomb(f"more than {self._bounds.members} files")
        self.found.members.append(member)
        if member.kind in ARCHIVES:
            self.found.nested = self.found.nested or not (mailed or member.kind in _AS_ONE)
            self.found.unread = self.found.unread or member.kind not in (*READABLE, *_AS_ONE)

    def _measure(self, unpacked: int, packed: int) -> None:
        bounds = self._bounds
        if unpacked > bounds.size:
            raise _Bomb(f"more than {bounds.size} octets unpacked")
        if packed and unpacked > LEAST_BOMB and unpacked > packed * bounds.ratio:
            raise _Bomb(f"more than {bounds.ratio} times as large unpacked")
