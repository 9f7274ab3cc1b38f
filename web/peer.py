"""Whose request it is, and whether it came over TLS: as the connection says, or as a trusted
reverse proxy does.
"""

import re
from collections.abc import Sequence

from starlette.requests import HTTPConnection

from auth.networks import in_networks
from auth.policy import plaintext_allowed
from config.fields import Network
from config.settings import Settings
from net.networks import Address, parse_address

# Microsoft's gateways name the port too: 192.0.2.1:4321, [2001:db8::1]:4321.
_NAMED = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")


def peer_of(request: HTTPConnection) -> str:
    """The IP address at the other end of the connection."""
    return request.client.host if request.client else ""


def address_of(request: HTTPConnection, proxies: Sequence[Network]) -> str:
    """The peer, or behind `proxies` the last of X-Forwarded-For that is none of them: what stands
    further left anybody may have written.
    """
    address = peer_of(request)
    named = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while named and in_networks(address, proxies):
        parsed = _address_in(named.pop().strip())
        if parsed is None:
            break
        address = str(parsed)
    return address


def _address_in(text: str) -> Address | None:
    found = _NAMED.fullmatch(text)
    return parse_address(text if found is None else found["literal"] or found["four"] or "")


def is_secure(request: HTTPConnection, proxies: Sequence[Network]) -> bool:
    """Whether it came over TLS, to us or, as its X-Forwarded-Proto says, to one of `proxies`."""
    if request.scope["scheme"] in ("https", "wss"):
        return True
    named = ",".join(request.headers.getlist("x-forwarded-proto"))
    said = named.rpartition(",")[2].strip().lower()
    return said == "https" and in_networks(peer_of(request), proxies)


def may_have_secrets(request: HTTPConnection, settings: Settings) -> bool:
    """Whether passwords may come with it: over TLS, or from auth.plaintext_from. Of those networks
    has to be who asks: a proxy there does not make strangers' passwords safe.
    """
    proxies = settings.http.trusted_proxies
    return plaintext_allowed(address_of(request, proxies), is_secure(request, proxies), settings)


def is_own(request: HTTPConnection, origin: str) -> bool:
    """Whether a browser says that a page of ours asks: by Origin (RFC 6454 §7), which goes with a
    WebSocket, or without one by Fetch Metadata (§2.1). Scripts can write neither.
    """
    named = request.headers.get("origin")
    if named is not None:
        return named.lower() == origin.lower()
    return request.headers.get("sec-fetch-site") == "same-origin"


def origin_of(request: HTTPConnection, proxies: Sequence[Network]) -> str:
    """Where the client sees this server, such as https://mx.example.test."""
    scheme = "https" if is_secure(request, proxies) else "http"
    return f"{scheme}://{request.url.netloc}"
