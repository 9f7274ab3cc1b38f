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
