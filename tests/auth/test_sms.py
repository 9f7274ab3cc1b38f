"""What `auth.sms` may be, and texts that a webhook gets, over HTTPS and HTTP on this machine."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
import trustme

from auth.sms import Sms
from auth.sms_webhook import WebhookSender
from config.logging import get_logger
from config.sms import Webhook, parse_sms
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from tests.support.dns_server import DnsServer, dns_server
from tests.support.https_server import HttpsServer, https_server
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
    ],
)
def test_values_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="outbox"):
        parse_sms(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("outbox", None),
        ("webhook:https://a.test", Webhook(True, "a.test", None, "/")),
        ("webhook:https://u:p%40@a.test:8/x?k=v", Webhook(True, "a.test", 8, "/x?k=v", "u", "p@")),
        ("webhook:http://127.0.0.1:8080/x", Webhook(False, "127.0.0.1", 8080, "/x")),
        ("webhook:http://[::1]/", Webhook(False, "::1", 80, "/")),
    ],
    ids=["outbox", "plain", "all", "own", "own6"],
)
def test_values(text: str, expected: Webhook | None) -> None:
    assert parse_sms(text) == expected
    assert "p@" not in repr(parse_sms(text))


async def test_a_webhook_gets_the_text(dns: DnsServer) -> None:
    authority, offload = trustme.CA(), Offload(processes=1)
    context = server_context(Kind.GOOD, authority, HOST)
    async with https_server(context) as web:
        https = HttpsClient(Resolver([dns.endpoint]), offload, trusting(authority))
        hook = parse_sms(f"webhook:https://us:secret@{HOST}:{web.port}/send?to=phone")
        assert hook is not None
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
        assert hook is not None
        https = HttpsClient(Resolver([dns.endpoint]), offload, trusting(trustme.CA()))
        sender = WebhookSender(hook, https, get_logger("test"))
        await sender.send(SMS)
        head, body = await got
        await sender.close()
    offload.close()
    assert head.startswith(b"POST /in HTTP/1.1\r\n")
    assert json.loads(body)["code"] == SMS.code
