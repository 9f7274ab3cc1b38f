"""What `auth.sms` may be; texts that a webhook gets, over HTTPS and HTTP on this machine, and an
SMS centre by SMPP.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
import trustme

import auth.sms_smpp
from auth.sms import Sms
from auth.sms_smpp import WAITING, SmppSender
from auth.sms_webhook import WebhookSender
from config.logging import get_logger
from config.sms import Smpp, Webhook, parse_sms
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from tests.support.dns_server import DnsServer, dns_server
from tests.support.https_server import HttpsServer, https_server
from tests.support.smsc import SUBMIT, UNBIND, Centre, sms_centre, until
from tests.support.tls_peers import Kind, server_context, trusting

HOST = "sms.example.test"
SMS = Sms("+431234567", "123456 is your code", "123456")


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.set(HOST, "A", "127.0.0.1")
        yield server


@pytest.mark.parametrize(
    "text",
    [
        "",
        "carrier",
        "webhook:",
        "webhook:ftp://a.test/",
        "webhook:http://a.test/",
        "webhook:https:///x",
        "webhook:https://a.test:0/",
        "webhook:https://a.test:x/",
        "webhook:https://a.test/#x",
        "webhook:https://a.test/ x",
        "webhook:https://a.test/\r\nX: y",
        "smpp:host",
        "smpp://us:secret@",
        "smpps://us:secret@host:0",
        "webhook:smpp://us:secret@host",
        "smpp://us:se cret@host",
    ],
)
def test_values_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="outbox"):
        parse_sms(text)


@pytest.mark.parametrize(
    "text",
    [
        "smpp://:secret@host",
        "smpp://us:secret@host/path",
        "smpp://us:secret@host?other=1",
        "smpp://us:secretsec@host",
        "smpp://us:se%00cret@host",
        "smpp://usususususususus:secret@host",
        "smpp://us:secret@host?system_type=1234567890123",
        "smpp://us:secret@host?source=123456789012345678901",
        "smpp://us:secret@host?alphabet=morse",
        "smpp://us:secret@host?ton=7",
        "smpp://us:secret@host?npi=-1",
        "smpp://us:secret@host?window=0",
    ],
)
def test_sms_centres_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^smpp: ") as caught:
        parse_sms(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("", ("", 0, 0)),
        ("source=Mail", ("Mail", 5, 0)),
        ("source=%2B431234567", ("431234567", 1, 1)),
        ("source=431234567", ("431234567", 1, 1)),
        ("source=12345", ("12345", 3, 0)),
        ("source=12345&ton=2&npi=8", ("12345", 2, 8)),
    ],
    ids=["none", "name", "plus", "number", "short", "said"],
)
def test_whom_texts_are_from(query: str, kind: tuple[str, int, int]) -> None:
    found = parse_sms(f"smpp://us@host?{query}")
    assert isinstance(found, Smpp)
    assert (found.source, found.source_ton, found.source_npi) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("outbox", None),
        ("webhook:https://a.test", Webhook(True, "a.test", None, "/")),
        ("webhook:https://u:p%40@a.test:8/x?k=v", Webhook(True, "a.test", 8, "/x?k=v", "u", "p@")),
        ("webhook:http://127.0.0.1:8080/x", Webhook(False, "127.0.0.1", 8080, "/x")),
        ("webhook:http://[::1]/", Webhook(False, "::1", 80, "/")),
        ("smpp://us:p%40@a.test", Smpp(False, "a.test", 2775, "us", "p@")),
        (
            "smpps://us:p@[::1]:9/?system_type=VMS&alphabet=latin1&window=3",
            Smpp(True, "::1", 9, "us", "p", "VMS", alphabet="latin1", window=3),
        ),
        ("smpps://us:p@a.test", Smpp(True, "a.test", 3550, "us", "p")),
    ],
    ids=["outbox", "plain", "all", "own", "own6", "smpp", "smpp-all", "smpps"],
)
def test_values(text: str, expected: Webhook | Smpp | None) -> None:
    assert parse_sms(text) == expected
    assert "p@" not in repr(parse_sms(text))


async def test_a_webhook_gets_the_text(dns: DnsServer) -> None:
    authority, offload = trustme.CA(), Offload(processes=1)
    context = server_context(Kind.GOOD, authority, HOST)
    async with https_server(context) as web:
        https = HttpsClient(Resolver([dns.endpoint]), offload, trusting(authority))
        hook = parse_sms(f"webhook:https://us:secret@{HOST}:{web.port}/send?to=phone")
        assert isinstance(hook, Webhook)
        sender = WebhookSender(hook, https, get_logger("test"))
        web.serve(b"", status="204 No Content")
        await sender.send(SMS)
        await sender.close()
        (asked,) = web.asked
    offload.close()
    assert (asked.method, asked.path) == ("POST", "/send?to=phone")
    assert asked.fields["content-type"] == "application/json"
    assert base64.b64decode(asked.fields["authorization"].split()[1]) == b"us:secret"
    assert json.loads(asked.body) == {"to": SMS.to, "text": SMS.text, "code": SMS.code}


@pytest.mark.parametrize("kind", ["refuses", "absent", "not trusted"])
async def test_a_failure_is_logged_without_the_text(
    dns: DnsServer, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    authority, offload = trustme.CA(), Offload(processes=1)
    web = HttpsServer()
    await web.start(server_context(Kind.GOOD, authority, HOST))
    trusted = trusting(trustme.CA() if kind == "not trusted" else authority)
    https = HttpsClient(Resolver([dns.endpoint]), offload, trusted)
    logged: list[str] = []

    class Log:
        def error(self, event: str, **values: object) -> None:
            logged.append(f"{event} {values}")

    hook = Webhook(True, "gone.test" if kind == "absent" else HOST, web.port, "/")
    sender = WebhookSender(hook, https, Log())  # type: ignore[arg-type]
    web.serve(b"", status="500 Oops")
    await sender.send(SMS)
    await sender.close()
    await web.close()
    offload.close()
    assert len(logged) == 1
    assert SMS.code not in logged[0]
    assert SMS.to not in logged[0]


async def test_a_webhook_of_this_machine(dns: DnsServer) -> None:
    got = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        got.set_result((head, body))

    offload = Offload(processes=1)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        hook = parse_sms(f"webhook:http://127.0.0.1:{port}/in")
        assert isinstance(hook, Webhook)
        https = HttpsClient(Resolver([dns.endpoint]), offload, trusting(trustme.CA()))
        sender = WebhookSender(hook, https, get_logger("test"))
        await sender.send(SMS)
        head, body = await got
        await sender.close()
    offload.close()
    assert head.startswith(b"POST /in HTTP/1.1\r\n")
    assert json.loads(body)["code"] == SMS.code


class Logged:
    """Takes what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, event: str, **values: object) -> None:
        self.lines.append(f"{event} {values}")

    warning = error


