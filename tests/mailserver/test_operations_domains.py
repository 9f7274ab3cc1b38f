"""What a domain needs in DNS: printed, compared with what is served, and its keys proved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.rdata
import pytest

from config.settings import Settings
from mailserver.checks import Result, run_checks
from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from message.tlsa import tlsa_of
from net.tls import SELF_SIGNED, make_self_signed
from tests.support.directories import make_settings
from tests.support.dns_server import DnsServer, dns_server
from tests.support.services import open_test_services

DOMAIN = "ours.org"


@asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[tuple[Services, DnsServer]]:
    """Services that ask a DNS server of their own."""
    async with dns_server() as server, open_test_services(folder) as services:
        dns_settings = {"nameservers": [str(server.endpoint)]}
        services.settings = make_settings(folder, domains=[DOMAIN], dns=dns_settings)
        services.directory.reload(services.settings)
        yield services, server


async def run(services: Services, operation: str, **args: Any) -> Any:
    return await perform(services, operation, args, lambda *_: None)


async def records(services: Services, *, check: bool = False) -> list[dict[str, Any]]:
    found = await run(services, "domain.dns", domain=DOMAIN, check=check)
    assert isinstance(found, list)
    return found


def publish(server: DnsServer, rows: list[dict[str, Any]]) -> None:
    """As a zone file would: what stands behind the type of each line."""
    for row in rows:
        name, _, _, kind, value = row["line"].split(" ", 4)
        assert (name, kind) == (f"{row['name']}.", row["type"])
        server.set(name, kind, value)


async def test_records_are_those_of_the_domain(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, _):
        rows = await records(services)
        assert [(row["name"], row["type"], row["value"].partition(";")[0]) for row in rows] == [
            (DOMAIN, "MX", "10 mx.example.test."),
            (DOMAIN, "TXT", "v=spf1 mx -all"),
            ("mx.example.test", "TXT", "v=spf1 a -all"),
            (rows[3]["name"], "TXT", "v=DKIM1"),
            (rows[4]["name"], "TXT", "v=DKIM1"),
            (f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1"),
            (f"_smtp._tls.{DOMAIN}", "TXT", "v=TLSRPTv1"),
            (f"_mta-sts.{DOMAIN}", "TXT", "v=STSv1"),
            (f"_imaps._tcp.{DOMAIN}", "SRV", "0 1 2993 mx.example.test."),
            (f"_imap._tcp.{DOMAIN}", "SRV", "0 1 2143 mx.example.test."),
            (f"_submissions._tcp.{DOMAIN}", "SRV", "0 1 2465 mx.example.test."),
            (f"_submission._tcp.{DOMAIN}", "SRV", "0 1 2587 mx.example.test."),
            (f"_sieve._tcp.{DOMAIN}", "SRV", "0 1 2190 mx.example.test."),
            (f"_jmap._tcp.{DOMAIN}", "SRV", "0 1 2443 mx.example.test."),
            (f"_carddavs._tcp.{DOMAIN}", "SRV", "0 1 2443 mx.example.test."),
            (f"_autodiscover._tcp.{DOMAIN}", "SRV", "0 1 2443 mx.example.test."),
            (f"_carddavs._tcp.{DOMAIN}", "TXT", "path=/dav/"),
            (f"autoconfig.{DOMAIN}", "CNAME", "mx.example.test."),
            (f"autodiscover.{DOMAIN}", "CNAME", "mx.example.test."),
            (f"mta-sts.{DOMAIN}", "CNAME", "mx.example.test."),
        ]
        assert [row["name"].partition(".")[0][-1] for row in rows[3:5]] == ["r", "e"]
        assert "PRIVATE" not in str(rows)
        assert rows == await records(services)
        long = dns.rdata.from_text("IN", "TXT", rows[3]["line"].split(" ", 4)[4])
        assert b"".join(long.strings).decode() == rows[3]["value"]  # type: ignore[attr-defined]
        assert len(rows[3]["value"]) > 255


async def test_the_key_of_the_certificate(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, server):
        settings = services.settings
        pem, key = settings.data_dir / SELF_SIGNED, settings.data_dir / "selfsigned.key"
        await services.offload.disk(make_self_signed, pem, key, settings.hostname)
        row = (await records(services))[-1]
        assert (row["name"], row["type"]) == ("_25._tcp.mx.example.test", "TLSA")
        assert row["value"] == tlsa_of(pem.read_bytes())
        assert not row["needed"]
        coming = "3 1 1 " + "ab" * 32
        for served, state in (([coming], "differs"), ([row["value"], coming], "ok")):
            server.set(row["name"], "TLSA", *served, ttl=0)
            assert (await records(services, check=True))[-1]["state"] == state


async def test_check_compares_with_what_is_served(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, server):
        rows = await records(services, check=True)
        assert {row["state"] for row in rows} == {"missing"}
        publish(server, rows)
        assert {row["state"] for row in await records(services, check=True)} == {"ok"}
        rsa, ed = rows[3]["name"], rows[4]["name"]
        server.set(DOMAIN, "MX", "5 mx.other.test.")
        server.set(DOMAIN, "TXT", '"google-site-verification=x"', '"v=spf1 ip4:192.0.2.1 ~all"')
        server.set(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=none"', '"v=DMARC1; p=reject"')
        server.set(rsa, "TXT", '"v=DKIM1; k=rsa; p="')
        server.failing.add(ed)
        server.set("_smtp._tls.ours.org", "TXT", '"something else"')
        server.set(f"_imaps._tcp.{DOMAIN}", "SRV", "10 5 2993 mx.example.test.")
        server.set(f"_imap._tcp.{DOMAIN}", "SRV", "0 1 143 mx.example.test.")
        server.set(f"autoconfig.{DOMAIN}", "CNAME", "elsewhere.example.test.")
        states = {row["name"]: row["state"] for row in await records(services, check=True)}
        by_type = [row["state"] for row in (await records(services, check=True))[:2]]
        assert by_type == ["differs", "ok"]
        assert (states[rsa], states[ed]) == ("differs", "unknown")
        assert states[f"_dmarc.{DOMAIN}"] == "differs"
        assert states[f"_smtp._tls.{DOMAIN}"] == "missing"
        assert states[f"_imaps._tcp.{DOMAIN}"] == "ok", "whatever the priority"
        assert states[f"_imap._tcp.{DOMAIN}"] == states[f"autoconfig.{DOMAIN}"] == "differs"


async def test_new_keys_on_demand(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, _):
        before = await records(services)
        rows = await run(services, "domain.rotate", domain=DOMAIN)
        purposes = [row["purpose"] for row in rows if "DKIM" in row["purpose"]]
        assert (
            purposes
            == ["DKIM: used as soon as DNS serves it"] * 2 + ["DKIM: mail is signed with it"] * 2
        )
        assert [row for row in rows if row in before] == before
        assert await run(services, "domain.rotate", domain=DOMAIN) == rows


async def test_keys_come_and_go_with_the_domain(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, _):
        await run(services, "domain.add", domain="other.org")
        assert await services.keyring.domains() == ["other.org"]
        await run(services, "domain.delete", domain="other.org")
        assert await services.keyring.domains() == []
        with pytest.raises(OperationError, match="not served"):
            await run(services, "domain.dns", domain="other.org")


async def dkim_check(settings: Settings) -> Result:
    found = await asyncio.to_thread(run_checks, Path("mailserver.toml"), settings)
    return next(one for one in found if one["name"] == "dkim")


async def test_check_proves_every_key(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, server):
        none = await dkim_check(services.settings)
        assert none["ok"] and "no keys yet" in str(none["detail"])
        rows = [row for row in await records(services) if "DKIM" in row["purpose"]]
        found = await dkim_check(services.settings)
        assert not found["ok"] and "domain dns" in str(found["fix"])
        assert found["detail"] == "; ".join(f"{row['name']}: no record in DNS" for row in rows)
        publish(server, rows)
        found = await dkim_check(services.settings)
        assert (found["ok"], found["detail"]) == (True, "2 keys, their probes verified by dkimpy")
        await run(services, "domain.rotate", domain=DOMAIN)
        found = await dkim_check(services.settings)
        assert found["ok"] and "; to be published next: " in str(found["detail"])
        publish(server, [rows[0] | {"line": rows[1]["line"].replace(*names(rows[1], rows[0]))}])
        found = await dkim_check(services.settings)
        assert not found["ok"] and str(found["detail"]).startswith(f"{rows[0]['name']}: ")


def names(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, str]:
    return old["name"], new["name"]


async def test_without_a_database_there_is_nothing_to_check(tmp_path: Path) -> None:
    found = await dkim_check(make_settings(tmp_path))
    assert found["ok"]
    assert not (tmp_path / "data").exists()


async def test_reports_about_another_domain_are_agreed_to(tmp_path: Path) -> None:
    async with asking(tmp_path) as (services, server):
        dns_settings = {"nameservers": [str(server.endpoint)]}
        domains = [DOMAIN, "host.test"]
        for address, wanted in (("r@host.test", 1), (f"r@{DOMAIN}", 0), (f"r@mail.{DOMAIN}", 0)):
            services.settings = make_settings(
                tmp_path, domains=domains, dns=dns_settings, reports={"address": address}
            )
            rows = await records(services, check=True)
            policy = next(row["value"] for row in rows if row["name"] == f"_dmarc.{DOMAIN}")
            assert policy.endswith(f"rua=mailto:{address}")
            agreed = [row for row in rows if row["name"] == f"{DOMAIN}._report._dmarc.host.test"]
            assert [row["state"] for row in agreed] == ["missing"] * wanted
            publish(server, agreed)
        services.settings = make_settings(
            tmp_path, domains=domains, dns=dns_settings, reports={"address": "r@host.test"}
        )
        states = {row["name"]: row["state"] for row in await records(services, check=True)}
        assert states[f"{DOMAIN}._report._dmarc.host.test"] == "ok"
