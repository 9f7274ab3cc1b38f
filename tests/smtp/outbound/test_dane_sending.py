"""Sending to hosts with TLSA records: what arrives, and what the queue says if not (RFC 7672)."""

import hashlib
import ssl
from pathlib import Path

import pytest

from net.client_tls import ClientTls, opportunistic_context
from storage.transport_values import KeptPolicy, TlsLevel
from tests.smtp.outbound.conftest import Sender
from tests.support.certificates import Issued, issue
from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.tls_peers import trusting_nothing

HOST = "mx.there.test"
ROOT = issue("root", authority=True, days=(-1, 3000))
LEAF = issue("leaf", ROOT, dns=(HOST,), days=(-1, 3000))
OTHER = issue("other", authority=True)
NAMES = ("there.test", HOST)


def context(folder: Path, *chain: Issued) -> ssl.SSLContext:
    """A server that shows the chain, its own certificate first."""
    path = folder / f"{chain[0].certificate.serial_number}.pem"
    path.write_bytes(chain[0].key_pem + b"".join(each.pem for each in chain))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    return made


def record(usage: int, of: Issued, selector: int = 1) -> str:
    data = of.spki if selector else of.der
    return f"{usage} {selector} 1 {hashlib.sha256(data).hexdigest()}"


class Zone:
    """there.test, signed as far as `secure` says."""

    def __init__(self, sender: Sender, port: int) -> None:
        self.dns, self.base = sender.dns, f"_{port}._tcp"
        self.dns.secure |= {*NAMES, f"{self.base}.{HOST}"}

    def tlsa(self, *records: str, host: str = HOST) -> None:
        self.dns.set(f"{self.base}.{host}", "TLSA", *records)
        self.dns.secure.add(f"{self.base}.{host}")


@pytest.fixture
def zone(sender: Sender, counting: None, there: Sink, tmp_path: Path) -> Zone:
    """There is a signed MX host with TLS; no certificate is trusted by its authority."""
    there.tls = context(tmp_path, LEAF, ROOT)
    sender.tls = ClientTls(opportunistic_context(), trusting_nothing())
    return Zone(sender, there.endpoint.port)


async def delivered(sender: Sender, sink: Sink) -> None:
    queue = await sender.store.put("bob@there.test")
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queue)
    assert len(sink.received) == 1


async def last_reply(sender: Sender, sink: Sink) -> str:
    queue = await sender.store.put("bob@there.test")
    await sender.start(sink.endpoint.port)
    shown = await sender.until_tried(queue)
    assert shown.recipients[0].state == "deferred"
    assert sink.received == []
    return shown.recipients[0].last_reply


@pytest.mark.parametrize("usage", [2, 3])
async def test_a_fitting_record(sender: Sender, there: Sink, zone: Zone, usage: int) -> None:
    zone.tlsa(record(usage, ROOT if usage == 2 else LEAF))
    await delivered(sender, there)
    assert there.received[0].tls
    (counted,) = (await sender.tls_results()).items()
    assert (counted[0].result, counted[1]) == ("", 1)
    assert f'"policy-type":"tlsa","policy-string":["{usage} 1 1 ' in counted[0].policy
    known = await sender.store.transport.level("there.test")
    assert known is not None
    assert known.level is TlsLevel.AUTHENTICATED


@pytest.mark.parametrize("usage", [2, 3])
async def test_no_fitting_record(sender: Sender, there: Sink, zone: Zone, usage: int) -> None:
    zone.tlsa(record(usage, OTHER))
    reply = await last_reply(sender, there)
    assert f"the TLSA records of {HOST} ask for TLS: its certificate " in reply
    assert there.commands == ["EHLO mx.example.test", "STARTTLS"]
    (counted,) = await sender.tls_results()
    assert (counted.result, counted.host) == ("validation-failure", HOST)


async def test_a_trust_anchor_asks_for_the_name(
    sender: Sender, there: Sink, zone: Zone, tmp_path: Path
) -> None:
    there.tls = context(tmp_path, issue("x", ROOT, dns=("b.test",), days=(-1, 3000)), ROOT)
    zone.tlsa(record(2, ROOT))
    assert (await last_reply(sender, there)).endswith(f"its certificate is not for {HOST}")


async def test_a_trust_anchor_takes_the_domain_for_the_name(
    sender: Sender, there: Sink, zone: Zone, tmp_path: Path
) -> None:
    leaf = issue("x", ROOT, dns=("there.test",), days=(-1, 3000))
    there.tls = context(tmp_path, leaf, ROOT)
    zone.tlsa(record(2, ROOT))
    await delivered(sender, there)


