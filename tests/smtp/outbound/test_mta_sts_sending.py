"""Sending to domains with MTA-STS policies: what arrives, and what the queue says if not."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trustme

from net.client_tls import ClientTls, opportunistic_context
from net.https import HttpsClient
from smtp.outbound import mta_sts
from storage.transport_values import TlsLevel
from tests.smtp.outbound.conftest import Sender
from tests.support.https_server import HttpsServer, https_server
from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.tls_peers import Kind, server_context, trusting

HOST = "mx.there.test"
DAY = 86_400


def policy(mode: str = "enforce", mx: str = HOST, age: int = 7 * DAY) -> bytes:
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {age}\r\n".encode()


@pytest.fixture
async def web(sender: Sender, counting: None, authority: trustme.CA) -> AsyncIterator[HttpsServer]:
    """The policy server of there.test, announced in DNS."""
    context = server_context(Kind.GOOD, authority, "mta-sts.there.test")
    async with https_server(context) as server:
        sender.dns.set("mta-sts.there.test", "A", "127.0.0.1")
        announce(sender, "one")
        server.serve(policy())
        trust = trusting(authority)
        sender.tls = ClientTls(opportunistic_context(), trust)
        sender.https = HttpsClient(sender.resolver, sender.store.offload, trust, port=server.port)
        yield server


def announce(sender: Sender, record: str) -> None:
    sender.dns.set("_mta-sts.there.test", "TXT", f'"v=STSv1; id={record};"', ttl=0)


async def last_reply(sender: Sender, sink: Sink) -> str:
    """Of a message that could not be sent."""
    queue = await sender.store.put("bob@there.test")
    await sender.start(sink.endpoint.port)
    shown = await sender.until_tried(queue)
    assert shown.recipients[0].state == "deferred"
    assert sink.received == []
    await sender.until_idle()
    return shown.recipients[0].last_reply


async def test_good_certificate(
    sender: Sender, there: Sink, web: HttpsServer, authority: trustme.CA
) -> None:
    there.tls = server_context(Kind.GOOD, authority, HOST)
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert there.received[0].tls
    (asked,) = web.asked
    assert (asked.method, asked.path) == ("GET", "/.well-known/mta-sts.txt")
    assert asked.host == "mta-sts.there.test"
    (counted,) = (await sender.tls_results()).items()
    assert (counted[0].result, counted[1]) == ("", 1)
    assert '"policy-type":"sts"' in counted[0].policy
    assert '"mode: enforce"' in counted[0].policy
    known = await sender.store.transport.level("there.test")
    assert known is not None
    assert (known.level, known.host) == (TlsLevel.AUTHENTICATED, HOST)


BAD = [
    (Kind.EXPIRED, "certificate has expired", "certificate-expired"),
    (Kind.WRONG_NAME, "is not valid for 'mx.there.test'", "certificate-host-mismatch"),
    (Kind.SELF_SIGNED, "certificate not trusted", "certificate-not-trusted"),
]


@pytest.mark.parametrize(("kind", "text", "result"), BAD, ids=lambda v: str(v))
async def test_bad_certificate_is_refused(
    sender: Sender,
    there: Sink,
    web: HttpsServer,
    authority: trustme.CA,
    kind: Kind,
    text: str,
    result: str,
) -> None:
    there.tls = server_context(kind, authority, HOST)
    reply = await last_reply(sender, there)
    assert "the MTA-STS policy of there.test asks for verified TLS: " in reply
    assert text in reply
    (counted,) = await sender.tls_results()
    assert (counted.result, counted.host, counted.address) == (result, HOST, "127.0.0.1")
    assert counted.own_address == "127.0.0.1"


@pytest.mark.parametrize(("kind", "text", "result"), BAD, ids=lambda v: str(v))
async def test_testing_reports_and_delivers(
    sender: Sender,
    there: Sink,
    web: HttpsServer,
    authority: trustme.CA,
    kind: Kind,
    text: str,
    result: str,
) -> None:
    web.serve(policy("testing"))
    there.tls = server_context(kind, authority, HOST)
    await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await there.wait()
    assert there.received[0].tls
    (counted,) = await sender.tls_results()
    assert counted.result == result
    assert text in counted.reason


async def test_starttls_stripped_is_refused(sender: Sender, there: Sink, web: HttpsServer) -> None:
    reply = await last_reply(sender, there)
    assert reply.endswith("asks for verified TLS: the server offers no STARTTLS")
    assert "MAIL" not in " ".join(there.commands)


async def test_starttls_stripped_from_a_tested_policy(
    sender: Sender, there: Sink, web: HttpsServer
) -> None:
    web.serve(policy("testing"))
    await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await there.wait()
    assert not there.received[0].tls
    (counted,) = (await sender.tls_results()).items()
    assert (counted[0].result, counted[1]) == ("starttls-not-supported", 1)


async def test_starttls_refused(
    sender: Sender, there: Sink, web: HttpsServer, authority: trustme.CA
) -> None:
    there.tls = server_context(Kind.GOOD, authority, HOST)
    there.starttls = "454 4.7.0 not just now"
    reply = await last_reply(sender, there)
    assert reply.endswith("STARTTLS was refused: 454 4.7.0 not just now")


async def test_broken_tls_is_not_followed_by_plain_text(
    sender: Sender, there: Sink, web: HttpsServer
) -> None:
    """The server says 220 to STARTTLS and then talks on in plain text."""
    there.extensions = (*there.extensions, "STARTTLS")
    there.starttls, there.injected = "220 2.0.0 go", b"220 not TLS\r\n"
    reply = await last_reply(sender, there)
    assert "asks for verified TLS" in reply
    assert there.sessions == 1


async def test_host_outside_the_policy_is_not_used(
    sender: Sender, there: Sink, web: HttpsServer, authority: trustme.CA
) -> None:
    web.serve(policy(mx="*.other.test"))
    there.tls = server_context(Kind.GOOD, authority, HOST)
    reply = await last_reply(sender, there)
    assert reply == "mx.there.test is not in the MTA-STS policy of there.test"
    assert there.sessions == 0
    (counted,) = await sender.tls_results()
    assert (counted.result, counted.host) == ("validation-failure", HOST)


async def test_next_host_is_tried(
    sender: Sender, there: Sink, web: HttpsServer, authority: trustme.CA
) -> None:
    """The best host is not in the policy, the second has a bad certificate, the third is good."""
    web.serve(policy(mx="*.good.test"))
    names = ("mx.bad.test", "127.0.0.2"), ("a.good.test", "127.0.0.1"), ("b.good.test", "127.0.0.3")
    hosts = [(n, name, address) for n, (name, address) in enumerate(names)]
    sender.dns.mail_domain("there.test", *hosts)
    there.tls = server_context(Kind.WRONG_NAME, authority, HOST)
    good = Sink(tls=server_context(Kind.GOOD, authority, "b.good.test"))
    async with smtp_sink(good, "127.0.0.3", there.endpoint.port):
        queue = await sender.store.put("bob@there.test")
        await sender.start(there.endpoint.port)
        await sender.until_gone(queue)
    assert len(good.received) == 1
    assert there.received == []


async def test_fetch_failures_mean_no_policy_at_first(
    sender: Sender, there: Sink, web: HttpsServer
) -> None:
    web.serve(b"gone", status="404 Not Found")
    queue = await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    counted = {each.result: each for each in await sender.tls_results()}
    assert set(counted) == {"sts-policy-fetch-error", "starttls-not-supported"}
    assert counted["sts-policy-fetch-error"].reason == "mta-sts.there.test: HTTP status 404"
    assert all('"no-policy-found"' in each.policy for each in counted.values())


@pytest.mark.parametrize("case", ["txt gone", "404", "redirect", "html", "huge", "wrong", "silent"])
async def test_an_old_policy_stands(
    sender: Sender,
    there: Sink,
    web: HttpsServer,
    case: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever can strip STARTTLS can also take the policy's record or server away."""
    await last_reply(sender, there)
    assert len(web.asked) == 1
    announce(sender, "two")
    match case:
        case "txt gone":
            sender.dns.set("_mta-sts.there.test", "TXT", '"something else"', ttl=0)
        case "404":
            web.serve(b"gone", status="404 Not Found")
        case "redirect":
            web.serve(b"", status="302 Found", more="Location: /other\r\n")
        case "html":
            web.serve(policy("none"), media_type="text/html")
        case "huge":
            web.serve(policy("none") + b"x: " + b"y" * 70_000)
        case "wrong":
            web.serve(b"version: STSv1\r\nmode: none\r\n")
        case "silent":
            web.stall = True
            monkeypatch.setattr(mta_sts, "FETCH_SECONDS", 0.5)
    sender.clock.at += 61
    queue = await sender.store.put("eve@there.test")
    shown = await sender.until_tried(queue)
    assert "the MTA-STS policy of there.test" in shown.recipients[0].last_reply
    assert there.received == []
    assert len(web.asked) == (1 if case == "txt gone" else 2)


