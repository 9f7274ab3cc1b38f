"""Whose request it is: the connection's peer, or who a trusted reverse proxy says."""

import re
from collections.abc import Sequence

from starlette.requests import Request

from auth.networks import in_networks
from config.fields import Network
from net.networks import Address, parse_address

# Microsoft's gateways name the port too: 192.0.2.1:4321, [2001:db8::1]:4321.
_NAMED = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")


def peer_of(request: Request) -> str:
    """The IP address at the other end of the connection."""
    return request.client.host if request.client else ""


def address_of(request: Request, proxies: Sequence[Network]) -> str:
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


def is_secure(request: Request, proxies: Sequence[Network]) -> bool:
    """Whether it came over TLS, to us or, as its X-Forwarded-Proto says, to one of `proxies`."""
    if request.url.scheme == "https":
        return True
    named = ",".join(request.headers.getlist("x-forwarded-proto"))
    said = named.rpartition(",")[2].strip().lower()
    return said == "https" and in_networks(peer_of(request), proxies)