async def test_an_expired_certificate_below_a_trust_anchor(
    sender: Sender, there: Sink, zone: Zone, tmp_path: Path
) -> None:
    there.tls = context(tmp_path, issue("x", ROOT, dns=(HOST,), days=(-20, -10)), ROOT)
    zone.tlsa(record(2, ROOT))
    assert (await last_reply(sender, there)).endswith("a certificate is not valid at this time")
    (counted,) = await sender.tls_results()
    assert counted.result == "certificate-expired"


async def test_dane_ee_takes_an_expired_certificate_of_another_name(
    sender: Sender, there: Sink, zone: Zone, tmp_path: Path
) -> None:
    leaf = issue("x", dns=("b.test",), days=(-20, -10))
    there.tls = context(tmp_path, leaf)
    zone.tlsa(record(3, leaf))
    await delivered(sender, there)


async def test_starttls_stripped(sender: Sender, there: Sink, zone: Zone) -> None:
    there.tls = None
    zone.tlsa(record(3, LEAF))
    assert (await last_reply(sender, there)).endswith("ask for TLS: the server offers no STARTTLS")
    (counted,) = await sender.tls_results()
    assert counted.result == "starttls-not-supported"


async def test_unusable_records_ask_for_any_tls(sender: Sender, there: Sink, zone: Zone) -> None:
    zone.tlsa(record(1, OTHER), record(0, OTHER))
    await delivered(sender, there)
    assert there.received[0].tls


async def test_unusable_records_do_not_allow_plain_text(
    sender: Sender, there: Sink, zone: Zone
) -> None:
    there.tls = None
    zone.tlsa(record(1, OTHER))
    assert (await last_reply(sender, there)).endswith("the server offers no STARTTLS")


@pytest.mark.parametrize("insecure", [*NAMES, "tlsa"])
async def test_records_without_dnssec_say_nothing(
    sender: Sender, there: Sink, zone: Zone, insecure: str
) -> None:
    """One answer on the way without the AD bit, and the TLSA records could be anybody's."""
    zone.tlsa(record(3, OTHER))
    zone.dns.secure.discard(insecure if insecure in NAMES else f"{zone.base}.{HOST}")
    await delivered(sender, there)


async def test_no_records(sender: Sender, there: Sink, zone: Zone) -> None:
    there.tls = None
    await delivered(sender, there)


async def test_look_up_fails(sender: Sender, there: Sink, zone: Zone) -> None:
    """What an attacker who can't forge signatures can still do: make the answer fail."""
    zone.dns.failing.add(f"{zone.base}.{HOST}")
    reply = await last_reply(sender, there)
    assert reply == f"the TLSA records of {HOST} could not be looked up"
    assert there.sessions == 0
    (counted,) = await sender.tls_results()
    assert counted.result == "dnssec-invalid"


async def test_next_host(sender: Sender, there: Sink, zone: Zone, tmp_path: Path) -> None:
    """The best host can't be judged, the second fails its record, the third has none."""
    hosts = ("a.there.test", "127.0.0.2"), (HOST, "127.0.0.1"), ("c.there.test", "127.0.0.3")
    zone.dns.mail_domain("there.test", *((n, name, at) for n, (name, at) in enumerate(hosts)))
    zone.dns.secure |= {name for name, _ in hosts}
    zone.dns.failing.add(f"{zone.base}.a.there.test")
    zone.tlsa(record(3, OTHER))
    async with smtp_sink(Sink(), "127.0.0.3", there.endpoint.port) as third:
        await delivered(sender, third)
    assert there.received == []


async def test_alias_of_the_host(sender: Sender, there: Sink, zone: Zone) -> None:
    """RFC 7672 §2.2.3: where the alias leads is asked first, then the host itself."""
    zone.dns.set("there.test", "MX", "10 alias.there.test.")
    zone.dns.set("alias.there.test", "CNAME", f"{HOST}.")
    zone.dns.secure |= {"alias.there.test", f"{zone.base}.alias.there.test"}
    zone.tlsa(record(3, OTHER), host="alias.there.test")
    zone.tlsa(record(3, LEAF))
    await delivered(sender, there)


async def test_domain_without_mx(sender: Sender, sink: Sink, zone: Zone, tmp_path: Path) -> None:
    sender.dns.records.clear()
    sender.dns.set("there.test", "A", "127.0.0.1")
    zone.tlsa(record(3, OTHER), host="there.test")
    assert "the TLSA records of there.test ask for TLS" in await last_reply(sender, sink)


async def test_dane_stands_above_mta_sts(sender: Sender, there: Sink, zone: Zone) -> None:
    """The kept policy names other hosts, and the certificate would not verify by it."""
    kept = KeptPolicy("there.test", "x", "enforce", 10**6, ("b.test",), sender.clock.at)
    await sender.store.transport.keep_policy(kept)
    zone.tlsa(record(3, LEAF))
    await delivered(sender, there)


