"""The whole RFC 7208 suite against the evaluator, over a real DNS server."""

from collections.abc import AsyncIterator

import pytest

from filters.authentication.spf_check import check_host
from filters.authentication.spf_names import Client, plain_address
from net.dns import Resolver
from net.lookups import Lookups
from tests.support.dns_server import DnsServer, dns_server
from tests.support.programs import unavailable
from tests.support.spf_suite import SpfCase, serve_zone, spf_cases


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        yield running


def test_the_suite_is_there() -> None:
    if not spf_cases():
        unavailable("MAILSERVER_TEST_DATA has no spf/rfc7208-tests.yml")
    assert len(spf_cases()) > 180


@pytest.mark.parametrize("case", spf_cases(), ids=lambda case: case.name)
async def test_rfc7208_suite(case: SpfCase, server: DnsServer) -> None:
    serve_zone(server, case.zone)
    resolver = Resolver([server.endpoint], lifetime=0.3 if server.silent else 5.0)
    local, _, domain = case.sender.rpartition("@")
    client = Client(plain_address(case.host), case.helo, "mx.example.test", 1_000_000_000)
    finding = await check_host(Lookups(resolver), client, local, domain or case.helo)
    assert finding.outcome.value in case.results, finding.reason
    if case.explanation is not None:
        wanted = "" if case.explanation == "DEFAULT" else case.explanation
        assert finding.explanation == wanted
