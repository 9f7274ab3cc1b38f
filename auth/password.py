"""Password hashes: bcrypt, and the only file that knows it.

Everything here takes up to a quarter of a second of CPU: call it through net/threads (Pool.HASH).
Invariant: bcrypt uses 72 octets of a password, so longer ones are refused, never cut.
"""

import re
import unicodedata
from base64 import b64encode
from hashlib import blake2b

import bcrypt

MAX_OCTETS = 72
_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


class PasswordError(ValueError):
    """The password cannot be stored; the text says why and never shows it."""


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


def verify_password(password: str, stored: str) -> bool:
    """Whether the password has this hash. Always the work of one hash, also for a password that
    can have none and for a stored text that is no bcrypt hash.
    """
    octets = _octets(password)
    usable = 0 < len(octets) <= MAX_OCTETS and b"\0" not in octets
    known = _HASH.fullmatch(stored) is not None
    right = bcrypt.checkpw(
        octets if usable else b"-", (stored if known else dummy_hash(4)).encode()
    )
    return right and usable and known


def check_either(password: str, stored: str, quick: str | None, *, try_quick: bool) -> bool:
    """As verify_password, but first against a hash of quick_hash if there is one. With `try_quick`
    a password that it is not right for costs the same without one.
    """
    if try_quick:
        known = quick if quick is not None and _HASH.fullmatch(quick) else None
        right = bcrypt.checkpw(_folded(password), (known or dummy_hash(_quick(stored))).encode())
        if known is not None and right:
            return True
    return verify_password(password, stored)


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


def _octets(password: str) -> bytes:
    """NFC (RFC 8265 §4.2.2): Apple's systems type the same letter as other code points."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
