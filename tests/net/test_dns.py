"""The resolver against a real DNS server on loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from config.fields import Endpoint
from net.dns import (
    DnsUnavailable,
    NoRecords,
    NoSuchName,
    Resolver,
)
from net.dns_records import MailExchanger, TlsaRecord
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


async def test_absent_answers_are_cached_as_long_as_their_zone_says(server: DnsServer) -> None:
    one = resolver(server)
    server.negative_ttl = 60
    for _ in range(3):
        with pytest.raises(NoSuchName):
            await one.txt("absent.test")
    server.negative_ttl = 0
    for _ in range(3):
        with pytest.raises(NoSuchName):
            await one.txt("unkept.test")
    assert server.asked.count(("absent.test", "TXT", "udp")) == 1
    assert server.asked.count(("unkept.test", "TXT", "udp")) == 3


async def test_an_alias_is_kept_no_longer_than_its_own_ttl(server: DnsServer) -> None:
    server.recursive = False
    server.set("www.test", "CNAME", "real.test.", ttl=0)
    server.set("real.test", "A", "192.0.2.4", ttl=60)
    one = resolver(server)
    await one.a("www.test")
    await one.a("www.test")
    assert server.asked.count(("www.test", "A", "udp")) == 2


async def test_equal_questions_under_way_are_asked_once(server: DnsServer) -> None:
    server.set("busy.test", "A", "192.0.2.1", ttl=0)
    one = resolver(server)
    answers = await asyncio.gather(*(one.a("Busy.test") for _ in range(20)))
    assert answers == [["192.0.2.1"]] * 20
    assert len(server.asked) == 1
    await one.a("busy.test")
    assert len(server.asked) == 2, "an answer without life was kept"


async def test_a_caller_that_gives_up_takes_nothing_from_the_others(server: DnsServer) -> None:
    server.silent.add("slow.test")
    server.set("slow.test", "A", "192.0.2.1")
    one = resolver(server, lifetime=0.9)
    hasty = asyncio.create_task(one.a("slow.test"))
    patient = asyncio.create_task(one.a("slow.test"))
    await asyncio.sleep(0)
    hasty.cancel()
    server.silent.clear()
    assert await patient == ["192.0.2.1"]
    assert hasty.cancelled()


async def test_names_of_an_address(server: DnsServer) -> None:
    server.set("7.2.0.192.in-addr.arpa", "PTR", "Mail.Example.Org.")
    server.set("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "six.test.")
    assert await resolver(server).ptr("192.0.2.7") == ["mail.example.org"]
    assert await resolver(server).ptr("2001:db8::1") == ["six.test"]
    with pytest.raises(NoSuchName):
        await resolver(server).ptr("192.0.2.8")


async def test_tlsa_records(server: DnsServer) -> None:
    server.set("_25._tcp.mx.test", "TLSA", "3 1 1 " + "ab" * 32)
    server.secure.add("_25._tcp.mx.test")
    found = await resolver(server).tlsa("_25._tcp.mx.test")
    assert found == [TlsaRecord(3, 1, 1, b"\xab" * 32)]
    assert found.secure


async def test_secure_is_what_a_validating_resolver_on_this_machine_says(server: DnsServer) -> None:
    for name in ("signed.test", "unsigned.test"):
        server.set(name, "MX", f"10 mx.{name}.")
    server.secure.add("signed.test")
    server.secure.add("nothing.test")
    one = resolver(server)
    assert (await one.mx("signed.test")).secure
    assert not (await one.mx("unsigned.test")).secure
    with pytest.raises(NoSuchName) as absent:
        await one.mx("nothing.test")
    assert absent.value.secure


async def test_the_ad_bit_of_a_far_resolver_is_not_believed(server: DnsServer) -> None:
    server.set("signed.test", "MX", "10 mx.signed.test.")
    server.secure.add("signed.test")
    far = Endpoint(host="192.0.2.53", port=53)
    one = Resolver([server.endpoint, far])
    assert not one.validates
    assert not (await one.mx("signed.test")).secure


async def test_an_alias_that_is_not_signed_makes_the_answer_insecure(server: DnsServer) -> None:
    server.recursive = False
    server.set("www.test", "CNAME", "real.test.")
    server.set("real.test", "A", "192.0.2.4")
    server.secure.add("real.test")
    found = await resolver(server).a("www.test")
    assert (found, found.secure, found.name) == (["192.0.2.4"], False, "real.test")
    server.secure.add("www.test")
    assert (await resolver(server).a("www.test")).secure


async def test_existence_is_that_of_the_name(server: DnsServer) -> None:
    server.set("text-only.test", "TXT", "hello")
    server.failing.add("broken.test")
    one = resolver(server)
    assert await one.exists("text-only.test")
    assert not await one.exists("absent.test")
    with pytest.raises(DnsUnavailable):
        await one.exists("broken.test")


async def test_a_backslash_and_a_unicode_label_are_what_they_are(server: DnsServer) -> None:
    server.set(r"a\\b.test", "TXT", "backslash")
    server.set("xn--bcher-kva.test", "TXT", "book")
    assert await resolver(server).txt(r"a\b.test") == [b"backslash"]
    assert await resolver(server).txt("Bücher.test") == [b"book"]
