"""Whose request it is: the connection's peer, or who a trusted reverse proxy says."""

from collections.abc import Sequence

from starlette.requests import Request

from auth.networks import in_networks
from config.fields import Network
from net.networks import parse_address


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
        parsed = parse_address(named.pop().strip())
        if parsed is None:
            break
        address = str(parsed)
    return address


def is_secure(request: Request, proxies: Sequence[Network]) -> bool:
    """Whether it came over TLS, to us or, as its X-Forwarded-Proto says, to one of `proxies`."""
    if request.url.scheme == "https":
        return True
    said = request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    return said == "https" and in_networks(peer_of(request), proxies)
