"""Secrets that the server makes up: app passwords, tokens, recovery codes, and their digests.

They are random enough (100 to 256 bits, recovery codes 80) that SHA-256 (FIPS 180-4) keeps them
safe where they are stored. Pure but for the randomness.
"""

import re
import secrets
from hashlib import sha256
from typing import Final

# No l, o, 0 and 1: these are read and typed.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_APP_PASSWORD: Final = re.compile(f"[{_LETTERS}]{{20}}")
_RECOVERY_CODE: Final = re.compile(f"[{_LETTERS}]{{16}}")
_TOKEN: Final = re.compile(r"ms[atr]_[A-Za-z0-9_-]{43}")
_CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE: Final = re.compile(f"[{_CONSONANTS}]{{8}}")
_FAMILY: Final = len("msr_") + 22
_BETWEEN: Final = str.maketrans("", "", " -\t\u00a0")


def app_password() -> str:
    """Four groups of five letters and digits: `abcde-fghij-kmnpq-rstuv`."""
    return "-".join(_letters(5) for _ in range(4))


def recovery_code() -> str:
    """Four groups of four letters and digits."""
    return "-".join(_letters(4) for _ in range(4))


def token() -> str:
    """For programs; the beginning tells those who look for leaked secrets what it is."""
    return f"mst_{secrets.token_urlsafe(32)}"


def access_token() -> str:
    return f"msa_{secrets.token_urlsafe(32)}"


def refresh_token(family: str = "") -> str:
    """`family` is what those before it began with, "" for the first."""
    return f"{family or f'msr_{secrets.token_urlsafe(16)}'}{secrets.token_urlsafe(16)[:21]}"


def oauth_code() -> str:
    """Of OAuth, to be exchanged for tokens within a minute."""
    return f"msk_{secrets.token_urlsafe(32)}"


def device_code() -> str:
    """Of OAuth, what a device asks with (RFC 8628)."""
    return f"msd_{secrets.token_urlsafe(32)}"


def user_code() -> str:
    """What a user types in for a device: eight consonants, 34 bits (RFC 8628 §6.1)."""
    letters = "".join(secrets.choice(_CONSONANTS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def user_code_digest(text: str) -> bytes | None:
    """The digest of one as it is typed; None for what can be none."""
    plain = text.translate(_BETWEEN).upper() if len(text) < 40 else ""
    return digest(plain) if _USER_CODE.fullmatch(plain) else None


def family_of(refresh: str) -> str:
    """What a refresh token has in common with those that come after it: 128 random bits."""
    return refresh[:_FAMILY]


def password_digest(text: str) -> bytes | None:
    """The digest of what was given as a password, None when it can be no app password and no token.
    Case, spaces and hyphens of an app password do not count.
    """
    return _typed_digest(text, _APP_PASSWORD) or token_digest(text)


def recovery_digest(text: str) -> bytes | None:
    """The digest of a recovery code, None for what can be none."""
    return _typed_digest(text, _RECOVERY_CODE)


def token_digest(text: str) -> bytes | None:
    """The digest of a token, None for what this server never gave out."""
    return digest(text) if _TOKEN.fullmatch(text) else None


def digest(secret: str) -> bytes:
    """What is stored of a secret, in the form in which it is compared."""
    return sha256(secret.encode()).digest()


def _typed_digest(text: str, form: re.Pattern[str]) -> bytes | None:
    if len(text) > 100:
        return None
    plain = text.translate(_BETWEEN).lower()
    return digest(plain) if form.fullmatch(plain) else None


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))
