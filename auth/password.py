"""Password hashes: bcrypt, and the only file that knows it; others by auth/foreign_hashes.py.

Everything here takes up to a quarter of a second of CPU: call it through net/threads (Pool.HASH).
Invariants: bcrypt uses 72 octets of a password, so longer ones are refused, never cut; a check
takes the time of a hash by today's configuration, whatever is stored.
"""

import re
import time
import unicodedata
from base64 import b64encode
from hashlib import blake2b

import bcrypt

from auth.foreign_hashes import is_foreign, verify_foreign

MAX_OCTETS = 72
_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_MAX_ROUNDS = 16
_LEAST_ROUNDS = 4


class PasswordError(ValueError):
    """The password or hash cannot be stored; the text says why and never shows it."""


def hash_password(password: str, rounds: int) -> str:
    """A bcrypt hash with 2**rounds iterations. Raises PasswordError."""
    check_password(password)
    return bcrypt.hashpw(_octets(password), bcrypt.gensalt(rounds)).decode()


def check_password(password: str) -> None:
    """Raises PasswordError when the password is empty, too long or holds NUL; quick."""
    octets = _octets(password)
    if not octets:
        raise PasswordError("a password must not be empty")
    if len(octets) > MAX_OCTETS:
        raise PasswordError(
            f"a password has at most {MAX_OCTETS} octets in UTF-8; this one has {len(octets)}"
        )
    if b"\0" in octets:
        raise PasswordError("a password must not contain NUL")


def imported_hash(text: str) -> str:
    """The hash of another server as it is stored here. Raises PasswordError for one that this
    server can't check, or whose cost would be an attack.
    """
    text = re.sub(r"^\{(CRYPT|BLF-CRYPT|SHA(256|512)-CRYPT|ARGON2(I|ID)?)\}", "", text.strip())
    known = _HASH.fullmatch(text)
    if (known is not None and int(known[1]) <= _MAX_ROUNDS) or is_foreign(text):
        return text
    raise PasswordError(
        "this is no hash by bcrypt, argon2id, argon2i, SHA-256 or SHA-512 crypt, yescrypt, SSHA, "
        "SSHA256 or SSHA512, or its cost is too high"
    )


def verify_password(password: str, stored: str, rounds: int = _LEAST_ROUNDS) -> bool:
    """Whether the password has this hash. Always the work of one hash by `rounds` or more, also
    for a password that can have none and for a stored text that is no hash.
    """
    octets = _octets(password)
    if is_foreign(stored):
        return _verify_foreign(octets, stored, rounds)
    usable = 0 < len(octets) <= MAX_OCTETS and b"\0" not in octets
    known = _HASH.fullmatch(stored)
    right = bcrypt.checkpw(
        octets if usable else b"-", (stored if known else dummy_hash(rounds)).encode()
    )
    # 2^a + (2^a + 2^(a+1) + ... + 2^(b-1)) = 2^b: as much work as by today's number of rounds
    for less in range(int(known[1]) if known else rounds, rounds):
        _spend(less)
    return right and usable and known is not None


def needs_rehash(password: str, stored: str, rounds: int) -> bool:
    """Whether a password that was right should be stored by today's configuration."""
    known = _HASH.fullmatch(stored)
    if known is not None:
        return int(known[1]) < rounds
    octets = _octets(password)
    return 0 < len(octets) <= MAX_OCTETS and b"\0" not in octets


def check_either(
    password: str,
    stored: str,
    quick: str | None,
    rounds: int = _LEAST_ROUNDS,
    *,
    try_quick: bool,
) -> bool:
    """As verify_password, but first against a hash of quick_hash if there is one. With `try_quick`
    a password that it is not right for costs the same without one.
    """
    if try_quick:
        known = quick if quick is not None and _HASH.fullmatch(quick) else None
        right = bcrypt.checkpw(_folded(password), (known or dummy_hash(_quick(stored))).encode())
        if known is not None and right:
            return True
    return verify_password(password, stored, rounds)


def quick_hash(password: str, stored: str) -> str:
    """A bcrypt hash with four rounds less than the stored one, of a password of any length."""
    return bcrypt.hashpw(_folded(password), bcrypt.gensalt(_quick(stored))).decode()


def _quick(stored: str) -> int:
    found = _HASH.fullmatch(stored)
    return max(4, (int(found[1]) if found else 12) - 4)


def _folded(password: str) -> bytes:
    return b64encode(blake2b(_octets(password), digest_size=32).digest())


def dummy_hash(rounds: int) -> str:
    """A hash that no password is known for; verifying against it takes as long as any other."""
    return f"$2b${rounds:02d}${'.' * 53}"


def _verify_foreign(octets: bytes, stored: str, rounds: int) -> bool:
    begin = time.perf_counter()
    right = bool(octets) and b"\0" not in octets and verify_foreign(octets, stored)
    taken = time.perf_counter() - begin
    begin = time.perf_counter()
    _spend(max(rounds - 1, _LEAST_ROUNDS))
    half = time.perf_counter() - begin
    rest, part = half - taken, half
    for less in range(rounds - 2, _LEAST_ROUNDS - 1, -1):
        part /= 2
        if rest >= part:
            _spend(less)
            rest -= part
    return right


def _spend(rounds: int) -> None:
    bcrypt.checkpw(b"-", dummy_hash(rounds).encode())


def _octets(password: str) -> bytes:
    """The OpaqueString of RFC 8265 §4.2.2: Apple's systems type the same letter as other code
    points, and another space than the space bar's with one key more held.
    """
    if password.isascii():
        return password.encode()
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced).encode("utf-8", "surrogatepass")
