"""Greeting, EHLO, STARTTLS and AUTH against a scripted server."""

import ssl

import pytest
import trustme

from net.client_tls import ClientTls, client_tls
from smtp.outbound.hop import Hop, Login, Timeouts, TlsUse
from smtp.outbound.results import AttemptFailed, Kind, Outcome
from smtp.outbound.session import Opener, Session
from tests.support.smtp_sink import Sink, smtp_sink

TIMES = Timeouts(connect=1, greeting=0.3, hello=0.5, tls=1, quit=1)


@pytest.fixture
def tls(authority: trustme.CA) -> ClientTls:
    """Trusts the tests' authority where it verifies."""
    made = client_tls()
    verified = ssl.create_default_context()
    authority.configure_trust(verified)
    return ClientTls(made.opportunistic, verified)


def hop(
    sink: Sink, use: TlsUse = TlsUse.MAY, *, verify: bool = False, login: Login | None = None
) -> Hop:
    return Hop("mx.there.test", ("127.0.0.1",), sink.endpoint.port, use, verify, login)


async def opened(tls: ClientTls, target: Hop) -> Session:
    return await Opener("mx.example.test", tls, TIMES).open(target, target.addresses[0])


async def refused(tls: ClientTls, target: Hop) -> Outcome:
    with pytest.raises(AttemptFailed) as caught:
        await opened(tls, target)
    return caught.value.outcome


async def test_extensions_are_read(tls: ClientTls, sink: Sink) -> None:
    sink.extensions = ("size 1000", "PIPELINING", "AUTH=LOGIN", "AUTH PLAIN")
    session = await opened(tls, hop(sink))
    assert session.extensions["SIZE"] == "1000"
    assert session.offers("PIPELINING")
    assert not session.offers("DSN")
    assert session.extensions["AUTH"] == "LOGIN PLAIN"
    await session.quit()
    assert sink.commands == ["EHLO mx.example.test", "QUIT"]


async def test_helo_when_ehlo_is_unknown(tls: ClientTls, sink: Sink) -> None:
    sink.ehlo = "502 5.5.1 not here"
    session = await opened(tls, hop(sink))
    assert session.extensions == {}
    assert sink.commands == ["EHLO mx.example.test", "HELO mx.example.test"]
    session.connection.close()


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("421 4.3.2 busy", Kind.TEMPORARY),
        ("554 5.7.1 listed", Kind.TEMPORARY),
        ("521 5.3.2 no mail here", Kind.PERMANENT),
    ],
)
async def test_unfriendly_greeting_leads_to_the_next_host(
    tls: ClientTls, sink: Sink, greeting: str, kind: Kind
) -> None:
    sink.greeting = greeting
    outcome = await refused(tls, hop(sink))
    assert (outcome.kind, outcome.text, outcome.elsewhere) == (kind, greeting, True)


@pytest.mark.parametrize(
    "greeting", ["hello", "220", "999 x", "220-a\r\n250 b", "220-" + "x" * 9999]
)
async def test_no_smtp_at_all(tls: ClientTls, sink: Sink, greeting: str) -> None:
    sink.greeting = greeting
    if greeting == "220":
        (await opened(tls, hop(sink))).connection.close()
        return
    outcome = await refused(tls, hop(sink))
    assert outcome.kind is Kind.TEMPORARY


async def test_endless_reply_is_cut(tls: ClientTls, sink: Sink) -> None:
    sink.greeting = "\r\n".join(["220-more"] * 1000)
    assert (await refused(tls, hop(sink))).kind is Kind.TEMPORARY


async def test_starttls_with_any_certificate(
    tls: ClientTls, sink: Sink, sink_tls: ssl.SSLContext
) -> None:
    sink.tls = sink_tls
    session = await opened(ClientTls(tls.opportunistic, tls.opportunistic), hop(sink))
    assert session.tls
    assert [c.split()[0] for c in sink.commands] == ["EHLO", "STARTTLS", "EHLO"]
    await session.quit()


