"""For `mailserver check`: can the addresses that mail leaves from be used, and do their names lead
back? Many servers take nothing from an address whose PTR and EHLO names differ.
"""

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address

from config.sections_sending import SourceAddress
from config.settings import Settings
from net.dns import DnsError, Resolver
from net.local_address import can_bind


@dataclass(frozen=True, slots=True)
class SourceFault:
    """`fault` is "" when all is well, `fix` what mends it."""

    address: str
    name: str
    fault: str = ""
    fix: str = ""

    @property
    def told(self) -> tuple[str, str]:
        """What is found, and what mends it."""
        return self.fault or f"can be bound, and its PTR record is {self.name}", self.fix


async def look_at_sources(settings: Settings, resolver: Resolver) -> list[SourceFault]:
    """Each address of the pools once."""
    found = {one.address: one for pool in settings.outbound.pool for one in pool.source}
    looks = (_look(one, settings.hostname, resolver) for one in found.values())
    return await asyncio.gather(*looks)


async def _look(one: SourceAddress, hostname: str, resolver: Resolver) -> SourceFault:
    name = one.name or hostname
    if not can_bind(one.address):
        fault = "this machine does not have the address"
        return SourceFault(one.address, name, fault, "give it to a network interface")
    fix = f"let its PTR record be {name}, and an address of {name} be {one.address}"
    fault = await _reverse(one.address, name, resolver)
    return SourceFault(one.address, name, fault, fix if fault else "")


async def _reverse(address: str, name: str, resolver: Resolver) -> str:
    try:
        names = await resolver.ptr(address)
        if name not in names:
            return f"its PTR record is {', '.join(names)}, EHLO says {name}"
        addresses = await resolver.addresses(name)
    except DnsError as error:
        return str(error)
    if not any(ip_address(one) == ip_address(address) for one in addresses):
        return f"{name} does not lead back to it"
    return ""
