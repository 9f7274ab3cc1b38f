"""What may be registered as the address that a browser is sent to with a code of OAuth (RFC 6749
§3.1.2, RFC 8252 §7). Pure.
"""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

MAX: Final = 2000
LOOPBACK: Final = ("127.0.0.1", "::1")
_OWN_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_NETLOC: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""A host, which stands in a Content-Security-Policy too, and a port."""
_PRINTABLE: Final = re.compile(r"[!-~]+")


def check_redirect(uri: str) -> None:
    """Raises ValueError whose text says what is allowed."""
    parts = split_uri(uri)
    if parts is None or len(uri) > MAX or parts.fragment or "#" in uri:
        raise ValueError(f"{uri[:100]!r} is no address without a fragment")
    web = bool(parts.hostname) and _NETLOC.fullmatch(parts.netloc) is not None
    if parts.scheme == "https" and web:
        return
    if parts.scheme == "http" and web and parts.hostname in LOOPBACK:
        return
    if _OWN_SCHEME.fullmatch(parts.scheme) and not parts.netloc:
        return
    raise ValueError(
        f"{uri[:100]!r}: https://..., http://127.0.0.1/..., http://[::1]/..., or the scheme of an"
        " application, which has a dot in it (com.example.app:/...)"
    )


def split_uri(uri: str) -> SplitResult | None:
    """Its parts, None for what is no address."""
    if not _PRINTABLE.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme else None
