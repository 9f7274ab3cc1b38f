"""Whether an IP address, as text, lies in networks of the configuration. Pure."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from config.settings import Network


def in_networks(peer: str, networks: Iterable[Network]) -> bool:
    """`peer` may carry a zone (`fe80::1%eth0`); ::ffff:192.0.2.1 counts as 192.0.2.1; a text that
    is no address lies nowhere.
    """
    address = _address(peer)
    return address is not None and any(address in network for network in networks)


@lru_cache(1024)
def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
