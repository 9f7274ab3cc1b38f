"""What signs a link: HMAC-SHA256 (RFC 2104) over everything that the link promises. Pure."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

from storage.drive_values import Link

_PURPOSE: Final = "drive link 1"


def signature(key: bytes, link: Link) -> str:
    """43 characters that may stand in a URL. Covers id, content, end, disposition and audience."""
    terms = link.terms
    parts = (
        _PURPOSE,
        link.id,
        link.content,
        str(terms.expires),
        terms.disposition.value,
        terms.audience.value,
    )
    made = hmac.digest(key, "\n".join(parts).encode(), sha256)
    return urlsafe_b64encode(made).rstrip(b"=").decode()


def is_signature(key: bytes, link: Link, given: str) -> bool:
    """Whether that is its signature; takes as long for any text."""
    return hmac.compare_digest(signature(key, link).encode(), given.encode("utf-8", "replace"))