async def test_plain_when_starttls_is_refused(
    tls: ClientTls, sink: Sink, sink_tls: ssl.SSLContext
) -> None:
    sink.tls, sink.starttls = sink_tls, "454 4.7.0 not just now"
    session = await opened(tls, hop(sink))
    assert not session.tls
    assert sink.sessions == 1
    session.connection.close()


async def test_plain_on_a_second_connection_when_tls_breaks(
    tls: ClientTls, sink: Sink, sink_tls: ssl.SSLContext
) -> None:
    sink.tls = sink_tls
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    sink_tls.minimum_version = ssl.TLSVersion.TLSv1_3
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    session = await opened(ClientTls(old, old), hop(sink))
    assert not session.tls
    assert sink.sessions == 2
    session.connection.close()


async def test_replies_injected_before_tls_are_not_believed(
    tls: ClientTls, sink: Sink, sink_tls: ssl.SSLContext
) -> None:
    sink.tls, sink.injected = sink_tls, b"250-evil\r\n250 AUTH PLAIN\r\n"
    session = await opened(tls, hop(sink))
    assert not session.tls
    session.connection.close()
    assert (await refused(tls, hop(sink, TlsUse.REQUIRED))).kind is Kind.TEMPORARY


async def test_required_tls_is_not_given_up(tls: ClientTls, sink: Sink) -> None:
    outcome = await refused(tls, hop(sink, TlsUse.REQUIRED))
    assert (outcome.kind, outcome.status) == (Kind.TEMPORARY, "4.7.4")


async def test_implicit_tls_verified(tls: ClientTls, sink_tls: ssl.SSLContext) -> None:
    async with smtp_sink(Sink(tls=sink_tls, implicit=True)) as secure:
        session = await opened(tls, hop(secure, TlsUse.IMPLICIT, verify=True))
        assert session.tls
        await session.quit()
        stranger = Hop("other.test", ("127.0.0.1",), secure.endpoint.port, TlsUse.IMPLICIT, True)
        outcome = await refused(tls, stranger)
        assert outcome.kind is Kind.TEMPORARY
        assert "certificate not trusted" in outcome.text


@pytest.mark.parametrize("mechanisms", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
async def test_login(tls: ClientTls, sink: Sink, sink_tls: ssl.SSLContext, mechanisms: str) -> None:
    sink.tls, sink.extensions = sink_tls, (mechanisms,)
    sink.login = ("user", "pass")
    if mechanisms == "AUTH LOGIN":
        sink.offer_login = False
    session = await opened(tls, hop(sink, TlsUse.REQUIRED, login=Login("user", "pass")))
    await session.quit()
    verb = "AUTH LOGIN" if mechanisms == "AUTH LOGIN" else "AUTH PLAIN"
    assert any(command.startswith(verb) for command in sink.commands)


async def test_login_is_not_sent_in_plain_text_to_another_machine(
    tls: ClientTls, sink: Sink
) -> None:
    sink.login = ("user", "pass")
    # Linux connects 0.0.0.0 to this machine, but it is not a loopback address.
    target = Hop("x.test", ("0.0.0.0",), sink.endpoint.port, login=Login("user", "pass"))
    outcome = await refused(tls, target)
    assert (outcome.kind, outcome.status) == (Kind.TEMPORARY, "4.7.8")
    assert not any(command.startswith("AUTH") for command in sink.commands)


async def test_wrong_login_keeps_the_mail(tls: ClientTls, sink: Sink) -> None:
    sink.login = ("user", "pass")
    outcome = await refused(tls, hop(sink, login=Login("user", "wrong-secret")))
    assert (outcome.kind, outcome.status, outcome.elsewhere) == (Kind.TEMPORARY, "4.7.8", False)
    assert "wrong-secret" not in outcome.line


async def test_refused_connection_names_the_peer(tls: ClientTls) -> None:
    outcome = await refused(tls, Hop("dead.test", ("127.0.0.1",), 1))
    assert outcome.line == "dead.test[127.0.0.1]:1: no connection: Connection refused"
