"""Whether an IP address, as text, lies in networks of the configuration. Pure."""

from collections.abc import Iterable

from config.fields import Network
from net.networks import parse_address


def in_networks(peer: str, networks: Iterable[Network]) -> bool:
    """`peer` may carry a zone (`fe80::1%eth0`); ::ffff:192.0.2.1 counts as 192.0.2.1; a text that
    is no address lies nowhere.
    """
    address = parse_address(peer)
    return address is not None and any(address in network for network in networks)
