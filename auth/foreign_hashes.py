"""Hashes that imported accounts bring: argon2, what crypt(3) knows, and LDAP's salted SHA.

They are checked until the next login with the password, which makes a bcrypt hash of them. Bounds
on cost stand in the patterns: a hash is data from outside.
"""

import ctypes
import hashlib
import hmac
import re
from base64 import b64decode
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2i, Argon2id

# at most 256 MiB, 16 passes and 16 lanes
_ARGON2 = re.compile(
    r"\$argon2(?P<type>id|i)\$v=19\$m=(?P<memory>[1-9]\d{0,5}),t=(?:[1-9]|1[0-6]),"
    r"p=(?:[1-9]|1[0-6])\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_MAX_MEMORY: Final = 262_144
# SHA-crypt up to 999,999 rounds, yescrypt up to 256 MiB (its `j` is one of N, `T` that r is 32)
_SHA_CRYPT = re.compile(
    r"\$[56]\$(?:rounds=[1-9]\d{0,5}\$)?[./A-Za-z0-9]{1,16}\$(?:[./A-Za-z0-9]{43}|[./A-Za-z0-9]{86})"
)
_YESCRYPT = re.compile(r"\$y\$j[5-9A-D]T\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}")
_LDAP = re.compile(r"\{SSHA(256|512)?\}([A-Za-z0-9+/]{28,200}={0,2})")
_LDAP_HASHES: Final = {None: "sha1", "256": "sha256", "512": "sha512"}
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so")
_OUTPUT_OCTETS: Final = 32_768  # sizeof(struct crypt_data) of libxcrypt


def is_foreign(stored: str) -> bool:
    """Whether the text is a hash of a kind that is checked here, at a bearable cost."""
    argon2 = _ARGON2.fullmatch(stored)
    if argon2 is not None:
        return int(argon2["memory"]) <= _MAX_MEMORY
    if _SHA_CRYPT.fullmatch(stored) or _YESCRYPT.fullmatch(stored):
        return _crypt_library() is not None
    return _LDAP.fullmatch(stored) is not None


def verify_foreign(password: bytes, stored: str) -> bool:
    """Whether the password has this hash, for which is_foreign is true. A password with NUL has
    none.
    """
    argon2 = _ARGON2.fullmatch(stored)
    if argon2 is not None:
        kind = Argon2id if argon2["type"] == "id" else Argon2i
        try:
            kind.verify_phc_encoded(password, stored)
        except (InvalidKey, ValueError):
            return False
        return True
    salted = _LDAP.fullmatch(stored)
    if salted is not None:
        return _is_salted_sha(password, _LDAP_HASHES[salted[1]], salted[2])
    return _is_crypt(password, stored)


def _is_salted_sha(password: bytes, name: str, text: str) -> bool:
    """RFC 2307 has {SHA}; the salt behind the digest is OpenLDAP's."""
    try:
        octets = b64decode(text, validate=True)
    except ValueError:
        return False
    size = hashlib.new(name).digest_size
    found = hashlib.new(name, password + octets[size:]).digest()
    return hmac.compare_digest(found, octets[:size])


def _is_crypt(password: bytes, stored: str) -> bool:
    """crypt_rn of libxcrypt, which writes into memory of the caller: safe in any thread."""
    library = _crypt_library()
    if library is None:
        return False
    space = ctypes.create_string_buffer(_OUTPUT_OCTETS)
    library.crypt_rn.restype = ctypes.c_char_p
    found = library.crypt_rn(password, stored.encode(), space, ctypes.c_int(_OUTPUT_OCTETS))
    return found is not None and hmac.compare_digest(found, stored.encode())


@cache
def _crypt_library() -> ctypes.CDLL | None:
    """libxcrypt, a part of Debian and most systems."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if hasattr(library, "crypt_rn"):
            return library
    return None
