"""Is a password on the list of leaked ones: a local file that is searched on disk, never loaded.

The file has SHA-1 hashes in hexadecimal, sorted, each perhaps with a colon and a count behind it,
as the well-known list is published, or only their first ten digits or more; or else plain words,
one a line, in any order. Blocks on the disk: call it through net/threads.
"""

import mmap
import os
import re
from hashlib import sha1
from pathlib import Path
from typing import Final

from auth.password import PasswordError

DIGITS: Final = 10
"""The fewest of a hash: forty bits meet one password in a thousand of a list of a billion."""
LINE: Final = 256
_HASH: Final = re.compile(rb"([0-9A-Fa-f]{10,40})(:\d+)?")


class LeakedListError(Exception):
    """The list can't be used; the text says why and names the file."""


class ListUnusable(PasswordError):
    """No password can be chosen; the text is for who runs the server, not for strangers."""


def check_list(path: Path) -> str:
    """What kind of list it is, in words. Raises LeakedListError."""
    with _opened(path) as data:
        return "SHA-1 hashes" if _has_hashes(data) else "words"


def is_leaked(password: str, path: Path) -> bool:
    """Raises LeakedListError."""
    word = password.encode("utf-8", "surrogatepass")
    with _opened(path) as data:
        if _has_hashes(data):
            digest = sha1(word, usedforsecurity=False).hexdigest().upper().encode()
            return _is_among(data, digest, path)
        return _is_a_line(data, word)


def refuse_leaked(password: str, path: Path) -> None:
    """Raises PasswordError when the password is on the list, ListUnusable when there is none."""
    try:
        leaked = is_leaked(password, path)
    except LeakedListError as error:
        raise ListUnusable(f"auth.leaked_passwords cannot be used: {error}") from error
    if leaked:
        raise PasswordError("this password is on the list of leaked ones; choose another")


def _is_among(data: mmap.mmap, digest: bytes, path: Path) -> bool:
    """Binary search: of the lines that begin in [low, high) one may be the hash."""
    low, high = 0, len(data)
    while low < high:
        begin, end = _line_around(data, (low + high) // 2, low)
        found = _HASH.fullmatch(data[begin:end].strip())
        if found is None:
            if end - begin >= LINE or data[begin:end].strip():
                raise LeakedListError(f"{path} has no SHA-1 hash at octet {begin}")
            high = begin  # an empty line, at the end
            continue
        listed = found[1].upper()
        if digest.startswith(listed):
            return True
        if listed < digest:
            low = end + 1
        else:
            high = begin
    return False


def _line_around(data: mmap.mmap, at: int, lowest: int) -> tuple[int, int]:
    """Where the line begins and ends; no line of hashes is longer than LINE."""
    begin = max(data.rfind(b"\n", max(lowest, at - LINE), at) + 1, lowest, at - LINE)
    end = data.find(b"\n", at, begin + LINE)
    return begin, end if end >= 0 else min(begin + LINE, len(data))


def _is_a_line(data: mmap.mmap, word: bytes) -> bool:
    if not word or b"\n" in word:
        return False
    if data[: len(word) + 1].rstrip(b"\r\n") == word:
        return True
    at, begun = -1, b"\n" + word
    while (at := data.find(begun, at + 1)) >= 0:
        end = at + len(begun)
        if data[end : end + 1] in (b"", b"\r", b"\n"):
            return True
    return False


def _has_hashes(data: mmap.mmap) -> bool:
    return _HASH.fullmatch(data[:LINE].split(b"\n", 1)[0].strip()) is not None


def _opened(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise LeakedListError(f"{path} is empty")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise LeakedListError(f"{path}: {error.strerror}") from error
