"""Look-ups that failed leave no circle of references to their frames."""

from net.dns import DnsUnavailable, Resolver
from net.dns_message import Unusable
from tests.support.freed import eventually, uncollected
from tests.support.rogue_dns import ANSWER, message, rogue_dns

SERVFAIL = 2


async def test_a_failed_look_up_is_free_without_a_collection() -> None:
    async with rogue_dns() as rogue:
        rogue.udp = lambda query: [message(query, flags=ANSWER | SERVFAIL)]
        resolver = Resolver([rogue.endpoint], lifetime=0.3)
        with uncollected(Unusable) as left:
            for host in ("one.test", "two.test"):
                await _fail(resolver, host)
            await eventually(lambda: not left())


async def _fail(resolver: Resolver, host: str) -> None:
    try:
        await resolver.addresses(host)
    except DnsUnavailable:
        return
    raise AssertionError("nobody answered")
