"""Time-based one-time passwords (RFC 6238) as authenticator apps make them: SHA-1, six digits,
thirty seconds. Pure.
"""

import hmac
from base64 import b32encode
from typing import Final
from urllib.parse import quote

SECONDS: Final = 30
DIGITS: Final = 6
KEY_OCTETS: Final = 20
SKEW: Final = 1
"""Steps by which a clock may be wrong, either way (RFC 6238 §5.2)."""


def code_of(key: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a time step (RFC 4226 §5.3)."""
    mac = hmac.digest(key, step.to_bytes(8), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(now: float) -> int:
    """The time step of a moment in seconds since 1970."""
    return int(now) // SECONDS


def matching_step(key: bytes, code: str, now: float) -> int | None:
    """The step near now whose code was given, None when there is none; spaces do not count."""
    given = "".join(code.split())
    if not (given.isascii() and given.isdecimal() and len(given) == DIGITS):
        return None
    middle, found = step_of(now), None
    for step in range(middle - SKEW, middle + SKEW + 1):
        if hmac.compare_digest(code_of(key, step), given):
            found = step
    return found


def key_text(key: bytes) -> str:
    """The key as it is typed into an app."""
    return b32encode(key).decode().rstrip("=")


def key_uri(key: bytes, issuer: str, address: str) -> str:
    """The key as apps read it from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(address, safe='@')}"
    return f"otpauth://totp/{label}?secret={key_text(key)}&issuer={quote(issuer, safe='')}"