def sending(
    centre: Centre, log: Logged, *, tls: bool = False, query: str = "", host: str = "127.0.0.1"
) -> SmppSender:
    scheme = "smpps" if tls else "smpp"
    smpp = parse_sms(f"{scheme}://us:secret@{host}:{centre.port}?source=Mail&{query}")
    assert isinstance(smpp, Smpp)
    authority = trustme.CA()
    return SmppSender(smpp, Resolver([]), trusting(authority), log)  # type: ignore[arg-type]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses a fiftieth of what they are."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "REFUSED_PAUSE"):
        monkeypatch.setattr(auth.sms_smpp, name, getattr(auth.sms_smpp, name) / 50)


async def test_an_sms_centre_gets_the_text() -> None:
    log = Logged()
    async with sms_centre() as centre:
        sender = sending(centre, log)
        await sender.send(SMS)
        await sender.send(Sms("+499", "x" * 200 + "@", "1"))
        await until(lambda: len(centre.taken) == 3)
        await sender.close()
    first, *parts = sorted(centre.taken, key=lambda one: (one.to, one.octets))
    assert (first.source, first.to, first.text) == ((5, 0, "Mail"), (1, 1, "431234567"), SMS.text)
    assert "".join(part.text for part in parts) == "x" * 200 + "@"
    assert [part.esm_class for part in parts] == [0x40, 0x40]
    assert centre.binds == [("us", "secret", "", 0x34)]
    assert centre.commands[-1] == UNBIND
    assert log.lines == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("trouble", ["throttled", "full", "dropped", "refused bind"])
