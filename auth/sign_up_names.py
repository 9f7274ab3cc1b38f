"""What a sign-up may ask for: user names, phone numbers, names that stay the operator's; invites.
Pure.

User names are ASCII alone, so that no two look alike; certificate authorities and other postmasters
write to the reserved ones (RFC 2142; CA/Browser Forum Baseline Requirements §3.2.2.4.4).
"""

import re
from hashlib import sha256
from typing import Final

RESERVED: Final = frozenset(
    (
        *("abuse", "admin", "administrator", "billing", "dmarc-reports", "ftp", "help"),
        *("hostmaster", "info", "is-reports", "it", "list", "listmaster", "mailer-daemon"),
        *("marketing", "news", "no-reply", "nobody", "noc", "noreply", "office"),
        *("postmaster", "root", "sales", "security", "ssladmin", "ssladministrator"),
        *("sslwebmaster", "support", "sysadmin", "tlsrpt", "trouble", "usenet", "uucp"),
        *("webmaster", "www"),
    )
)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9]|[._-](?=[a-z0-9])){0,63}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN: Final = str.maketrans("", "", " ()./-\u00a0")


def user_name(local: str) -> str | None:
    """The local part as it is kept, in lower case; None for one that may not be had."""
    lower = local.lower() if local.isascii() else ""
    return lower if _NAME.fullmatch(lower) and lower not in RESERVED else None


def phone_number(text: str) -> str | None:
    """E.164 with its `+`; None for what is none. Spaces, hyphens, dots, slashes and parentheses
    between the digits do not count.
    """
    plain = text.translate(_BETWEEN) if len(text) <= 40 else ""
    return plain if _PHONE.fullmatch(plain) else None


def invite_digest(code: str) -> bytes:
    """What is kept of an invite's code, which has 128 random bits: its SHA-256 (FIPS 180-4)."""
    return sha256(code.strip().encode("utf-8", "replace")).digest()
