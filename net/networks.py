"""IP networks with a value each, found by an address in a few dictionary look-ups. Pure."""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Generic, TypeVar

from config.fields import Network

T = TypeVar("T")
Address = IPv4Address | IPv6Address
_MAPPED = IPv6Network("::ffff:0:0/96")


@lru_cache(4096)
def parse_address(text: str) -> Address | None:
    """The address of a peer; a zone (`fe80::1%eth0`) is cut off, ::ffff:192.0.2.1 is 192.0.2.1, and
    a text that is no address is None.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def plain_network(network: Network) -> Network:
    """The IPv4 network that an IPv6 one of mapped addresses stands for; others as they are."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


class NetworkTable(Generic[T]):
    """One look-up for each length of prefix in use, however many networks there are."""

    def __init__(self) -> None:
        self._by_length: dict[tuple[int, int], dict[int, T]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def put(self, network: Network, value: T) -> None:
        """Sets the value of a network, replacing an earlier one."""
        table = self._by_length.setdefault((network.version, network.prefixlen), {})
        table[int(network.network_address) >> _rest(network.version, network.prefixlen)] = value

    def remove(self, network: Network) -> None:
        """Forgets a network; one that is not there is no error."""
        key = (network.version, network.prefixlen)
        table = self._by_length.get(key)
        if table is not None:
            table.pop(int(network.network_address) >> _rest(*key), None)
            if not table:
                del self._by_length[key]

    def holding(self, address: str) -> Iterator[T]:
        """The values of all networks that the address lies in."""
        parsed = parse_address(address) if self._by_length else None
        if parsed is None:
            return
        number = int(parsed)
        for (version, length), table in self._by_length.items():
            if version == parsed.version:
                value = table.get(number >> _rest(version, length))
                if value is not None:
                    yield value


def _rest(version: int, length: int) -> int:
    return (32 if version == 4 else 128) - length
