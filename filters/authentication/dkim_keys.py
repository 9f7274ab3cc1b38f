"""Keys of DKIM and ARC from DNS, several at once, in five seconds for all of them."""

import asyncio
from collections.abc import Iterable

from message.dkim_key import PublicKey, key_of
from message.dkim_tags import DkimFault, Status
from net.dns import DnsUnavailable, NoRecords, NoSuchName, Resolver

SECONDS = 5.0


async def keys_from_dns(
    resolver: Resolver, names: Iterable[str], *, seconds: float = SECONDS
) -> dict[str, PublicKey | DkimFault]:
    """The key at each name, or the fault that says why there is none; TEMPERROR when DNS gave no
    answer in time.
    """
    wanted = list(dict.fromkeys(names))
    deadline = asyncio.get_running_loop().time() + seconds
    if len(wanted) == 1:
        return {wanted[0]: await _key(resolver, wanted[0], deadline)}
    found = await asyncio.gather(*(_key(resolver, name, deadline) for name in wanted))
    return dict(zip(wanted, found, strict=True))


async def _key(resolver: Resolver, name: str, deadline: float) -> PublicKey | DkimFault:
    try:
        async with asyncio.timeout_at(deadline):
            records = await resolver.txt(name)
        return key_of(records)
    except DkimFault as fault:
        return fault
    except (NoSuchName, NoRecords):
        return DkimFault(Status.PERMERROR, "no key in DNS")
    except (DnsUnavailable, TimeoutError):
        return DkimFault(Status.TEMPERROR, "DNS gave no answer")
