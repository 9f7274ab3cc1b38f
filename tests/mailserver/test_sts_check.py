"""`mailserver check` fetches the policies that our domains announce, as others do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from config.settings import Settings
from mailserver.checks import run_checks
from mailserver.sts_check import faults_of_policy
from message.mta_sts import format_policy
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from tests.support.directories import make_settings
from tests.support.dns_server import DnsServer, dns_server
from tests.support.https_server import HttpsServer, https_server
from tests.support.tls_peers import Kind, server_context, trusting
from web.mta_sts import own_policy

HOST = "mta-sts.ours.org"


class Site:
    """ours.org, which announces a policy, and quiet.org, which does not."""

    def __init__(self, settings: Settings, dns: DnsServer, web: HttpsServer) -> None:
        self.settings, self.dns, self.web = settings, dns, web
        self.resolver = Resolver([dns.endpoint], lifetime=1.0)
        self.authority = trustme.CA()
        self.offload = Offload(processes=1)

    async def faults(self, port: int) -> tuple[int, list[str]]:
        trust = trusting(self.authority)
        https = HttpsClient(self.resolver, self.offload, trust, port=port)
        domains = ("ours.org", "quiet.org")
        return await faults_of_policy(self.settings, self.resolver, https, domains)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    settings = make_settings(tmp_path, domains=["ours.org", "quiet.org"])
    async with dns_server() as dns:
        dns.set("_mta-sts.ours.org", "TXT", '"v=STSv1; id=1"')
        dns.set(HOST, "A", "127.0.0.1")
        made = Site(settings, dns, HttpsServer())
        made.web.serve(format_policy(own_policy(settings)))
        yield made
        made.offload.close()


@pytest.mark.parametrize("kind", list(Kind))
async def test_certificates(site: Site, kind: Kind) -> None:
    await site.web.start(server_context(kind, site.authority, HOST))
    announced, faults = await site.faults(site.web.port)
    await site.web.close()
    assert announced == 1
    if kind is Kind.GOOD:
        assert faults == []
    else:
        assert faults[0].startswith(f"{HOST}: certificate not trusted")


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", "404 Not Found", "HTTP status 404"),
        (b"version: STSv1\r\n", "200 OK", "the policy is wrong: no known mode"),
        (b"version: STSv1\nmode: none\nmax_age: 1\n", "200 OK", "is not that of [mta_sts]"),
    ],
)
async def test_policies(site: Site, body: bytes, status: str, text: str) -> None:
    async with https_server(server_context(Kind.GOOD, site.authority, HOST)) as web:
        web.serve(body, status=status)
        _, faults = await site.faults(web.port)
    assert len(faults) == 1
    assert text in faults[0]


def test_a_site_without_public_domains_has_nothing_to_fetch(tmp_path: Path) -> None:
    results = run_checks(tmp_path / "mailserver.toml", make_settings(tmp_path))
    found = next(each for each in results if each["name"] == "mta_sts")
    assert (found["ok"], found["detail"]) == (True, "0 domains announce a policy")
