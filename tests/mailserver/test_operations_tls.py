"""`tls show` and `tls forget`: what is known of other domains."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from net.dns import Resolver
from storage.transport_values import KeptPolicy, KnownLevel, TlsLevel
from tests.support.dns_server import DnsServer, dns_server
from tests.support.services import open_test_services

RECORD = "3 1 1 " + "ab" * 32


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.mail_domain("there.test", (10, "mx.there.test", "127.0.0.9"))
        yield server


@pytest.fixture
async def services(tmp_path: Path, dns: DnsServer) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as opened:
        opened.resolver = Resolver([dns.endpoint], lifetime=1.0)
        yield opened


async def run(services: Services, operation: str, domain: str) -> Any:
    return await perform(services, operation, {"domain": domain}, lambda *_: None)


async def test_a_domain_that_says_nothing(services: Services) -> None:
    assert await run(services, "tls.show", "There.Test") == {
        "domain": "there.test",
        "level": "unknown",
        "level_host": "",
        "level_seen_at": None,
        "policy": None,
        "hosts": [
            {
                "host": "mx.there.test",
                "addresses": ["127.0.0.9"],
                "dnssec": False,
                "needs": "may",
                "why": "",
                "tlsa": [],
            }
        ],
        "problem": "",
    }


async def test_dane(services: Services, dns: DnsServer) -> None:
    base = f"_{services.settings.outbound.port}._tcp.mx.there.test"
    dns.set(base, "TLSA", RECORD)
    dns.secure |= {"there.test", "mx.there.test", base}
    (host,) = (await run(services, "tls.show", "there.test"))["hosts"]
    assert (host["dnssec"], host["needs"], host["tlsa"]) == (True, "dane", [RECORD])
    assert host["why"] == "the TLSA records of mx.there.test ask for TLS"


async def test_a_policy_and_a_level(services: Services) -> None:
    transport, now = services.store.transport, float(int(time.time()))
    await transport.keep_policy(
        KeptPolicy("there.test", "abc", "enforce", 86_400, ("*.other.test",), now)
    )
    await transport.keep_levels([KnownLevel("there.test", TlsLevel.ENCRYPTED, "mx.a.test", now)])
    shown = await run(services, "tls.show", "there.test")
    assert shown["policy"]["mode"] == "enforce"
    assert (shown["policy"]["id"], shown["policy"]["mx"]) == ("abc", ["*.other.test"])
    assert (shown["level"], shown["level_host"]) == ("encrypted", "mx.a.test")
    assert shown["hosts"] == []
    assert shown["problem"] == "mx.there.test is not in the MTA-STS policy of there.test"
    assert await run(services, "tls.forget", "there.test") == {"domains": 1}
    assert (await run(services, "tls.show", "there.test"))["level"] == "unknown"


async def test_what_can_not_be(services: Services) -> None:
    with pytest.raises(OperationError, match="nothing is known"):
        await run(services, "tls.forget", "there.test")
    for text in ("", "[192.0.2.1]", "a..b"):
        with pytest.raises(OperationError, match="is not a domain"):
            await run(services, "tls.show", text)
    assert "no such domain" in (await run(services, "tls.show", "nowhere.test"))["problem"]
