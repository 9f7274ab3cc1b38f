"""The resolver against a real DNS server on loopback."""

from collections.abc import AsyncIterator

import pytest

from config.settings import Endpoint
from net.dns import DnsUnavailable, MailExchanger, NoRecords, NoSuchName, Resolver
from tests.support.dns_server import DnsServer, dns_server


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        yield running


def resolver(server: DnsServer, lifetime: float = 5.0) -> Resolver:
    return Resolver([server.endpoint], lifetime=lifetime)


async def test_mx_by_preference_lower_case_without_dot(server: DnsServer) -> None:
    server.set("example.org", "MX", "20 Backup.Example.org.", "10 mx.example.org.")
    assert await resolver(server).mx("Example.ORG") == [
        MailExchanger(10, "mx.example.org"),
        MailExchanger(20, "backup.example.org"),
    ]


async def test_null_mx_is_an_empty_host(server: DnsServer) -> None:
    server.set("nomail.test", "MX", "0 .")
    assert await resolver(server).mx("nomail.test") == [MailExchanger(0, "")]


async def test_absent_name_and_absent_data_differ(server: DnsServer) -> None:
    server.set("only-a.test", "A", "127.0.0.9")
    with pytest.raises(NoRecords):
        await resolver(server).mx("only-a.test")
    with pytest.raises(NoSuchName):
        await resolver(server).mx("absent.test")
    with pytest.raises(NoSuchName):
        await resolver(server).mx("a..b")


async def test_servfail_and_silence_are_temporary(server: DnsServer) -> None:
    server.failing.add("broken.test")
    server.silent.add("silent.test")
    for name in ("broken.test", "silent.test"):
        with pytest.raises(DnsUnavailable):
            await resolver(server, lifetime=0.4).mx(name)


async def test_no_server_at_all_is_temporary() -> None:
    with pytest.raises(DnsUnavailable):
        await Resolver([Endpoint(host="127.0.0.1", port=9)], lifetime=0.4).mx("example.org")


async def test_addresses_of_both_families(server: DnsServer) -> None:
    server.set("mx.test", "A", "127.0.0.2", "127.0.0.3")
    server.set("mx.test", "AAAA", "::1")
    found = await resolver(server).addresses("mx.test")
    assert found[0] == "::1"
    assert sorted(found[1:]) == ["127.0.0.2", "127.0.0.3"]


async def test_addresses_need_no_dns_for_literals_and_localhost(server: DnsServer) -> None:
    assert await resolver(server).addresses("192.0.2.7") == ["192.0.2.7"]
    assert "127.0.0.1" in await resolver(server).addresses("localhost")
    assert server.asked == []


async def test_alias_is_followed_with_and_without_the_servers_help(server: DnsServer) -> None:
    server.set("www.test", "CNAME", "real.test.")
    server.set("real.test", "A", "127.0.0.4")
    assert await resolver(server).addresses("www.test") == ["127.0.0.4"]
    server.recursive = False
    assert await resolver(server).addresses("www.test") == ["127.0.0.4"]


async def test_alias_loop_ends(server: DnsServer) -> None:
    server.recursive = False
    server.set("a.test", "CNAME", "b.test.")
    server.set("b.test", "CNAME", "a.test.")
    with pytest.raises(DnsUnavailable):
        await resolver(server, lifetime=2.0).mx("a.test")


async def test_long_answer_comes_over_tcp(server: DnsServer) -> None:
    server.set("long.test", "TXT", *(f'"{n:03d}{"x" * 200}"' for n in range(10)))
    found = await resolver(server).txt("long.test")
    assert len(found) == 10
    assert ("long.test", "TXT", "tcp") in server.asked


async def test_txt_strings_are_joined(server: DnsServer) -> None:
    server.set("txt.test", "TXT", '"v=spf1 " "-all"')
    assert await resolver(server).txt("txt.test") == [b"v=spf1 -all"]


async def test_answers_are_cached_for_their_ttl_absent_ones_too(server: DnsServer) -> None:
    server.set("cached.test", "MX", "10 mx.cached.test.")
    one = resolver(server)
    for _ in range(3):
        await one.mx("cached.test")
    assert server.asked.count(("cached.test", "MX", "udp")) == 1