async def test_a_new_policy_is_taken_when_the_record_changes(
    sender: Sender, there: Sink, web: HttpsServer
) -> None:
    await last_reply(sender, there)
    web.serve(policy("none"))
    announce(sender, "two")
    sender.advance(3600)
    await there.wait()
    assert len(web.asked) == 2


async def test_a_policy_survives_a_restart_and_ends_with_its_age(
    sender: Sender, there: Sink, web: HttpsServer
) -> None:
    await last_reply(sender, there)
    assert sender.outbound is not None
    await sender.outbound.stop()
    await web.close()
    sender.clock.at += 6 * DAY
    queue = await sender.store.put("eve@there.test")
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    assert "the MTA-STS policy of there.test" in shown.recipients[0].last_reply
    await sender.until_idle()
    sender.advance(DAY + 1)
    await sender.until_gone(queue)
    assert there.received[0].recipients == ["eve@there.test"]


async def test_a_policy_in_use_is_fetched_again_before_it_ends(
    sender: Sender, there: Sink, web: HttpsServer, authority: trustme.CA
) -> None:
    there.tls = server_context(Kind.GOOD, authority, HOST)
    await sender.store.put("bob@there.test")
    await sender.start(there.endpoint.port)
    await there.wait()
    await sender.until_idle()
    sender.clock.at += DAY + 1
    await sender.store.put("bob@there.test")
    await there.wait(2)
    async with asyncio.timeout(20):
        while True:
            kept = await sender.store.transport.policy("there.test")
            if kept is not None and kept.fetched_at == sender.clock.at:
                break
            await asyncio.sleep(0.01)
    assert len(web.asked) == 2


