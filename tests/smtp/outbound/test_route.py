"""From domains to hosts, by a real DNS server."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from config.settings import Settings
from net.dns import Resolver
from smtp.outbound.hop import TlsUse
from smtp.outbound.results import AttemptFailed, Kind
from smtp.outbound.route import Router
from tests.support.dns_server import DnsServer, dns_server


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        yield running


def router(dns: DnsServer, seed: int = 1, **settings: Any) -> Router:
    made = Settings.model_validate({"hostname": "mx.example.test", **settings})
    return Router(made, Resolver([dns.endpoint], lifetime=0.5), Random(seed))


async def hosts(dns: DnsServer, domain: str, **settings: Any) -> list[str]:
    return [hop.host for hop in await router(dns, **settings).route(domain)]


async def failure(dns: DnsServer, domain: str, **settings: Any) -> tuple[Kind, str]:
    with pytest.raises(AttemptFailed) as caught:
        await router(dns, **settings).route(domain)
    return caught.value.outcome.kind, caught.value.outcome.status


async def test_preference_orders_and_equals_are_shuffled(dns: DnsServer) -> None:
    dns.mail_domain(
        "big.test",
        (20, "last.big.test", "127.1.0.9"),
        *((10, f"mx{n}.big.test", f"127.1.0.{n}") for n in range(1, 6)),
    )
    orders = {
        tuple(hop.host for hop in await router(dns, seed).route("big.test")) for seed in range(8)
    }
    assert len(orders) > 2
    assert all(order[-1] == "last.big.test" and len(order) == 6 for order in orders)


async def test_domain_without_mx_is_its_own_host(dns: DnsServer) -> None:
    dns.set("small.test", "A", "127.1.0.1")
    hop = (await router(dns).route("small.test"))[0]
    assert (hop.host, hop.addresses, hop.port, hop.tls) == (
        "small.test",
        ("127.1.0.1",),
        25,
        TlsUse.MAY,
    )


async def test_families_take_turns(dns: DnsServer) -> None:
    dns.set("both.test", "MX", "1 mx.both.test.")
    dns.set("mx.both.test", "A", "127.1.0.1", "127.1.0.2")
    dns.set("mx.both.test", "AAAA", "2001:db8::1")
    addresses = (await router(dns).route("both.test"))[0].addresses
    assert addresses[0] == "2001:db8::1"
    assert sorted(addresses[1:]) == ["127.1.0.1", "127.1.0.2"]


async def test_what_can_not_be_routed(dns: DnsServer) -> None:
    dns.set("nomail.test", "MX", "0 .")
    dns.set("nothing.test", "TXT", '"x"')
    dns.set("dangling.test", "MX", "10 gone.test.")
    dns.set("unsure.test", "MX", "10 broken.test.")
    dns.failing |= {"broken.test"}
    assert await failure(dns, "absent.test") == (Kind.PERMANENT, "5.1.2")
    assert await failure(dns, "nomail.test") == (Kind.PERMANENT, "5.1.10")
    assert await failure(dns, "nothing.test") == (Kind.PERMANENT, "5.4.4")
    assert await failure(dns, "dangling.test") == (Kind.PERMANENT, "5.4.4")
    assert await failure(dns, "broken.test") == (Kind.TEMPORARY, "4.4.3")
    assert await failure(dns, "unsure.test") == (Kind.TEMPORARY, "4.4.3")
    assert await failure(dns, "[300.1.1.1]") == (Kind.PERMANENT, "5.1.2")


async def test_one_dead_name_does_not_stop_the_others(dns: DnsServer) -> None:
    dns.mail_domain("half.test", (20, "live.half.test", "127.1.0.1"))
    dns.set("half.test", "MX", "10 gone.test.", "20 live.half.test.")
    assert await hosts(dns, "half.test") == ["live.half.test"]


async def test_only_hosts_better_than_ourselves_by_name(dns: DnsServer) -> None:
    dns.mail_domain(
        "shared.test",
        (10, "first.shared.test", "127.1.0.1"),
        (20, "mx.example.test", "127.1.0.2"),
        (20, "equal.shared.test", "127.1.0.3"),
        (30, "worse.shared.test", "127.1.0.4"),
    )
    assert await hosts(dns, "shared.test") == ["first.shared.test"]
    dns.mail_domain("ours.test", (10, "MX.Example.Test", "127.1.0.2"))
    assert await failure(dns, "ours.test") == (Kind.PERMANENT, "5.4.6")


@pytest.mark.parametrize("listener", ["127.0.0.1:2525", "0.0.0.0:2525"])
async def test_only_hosts_better_than_ourselves_by_address(dns: DnsServer, listener: str) -> None:
    better, ours, equal = (
        (10, "a.test", "198.51.100.1"),
        (20, "alias.test", "127.0.0.1"),
        (20, "equal.test", "198.51.100.2"),
    )
    dns.mail_domain("shared.test", better, ours, equal)
    settings = {"listen": {"smtp": [listener]}, "outbound": {"port": 2525}}
    assert await hosts(dns, "shared.test", **settings) == ["a.test"]
    dns.set("alias-only.test", "MX", "10 alias.test.")
    assert await failure(dns, "alias-only.test", **settings) == (Kind.PERMANENT, "5.4.6")


async def test_address_literals(dns: DnsServer) -> None:
    for literal, address in (("[192.0.2.1]", "192.0.2.1"), ("[ipv6:2001:db8::1]", "2001:db8::1")):
        assert (await router(dns).route(literal))[0].addresses == (address,)


async def test_smarthost_takes_everything(dns: DnsServer) -> None:
    dns.set("relay.test", "A", "192.0.2.9")
    made = router(dns, outbound={"smarthost": "smtp://user:p%40ss@relay.test"})
    assert made.one_way
    hop = (await made.route("anything.test"))[0]
    assert (hop.host, hop.port, hop.tls, hop.verify) == ("relay.test", 587, TlsUse.REQUIRED, False)
    assert hop.login is not None
    assert (hop.login.user, hop.login.password) == ("user", "p@ss")
    assert "p@ss" not in repr(hop)
    made = router(dns, outbound={"smarthost": "smtps://relay.test"})
    hop = (await made.route("x.test"))[0]
    assert (hop.port, hop.tls, hop.verify, hop.login) == (465, TlsUse.IMPLICIT, True, None)
    made = router(dns, outbound={"smarthost": "smtp://relay.test?verify=yes"})
    (hop,) = await made.route("anywhere.test")
    assert (hop.tls, hop.verify) == (TlsUse.REQUIRED, True)
    unknown = {"outbound": {"smarthost": "smtp://gone.test"}}
    assert await failure(dns, "x.test", **unknown) == (Kind.TEMPORARY, "4.4.3")