async def test_what_passes_is_tried_again(trouble: str) -> None:
    log = Logged()
    async with sms_centre() as centre:
        sender = sending(centre, log)
        match trouble:
            case "throttled":
                centre.answers.extend([0x58, 0x58])
            case "full":
                centre.answers.append(0x14)
            case "dropped":
                centre.drop = 2
            case "refused bind":
                centre.bind_status = 0x0D
        await sender.send(SMS)
        if trouble == "refused bind":
            await until(lambda: len(centre.binds) >= 2)
            centre.bind_status = 0
        await until(lambda: centre.taken)
        await sender.close()
    assert [one.text for one in centre.taken] == [SMS.text]
    assert not any("SMS not sent" in line for line in log.lines)
    said = "".join(log.lines)
    assert not any(secret in said for secret in ("secret", SMS.to[1:], SMS.code))


async def test_what_stays_is_logged_without_number_and_code() -> None:
    log = Logged()
    async with sms_centre() as centre:
        sender = sending(centre, log)
        centre.answers.append(0x0B)
        await sender.send(SMS)
        await until(lambda: log.lines)
        await sender.send(SMS)
        await until(lambda: centre.taken)
        await sender.close()
    assert log.lines == ["SMS not sent {'reason': 'the SMS centre answered ESME_RINVDSTADR'}"]
    assert len(centre.taken) == 1


@pytest.mark.usefixtures("quick")
async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.sms_smpp, "PATIENCE", 0.3)
    log = Logged()
    async with sms_centre() as centre:
        sender = sending(centre, log)
        centre.answers.extend([0x58] * 1000)
        await sender.send(SMS)
        await until(lambda: log.lines)
        await sender.close()
    assert log.lines == ["SMS not sent {'reason': 'the SMS centre answered ESME_RTHROTTLED'}"]
    assert centre.commands.count(SUBMIT) < 20, "the pauses grow"


@pytest.mark.usefixtures("quick")
async def test_a_centre_that_breaks_off_each_time_is_left_alone_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth.sms_smpp, "PATIENCE", 0.3)
    log = Logged()
    async with sms_centre() as centre:
        sender = sending(centre, log)
        centre.drop = 100_000
        await sender.send(SMS)
        await until(lambda: log.lines)
        await sender.close()
    assert 1 < len(centre.binds) < 20, "the pauses grow"


async def test_the_window_and_the_line_are_bounded() -> None:
    log = Logged()
    async with sms_centre() as centre:
        centre.hold = asyncio.Event()
        sender = sending(centre, log, query="window=4")
        for _ in range(WAITING + 5):
            await sender.send(SMS)
        await until(lambda: centre.most_waiting == 4)
        centre.hold.set()
        await until(lambda: len(centre.taken) == WAITING)
        await sender.close()
    assert centre.most_waiting == 4
    assert len(log.lines) == 5


async def test_who_stops_waits_only_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.sms_smpp, "GOODBYE", 0.1)
    log = Logged()
    async with sms_centre() as centre:
        sender = sending(centre, log)
        centre.hold = asyncio.Event()
        await sender.send(SMS)
        await until(lambda: centre.most_waiting)
        await sender.close()
    assert len(log.lines) == 1
    assert "the server stops" in log.lines[0]


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "another"])
@pytest.mark.usefixtures("quick")
async def test_an_sms_centre_over_tls(
    dns: DnsServer, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    monkeypatch.setattr(auth.sms_smpp, "PATIENCE", 20.0 if trusted else 0.3)
    log, authority = Logged(), trustme.CA()
    trusts = trusting(authority if trusted else trustme.CA())
    async with sms_centre(server_context(Kind.GOOD, authority, HOST)) as centre:
        smpp = parse_sms(f"smpps://us:secret@{HOST}:{centre.port}")
        assert isinstance(smpp, Smpp)
        resolver = Resolver([dns.endpoint])
        sender = SmppSender(smpp, resolver, trusts, log)  # type: ignore[arg-type]
        await sender.send(SMS)
        await until(lambda: centre.taken or any("SMS not" in line for line in log.lines))
        await sender.close()
    assert len(centre.taken) == (1 if trusted else 0)
    assert any("certificate not trusted" in line for line in log.lines) is not trusted
    assert trusted or centre.binds == [], "the password went to nobody"
