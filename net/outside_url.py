"""Addresses that others gave, to be asked by HTTPS: read strictly. Pure.

Where the host leads to is net/guarded.py's to judge, at each connection.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

MAX: Final = 2048
_PLAIN: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"[a-z0-9.:-]+")


class BadUrl(ValueError):
    """No address of HTTPS that may be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class OutsideUrl:
    """`path` has the query; `origin` is scheme, host and port, without the usual one."""

    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        named = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{named}" + ("" if self.port == 443 else f":{self.port}")


def outside_url(text: str) -> OutsideUrl:
    """Raises BadUrl: another scheme, a user name, a fragment, signs that belong into none."""
    if len(text) > MAX or not _PLAIN.fullmatch(text) or "\\" in text:
        raise BadUrl(f"an address of at most {MAX} plain signs is needed")
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError:
        raise BadUrl("this is no address") from None
    host = (found.hostname or "").rstrip(".")
    if found.scheme != "https" or not host or "%" in host:
        raise BadUrl("an address with https is needed")
    if "@" in found.netloc or "#" in text or _HOST.fullmatch(host) is None or port == 0:
        raise BadUrl("an address without user name and fragment is needed")
    query = f"?{found.query}" if found.query else ""
    return OutsideUrl(host, port or 443, f"{found.path or '/'}{query}")
