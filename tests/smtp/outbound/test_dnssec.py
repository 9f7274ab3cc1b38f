"""DANE over real DNSSEC: zones signed here, validated by unbound, and one answer forged."""

from collections.abc import Iterator
from pathlib import Path

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest

from config.fields import Endpoint
from net.client_tls import ClientTls, opportunistic_context
from net.dns import DnsUnavailable, NoRecords, NoSuchName, Resolver
from tests.smtp.outbound.conftest import Sender
from tests.smtp.outbound.test_dane_sending import OTHER, context, record
from tests.support.certificates import issue
from tests.support.smtp_sink import Sink
from tests.support.tls_peers import trusting_nothing
from tests.support.unbound import SignedZone, unbound

LEAF = issue("leaf", days=(-1, 3000))


def records(port: int, tlsa: str) -> str:
    return (
        "@ 60 IN MX 10 mx\n"
        "mx 60 IN A 127.0.0.1\n"
        "alias 60 IN CNAME mx\n"
        f"_{port}._tcp.mx 60 IN TLSA {tlsa}\n"
    )


@pytest.fixture
def validating(sink: Sink, tmp_path: Path) -> Iterator[Endpoint]:
    """The zones good.test (its record fits), wrong.test, forged.test, plain.test, unsigned, and
    alias.test, whose host leads there.
    """
    port, folder = sink.endpoint.port, tmp_path / "unbound"
    folder.mkdir()

    def forge(zone: dns.zone.Zone) -> None:
        fitting = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TLSA, record(3, LEAF))
        name = dns.name.from_text(f"_{port}._tcp.mx.forged.test.")
        with zone.writer() as transaction:
            transaction.replace(name, 60, fitting)

    fits, other = records(port, record(3, LEAF)), records(port, record(3, OTHER))
    zones = [
        SignedZone("good.test", fits),
        SignedZone("wrong.test", other),
        SignedZone("forged.test", other, tamper=forge),
        SignedZone("plain.test", other, signed=False),
        SignedZone(
            "alias.test",
            "@ 60 IN MX 10 mx\nmx 60 IN CNAME mx.plain.test.\n"
            f"_{port}._tcp.mx 60 IN TLSA {record(3, OTHER)}\n",
        ),
    ]
    with unbound(folder, zones) as endpoint:
        yield endpoint


async def test_what_is_secure(validating: Endpoint, sink: Sink) -> None:
    resolver, base = Resolver([validating], lifetime=3.0), f"_{sink.endpoint.port}._tcp.mx"
    mx = await resolver.mx("good.test")
    assert (mx.secure, mx[0].host) == (True, "mx.good.test")
    alias = await resolver.a("alias.good.test")
    assert (alias.secure, alias.name) == (True, "mx.good.test")
    assert (await resolver.tlsa(f"{base}.good.test")).secure
    assert not (await resolver.tlsa(f"{base}.plain.test")).secure
    away = await resolver.a("mx.alias.test")
    assert (away.secure, away.name) == (False, "mx.plain.test")
    step = await resolver.alias("mx.alias.test")
    assert (step.secure, list(step)) == (True, ["mx.plain.test"])
    with pytest.raises(NoSuchName) as nothing:
        await resolver.a("nothing.good.test")
    assert nothing.value.secure
    with pytest.raises(NoRecords) as without:
        await resolver.mx("mx.good.test")
    assert without.value.secure
    with pytest.raises(DnsUnavailable):
        await resolver.tlsa(f"{base}.forged.test")


async def test_only_what_dnssec_proves_decides(
    sender: Sender, sink: Sink, validating: Endpoint, tmp_path: Path
) -> None:
    sink.tls = context(tmp_path, LEAF)
    sender.tls = ClientTls(opportunistic_context(), trusting_nothing())
    sender.resolver = Resolver([validating], lifetime=3.0)
    domains = ("good.test", "wrong.test", "forged.test", "plain.test", "alias.test")
    queued = {domain: await sender.store.put(f"bob@{domain}") for domain in domains}
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queued["good.test"])
    await sender.until_gone(queued["plain.test"])
    wrong = await sender.until_tried(queued["wrong.test"])
    assert "its certificate fits no TLSA record" in wrong.recipients[0].last_reply
    alias = await sender.until_tried(queued["alias.test"])
    assert "the TLSA records of mx.alias.test ask for TLS" in alias.recipients[0].last_reply
    forged = await sender.until_tried(queued["forged.test"])
    assert forged.recipients[0].last_reply == (
        "the TLSA records of mx.forged.test could not be looked up"
    )
    took = sorted(each.recipients[0] for each in sink.received)
    assert took == ["bob@good.test", "bob@plain.test"]
    assert all(each.tls for each in sink.received)
