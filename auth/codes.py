"""Codes of six digits that are sent to somebody: made, and compared as an HMAC (RFC 2104).

A code is of the system's randomness; in the clear it is in what is sent and nowhere else.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

_CODE: Final = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Code:
    """`digits` are sent, `salt` and `mac` kept."""

    digits: str = field(repr=False)
    salt: bytes = field(repr=False)
    mac: bytes = field(repr=False)


def new_code(key: bytes) -> Code:
    """Under a key of the server's."""
    digits, salt = f"{secrets.randbelow(1_000_000):06}", secrets.token_bytes(16)
    return Code(digits, salt, code_mac(key, salt, digits))


def code_mac(key: bytes, salt: bytes, digits: str) -> bytes:
    """What is kept of a code."""
    return hmac.digest(key, salt + digits.encode(), "sha256")


def digits_in(text: str) -> str | None:
    """The code that was typed, None for what can be none; spaces do not count."""
    digits = "".join(text.split()) if len(text) <= 100 else ""
    return digits if _CODE.fullmatch(digits) else None
