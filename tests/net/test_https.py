"""HTTPS requests to a scripted server: bounds, certificates, and answers that are none."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme

from net.dns import Resolver
from net.https import CertificateNotTrusted, HttpsClient, HttpsError
from net.threads import Offload
from tests.support.dns_server import DnsServer, dns_server
from tests.support.https_server import HttpsServer, https_server
from tests.support.tls_peers import Kind, server_context, trusting

HOST = "web.there.test"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload(processes=1)
    yield made
    made.close()


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.set(HOST, "A", "127.0.0.1")
        yield server


@pytest.fixture
async def web(authority: trustme.CA) -> AsyncIterator[HttpsServer]:
    async with https_server(server_context(Kind.GOOD, authority, HOST)) as server:
        server.serve(b"hello")
        yield server


@pytest.fixture
def client(
    dns: DnsServer, web: HttpsServer, offload: Offload, authority: trustme.CA
) -> HttpsClient:
    resolver = Resolver([dns.endpoint], lifetime=1.0)
    return HttpsClient(resolver, offload, trusting(authority), port=web.port)


async def fails(client: HttpsClient, host: str = HOST, *, seconds: float = 5.0) -> str:
    with pytest.raises(HttpsError) as caught:
        await client.get(host, "/x", limit=1000, seconds=seconds)
    text = str(caught.value)
    assert "\n" not in text
    return text


async def test_an_answer(client: HttpsClient, web: HttpsServer) -> None:
    web.serve(b"hello", media_type="Text/Plain; charset=utf-8", more="Content-Encoding: gzip\r\n")
    found = await client.get(HOST, "/x?y=z", limit=5, seconds=5)
    assert (found.status, found.media_type, found.body) == (200, "text/plain", b"hello")
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.host) == ("GET", "/x?y=z", HOST)
    assert "cookie" not in asked.fields


async def test_too_much(client: HttpsClient, web: HttpsServer) -> None:
    web.serve(b"x" * 1001)
    assert await fails(client) == f"{HOST}: more than 1000 octets"
    web.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000  # until the connection ends
    assert await fails(client) == f"{HOST}: more than 1000 octets"


@pytest.mark.parametrize("how", ["silent", "slow"])
async def test_too_late(client: HttpsClient, web: HttpsServer, how: str) -> None:
    web.stall, web.drip = how == "silent", 0.05
    assert await fails(client, seconds=0.3) == f"{HOST}: no answer within 0.3 s"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mx ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_no_http(client: HttpsClient, web: HttpsServer, answer: bytes) -> None:
    web.answer = answer
    assert "no usable answer" in await fails(client)


async def test_redirects_are_answers(client: HttpsClient, web: HttpsServer) -> None:
    web.serve(b"", status="301 Moved", more=f"Location: https://{HOST}:{web.port}/y\r\n")
    assert (await client.get(HOST, "/x", limit=10, seconds=5)).status == 301
    assert len(web.asked) == 1


async def test_next_address(client: HttpsClient, dns: DnsServer, web: HttpsServer) -> None:
    dns.set(HOST, "A", "127.0.0.99", "127.0.0.1")
    dns.set(HOST, "AAAA", "::1")
    assert (await client.get(HOST, "/", limit=10, seconds=5)).body == b"hello"


async def test_no_address(client: HttpsClient) -> None:
    assert "no such domain" in await fails(client, "nowhere.test")


@pytest.mark.parametrize("kind", [Kind.EXPIRED, Kind.WRONG_NAME, Kind.SELF_SIGNED])
async def test_certificates(
    dns: DnsServer, offload: Offload, authority: trustme.CA, kind: Kind
) -> None:
    async with https_server(server_context(kind, authority, HOST)) as server:
        resolver = Resolver([dns.endpoint], lifetime=1.0)
        client = HttpsClient(resolver, offload, trusting(authority), port=server.port)
        with pytest.raises(CertificateNotTrusted, match="certificate not trusted"):
            await client.get(HOST, "/", limit=10, seconds=5)
        assert server.asked == []


async def test_a_server_without_tls(dns: DnsServer, offload: Offload) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx ESMTP\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        resolver = Resolver([dns.endpoint], lifetime=1.0)
        client = HttpsClient(resolver, offload, trusting(trustme.CA()), port=port)
        assert "no usable answer" in await fails(client)


async def test_a_post_is_sent_once(
    client: HttpsClient, dns: DnsServer, web: HttpsServer, authority: trustme.CA
) -> None:
    dns.set(HOST, "A", "127.0.0.1", "127.0.0.2")
    web.answer = b""  # both hang up on what they have read
    context = server_context(Kind.GOOD, authority, HOST)
    async with https_server(context, "127.0.0.2", web.port) as second:
        with pytest.raises(HttpsError):
            await client.post(HOST, None, "/", b"x", {}, limit=10, seconds=5)
        assert len(web.asked) + len(second.asked) == 1


async def test_a_literal_of_ipv6_is_named_in_brackets(client: HttpsClient) -> None:
    async with https_server(None, "::1") as server:
        server.serve(b"hello")
        found = await client.get("::1", "/", limit=9, seconds=5, port=server.port, plain=True)
        assert (found.status, found.body) == (200, b"hello")
        (asked,) = server.asked
        assert asked.host == f"[::1]:{server.port}"