async def test_downgrade_is_refused_where_wished(sender: Sender, there: Sink, zone: Zone) -> None:
    zone.tlsa(record(3, LEAF))
    await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port, tls_downgrade="refuse")
    await there.wait()
    assert sender.outbound is not None
    await sender.outbound.stop()
    zone.dns.secure.clear()
    sender.resolver = type(sender.resolver)([sender.dns.endpoint], lifetime=1.0)
    queue = await sender.store.put("eve@there.test")
    await sender.start(there.endpoint.port, tls_downgrade="refuse")
    shown = await sender.until_tried(queue)
    reply = shown.recipients[0].last_reply
    assert "the TLS of this session is less than before: there.test had TLS with a proof" in reply
    assert await sender.outbound.watch.forget("there.test")
    await sender.until_idle()
    sender.advance(100)
    await sender.until_gone(queue)


async def test_downgrade_is_only_reported_by_default(
    sender: Sender, there: Sink, zone: Zone, capsys: pytest.CaptureFixture[str]
) -> None:
    await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await there.wait()
    await sender.until_idle()
    there.tls = None
    there.hang_up()
    await sender.store.put("bob@there.test")
    await there.wait(2)
    assert not there.received[1].tls
    out = capsys.readouterr()
    assert "TLS downgrade" in out.out + out.err


class TestRequireTls:
    """RFC 8689: the sender's wish."""

    async def test_over_dane(self, sender: Sender, there: Sink, zone: Zone) -> None:
        there.extensions = (*there.extensions, "REQUIRETLS")
        zone.tlsa(record(3, LEAF))
        queue = await sender.store.put("bob@there.test", require_tls=True)
        await sender.start(there.endpoint.port)
        await sender.until_gone(queue)
        assert there.received[0].mail.split()[-1] == "REQUIRETLS"

    async def test_host_without_the_extension(
        self, sender: Sender, there: Sink, zone: Zone
    ) -> None:
        zone.tlsa(record(3, LEAF))
        notice = await self._bounced(sender, there)
        assert b"Status: 5.7.30" in notice
        assert b"(REQUIRETLS)" in notice

    async def test_hosts_that_nothing_proves(self, sender: Sender, there: Sink, zone: Zone) -> None:
        zone.dns.secure.clear()
        there.extensions = (*there.extensions, "REQUIRETLS")
        notice = await self._bounced(sender, there)
        assert b"Status: 5.7.30" in notice
        assert there.sessions == 0

    async def test_signed_hosts_need_a_certificate_that_verifies(
        self, sender: Sender, there: Sink, zone: Zone
    ) -> None:
        there.extensions = (*there.extensions, "REQUIRETLS")
        queue = await sender.store.put("bob@there.test", require_tls=True)
        await sender.start(there.endpoint.port)
        shown = await sender.until_tried(queue)
        reply = shown.recipients[0].last_reply
        assert "the message requires TLS (REQUIRETLS): TLS failed: certificate not" in reply

    async def test_a_session_for_others_is_not_used(
        self, sender: Sender, there: Sink, zone: Zone
    ) -> None:
        """An open session without proof does for the first message only."""
        zone.dns.secure.clear()
        there.extensions = (*there.extensions, "REQUIRETLS")
        await sender.store.put("bob@there.test")
        await sender.store.put("eve@there.test", require_tls=True)
        await sender.start(there.endpoint.port)
        await there.wait()
        await sender.until_idle()
        assert [each.recipients for each in there.received] == [["bob@there.test"]]
        assert b"Status: 5.7.30" in sender.notices.taken[0][1]

    async def _bounced(self, sender: Sender, sink: Sink) -> bytes:
        queue = await sender.store.put("bob@there.test", require_tls=True, ret="FULL")
        await sender.start(sink.endpoint.port)
        await sender.until_gone(queue)
        assert sink.received == []
        ((_, notice),) = sender.notices.taken
        assert sender.notices.protected == [True]
        assert b"Hi." not in notice
        return notice


async def test_tls_required_no(sender: Sender, there: Sink, zone: Zone) -> None:
    """RFC 8689 §4.2.2: the message goes all the same; the next one not over its session."""
    there.tls = None
    zone.tlsa(record(3, LEAF))
    await sender.store.put("bob@there.test", data=b"TLS-Required: No\r\n\r\nHelp!\r\n")
    second = await sender.store.put("eve@there.test", data=b"X: TLS-Required: No\r\n\r\nHi.\r\n")
    await sender.start(there.endpoint.port)
    await there.wait()
    await sender.until_tried(second)
    assert [each.recipients for each in there.received] == [["bob@there.test"]]
