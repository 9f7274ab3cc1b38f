"""Addresses of servers that are asked though others may have a say in which: public ones, and those
of networks that the configuration names. What a name leads to is looked at for each connection.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from config.fields import Endpoint, Network
from net.dns import Answer, DnsError, Resolver
from net.networks import Address, parse_address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out for the Internet; what else calls itself global leads into some network of
its own: site-local addresses, gateways of NAT64 that a network has for itself.
"""


class GuardedResolver(Resolver):
    """`allowed` gives the networks that may be asked though they are not public."""

    def __init__(
        self, nameservers: Sequence[Endpoint], allowed: Callable[[], Sequence[Network]]
    ) -> None:
        super().__init__(nameservers)
        self._allowed = allowed

    async def addresses(self, host: str) -> Answer[str]:
        """Those that may be asked. Raises DnsError, also where there are none."""
        found = await super().addresses(host)
        usable = [address for address in found if self._may_ask(address)]
        if not usable:
            raise DnsError(f"{host} has no address that may be asked")
        return Answer(usable, secure=found.secure, name=found.name)

    def _may_ask(self, text: str) -> bool:
        address = parse_address(text)
        if address is None:
            return False
        if any(address in network for network in self._allowed()):
            return True
        return _is_public(address) and _is_public(_behind(address))


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and not (address in _UNICAST or address in _NAT64):
        return False
    return address.is_global and not address.is_multicast


def _behind(address: Address) -> Address:
    """What gateways make of an IPv6 address that has an IPv4 one in it: 6to4, NAT64."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address
