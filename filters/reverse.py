"""The verified name of an address: a PTR record whose name leads back to the address."""

import asyncio
from enum import Enum

from net.dns import DnsError, DnsUnavailable, NoRecords, NoSuchName, Resolver
from net.networks import parse_address

# A host with more names than that is no mail server.
MAX_NAMES = 5
SECONDS = 5.0


class Reverse(Enum):
    """What was found; the value is the symbol, "" for a verified name."""

    VERIFIED = ""
    NONE = "RDNS_NONE"
    MISMATCH = "RDNS_MISMATCH"
    UNAVAILABLE = "RDNS_DNSFAIL"


async def find_reverse(resolver: Resolver, address: str) -> tuple[str, Reverse]:
    """The first verified name, or "" and why there is none. Takes SECONDS at most."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _find(resolver, address)
    except TimeoutError:
        return "", Reverse.UNAVAILABLE


async def _find(resolver: Resolver, address: str) -> tuple[str, Reverse]:
    parsed = parse_address(address)
    if parsed is None:
        return "", Reverse.NONE
    try:
        names = await resolver.ptr(str(parsed))
    except (NoSuchName, NoRecords):
        return "", Reverse.NONE
    except DnsError:
        return "", Reverse.UNAVAILABLE
    look_up = resolver.a if parsed.version == 4 else resolver.aaaa
    found = await asyncio.gather(
        *(look_up(name) for name in names[:MAX_NAMES]), return_exceptions=True
    )
    for name, addresses in zip(names, found, strict=False):
        if not isinstance(addresses, BaseException) and parsed in map(parse_address, addresses):
            return name, Reverse.VERIFIED
    failed = any(isinstance(one, DnsUnavailable) for one in found)
    return "", Reverse.UNAVAILABLE if failed else Reverse.MISMATCH