async def test_a_policy_that_nobody_used_is_fetched_before_it_ends(
    sender: Sender, there: Sink, web: HttpsServer
) -> None:
    await last_reply(sender, there)
    assert sender.outbound is not None
    sender.clock.at += 5 * DAY
    await sender.outbound.sts.refresh()
    assert len(web.asked) == 1
    sender.clock.at += DAY
    await sender.outbound.sts.refresh()
    assert len(web.asked) == 2
    kept = await sender.store.transport.policy("there.test")
    assert kept is not None
    assert kept.fetched_at == sender.clock.at
    web.serve(b"gone", status="404 Not Found")
    sender.clock.at += 6 * DAY
    await sender.outbound.sts.refresh()
    assert await sender.store.transport.policy("there.test") is not None
    sender.clock.at += DAY + 1
    await sender.outbound.sts.refresh()
    assert await sender.store.transport.policy("there.test") is None


@pytest.mark.parametrize("how", ["hangs", "old"])
async def test_handshake_that_comes_to_nothing(
    sender: Sender,
    there: Sink,
    web: HttpsServer,
    authority: trustme.CA,
    how: str,
) -> None:
    """Nothing older than TLS 1.2, and no waiting without an end."""
    sender.timeouts = replace(sender.timeouts, tls=0.3)
    there.tls = server_context(Kind.GOOD, authority, HOST)
    if how == "old":
        there.tls.set_ciphers("ALL:@SECLEVEL=0")
        there.tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            there.tls.maximum_version = ssl.TLSVersion.TLSv1_1
    else:
        there.stall_at = "STARTTLS"
        sender.timeouts = replace(sender.timeouts, hello=1)
    reply = await last_reply(sender, there)
    if how == "old":
        assert "the MTA-STS policy of there.test asks for verified TLS: TLS failed" in reply
    else:
        assert reply.endswith("the peer did not answer in time")
    assert there.sessions == 1


async def test_policy_server_with_a_bad_certificate(
    sender: Sender, counting: None, there: Sink, authority: trustme.CA
) -> None:
    context = server_context(Kind.WRONG_NAME, authority, "mta-sts.there.test")
    async with https_server(context) as server:
        server.serve(policy())
        sender.dns.set("mta-sts.there.test", "A", "127.0.0.1")
        announce(sender, "one")
        trust = trusting(authority)
        sender.tls = ClientTls(opportunistic_context(), trust)
        sender.https = HttpsClient(sender.resolver, sender.store.offload, trust, port=server.port)
        await sender.store.put("bob@there.test")
        await sender.start(there.endpoint.port)
        await there.wait()
    assert "sts-webpki-invalid" in {each.result for each in await sender.tls_results()}
    assert server.asked == []


async def test_a_smarthost_knows_no_policies(sender: Sender, there: Sink, web: HttpsServer) -> None:
    await sender.store.put("bob@there.test")
    await sender.start(1, smarthost=f"smtp://127.0.0.1:{there.endpoint.port}")
    await there.wait()
    assert web.asked == []
