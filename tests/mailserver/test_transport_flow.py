"""Policies of other domains through the whole program: what an administrator sees of them.

The policy server listens where it must, on port 443 of a loopback address of its own.
"""

import asyncio
import os
import smtplib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.dns_server import DnsServer, dns_server
from tests.support.https_server import https_server
from tests.support.server import PASSWORD, ServerProcess, serving, until
from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.tls_peers import Kind, server_context

ADA = "ada@example.test"
POLICY_AT = "127.0.0.77"
DOMAINS = {"good.test": "127.0.0.1", "bad.test": "127.0.0.2", "dane.test": "127.0.0.3"}
WITH_POLICY = ("good.test", "bad.test")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[ServerProcess, dict[str, Sink]]]:
    """good.test keeps its policy, bad.test shows a certificate of another name, dane.test one that
    its TLSA record does not know.
    """
    if os.getuid() != 0:
        pytest.skip("port 443 needs root")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(dns_server())
        sinks, port = {}, 0
        for domain, address in DOMAINS.items():
            kind = Kind.WRONG_NAME if domain == "bad.test" else Kind.GOOD
            sink = Sink(tls=server_context(kind, authority, f"mx.{domain}"))
            sinks[domain] = await stack.enter_async_context(smtp_sink(sink, address, port))
            port = sink.endpoint.port
        names = [f"mta-sts.{domain}" for domain in WITH_POLICY]
        context = server_context(Kind.GOOD, authority, *names)
        web = await stack.enter_async_context(https_server(context, POLICY_AT, 443))
        web.serve(
            b"version: STSv1\nmode: enforce\nmx: *.good.test\nmx: *.bad.test\nmax_age: 9999\n"
        )
        publish(dns, port)
        extra = f'[dns]\nnameservers = ["{dns.endpoint}"]\n[outbound]\nport = {port}\n'
        trust = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
        made = serving(tmp_path / "server", extra, accounts=[ADA], environment=trust)
        yield await stack.enter_async_context(made), sinks


def publish(dns: DnsServer, port: int) -> None:
    for domain, address in DOMAINS.items():
        dns.mail_domain(domain, (10, f"mx.{domain}", address))
    for domain in WITH_POLICY:
        dns.set(f"_mta-sts.{domain}", "TXT", '"v=STSv1; id=1"')
        dns.set(f"mta-sts.{domain}", "A", POLICY_AT)
    base = f"_{port}._tcp.mx.dane.test"
    dns.set(base, "TLSA", "3 1 1 " + "00" * 32)
    dns.secure |= {"dane.test", "mx.dane.test", base}


def submit(server: ServerProcess) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        people = [f"bob@{domain}" for domain in DOMAINS]
        client.sendmail(ADA, people, "Subject: hello\r\n\r\ntext\r\n")


def recipients(server: ServerProcess) -> dict[str, Any] | None:
    """By domain, once all of them were tried."""
    rows = server.json("queue", "list")
    found = {each["address"].partition("@")[2]: each for row in rows for each in row["recipients"]}
    tried = found and all(
        each["attempts"] or each["state"] == "delivered" for each in found.values()
    )
    return found if tried else None


async def test_what_an_administrator_sees(
    world: tuple[ServerProcess, dict[str, Sink]],
) -> None:
    server, sinks = world
    await asyncio.to_thread(submit, server)
    await sinks["good.test"].wait(1, 20)
    found = await asyncio.to_thread(until, lambda: recipients(server), 20)
    assert [each.tls for each in sinks["good.test"].received] == [True]
    bad, dane = found["bad.test"], found["dane.test"]
    assert (bad["state"], dane["state"]) == ("deferred", "deferred")
    assert "the MTA-STS policy of bad.test asks for verified TLS: TLS failed:" in bad["last_reply"]
    assert "not valid for 'mx.bad.test'" in bad["last_reply"]
    assert "the TLSA records of mx.dane.test ask for TLS: its certif" in dane["last_reply"]
    assert sinks["bad.test"].received == sinks["dane.test"].received == []

    (sent,) = server.events("sent")
    assert (sent["recipient"], sent["tls"]) == ("bob@good.test", "TLSv1.3, verified certificate")

    shown = await asyncio.to_thread(server.json, "tls", "show", "good.test")
    assert (shown["policy"]["mode"], shown["hosts"][0]["needs"]) == ("enforce", "web-pki")
    shown = await asyncio.to_thread(server.json, "tls", "show", "dane.test")
    assert shown["hosts"][0]["needs"] == "dane"
    forgotten = await asyncio.to_thread(server.command, "tls", "forget", "good.test")
    assert forgotten.returncode == 0
    again = await asyncio.to_thread(server.command, "tls", "forget", "good.test", expect=1)
    assert "nothing is known of the TLS of good.test" in again.stderr
