"""Every listener behind a load balancer: who connects is whom the PROXY header names."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from auth.admission import Admission
from config.clock import SystemClock
from net import accepting
from net.proxy_protocol import SIGNATURE
from net.threads import Offload
from net.tls import TlsContexts
from storage.directory import Directory
from tests.support.directories import make_settings
from tests.support.imap_server import PASSWORD, USER, serving
from tests.support.smtp_receiving import LOCAL, Receiving, receiving
from web.server import HttpServer

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n"
BLOCK = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + bytes(4)
V2 = SIGNATURE + b"\x21\x11\x00\x13" + BLOCK + b"\x01\x00\x04imap"
LOCAL_V2 = SIGNATURE + b"\x20\x00\x00\x00"
# nobody who waits for the greeting: strangers have to
EAGER = {"local_networks": ["192.0.2.0/24"]}
BEHIND = {"proxy_protocol_from": ["127.0.0.0/8"]}
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int, first: bytes, *, tls: bool = False) -> AsyncIterator[Pair]:
    """A connection through the proxy: the header in the clear, then TLS if asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(first)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await writer.drain()
            await writer.start_tls(context)
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def said(reader: asyncio.StreamReader) -> bytes:
    """The next line; b"" at the end."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.readline(), 10)
    return b""


@asynccontextmanager
async def smtp(folder: Path, **settings: Any) -> AsyncIterator[Receiving]:
    listen = {**LOCAL["listen"], **BEHIND}
    async with receiving(folder, **{"listen": listen, **settings}) as running:
        yield running


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_the_trace_names_the_client(tmp_path: Path, header: bytes) -> None:
    async with (
        smtp(tmp_path, filters=EAGER) as running,
        connected(running.at().port, header) as (reader, writer),
    ):
        writer.write(
            b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ada@example.test>\r\n"
            b"DATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n"
        )
        await asyncio.wait_for(reader.read(), 10)
        assert b"Received: from client.test ([192.0.2.7])" in running.body


@pytest.mark.parametrize("listener", ["smtp", "submission", "submissions", "lmtp"])
async def test_each_smtp_listener_counts_the_client(tmp_path: Path, listener: str) -> None:
    limits = {"connections_per_address": 1}
    async with smtp(tmp_path, limits=limits) as running:
        port, tls = running.at(listener).port, listener == "submissions"
        other = V1.replace(b"192.0.2.7", b"192.0.2.8")
        async with connected(port, V1, tls=tls) as (reader, _):
            assert (await said(reader)).startswith(b"220 ")
            async with connected(port, V2) as (again, _):
                answer = await said(again)
                assert answer.startswith(b"421 4.7.0 Too many") or (tls and answer == b"")
            async with connected(port, other, tls=tls) as (third, _):
                assert (await said(third)).startswith(b"220 ")


async def test_who_brings_no_header_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "HEADER_SECONDS", 1.5)
    async with smtp(tmp_path) as running:
        port = running.at().port

        async def refused(first: bytes) -> bool:
            async with connected(port, first) as (reader, _):
                return await said(reader) == b""

        wrong = (b"EHLO client.test\r\n", b"PROXY TCP4 x\r\n", b"", V1[:20], SIGNATURE)
        assert all(await asyncio.gather(*map(refused, wrong)))
        assert running.server.connections == 0
        # the limit of time is for the header alone
        async with connected(port, V1) as (reader, _):
            assert (await said(reader)).startswith(b"220 ")
    assert capsys.readouterr().out.count("proxy refused") == 5


async def test_a_header_in_single_octets_and_nothing_behind_it_is_lost(tmp_path: Path) -> None:
    async with smtp(tmp_path, filters=EAGER) as running:
        for header in (V1, V2):
            async with connected(running.at().port, b"") as (reader, writer):
                for octet in header + b"NOOP\r\n":
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0)
                assert (await said(reader)).startswith(b"220 ")
                assert (await said(reader)).startswith(b"250 ")


async def test_a_proxy_speaks_for_itself(tmp_path: Path) -> None:
    async with smtp(tmp_path) as running:
        for header in (LOCAL_V2, b"PROXY UNKNOWN\r\n"):
            async with connected(running.at().port, header) as (reader, writer):
                assert (await said(reader)).startswith(b"220 ")
                writer.write(b"QUIT\r\n")
                assert (await said(reader)).startswith(b"221 ")


async def test_strangers_headers_are_never_believed(tmp_path: Path) -> None:
    listen = {**LOCAL["listen"], "proxy_protocol_from": ["192.0.2.0/24"]}
    async with (
        receiving(tmp_path, listen=listen) as running,
        connected(running.at().port, V1 + b"NOOP\r\n") as (reader, _),
    ):
        answers = [await said(reader) for _ in range(3)]
        assert [line[:3] for line in answers] == [b"220", b"500", b"250"]


async def test_a_second_header_is_a_command(tmp_path: Path) -> None:
    async with (
        smtp(tmp_path, filters=EAGER) as running,
        connected(running.at().port, V1 + V1) as (reader, _),
    ):
        assert (await said(reader)).startswith(b"220 ")
        assert (await said(reader)).startswith(b"500 ")


@pytest.mark.parametrize("tls", [False, True])
async def test_imap_knows_the_client(tmp_path: Path, tls: bool) -> None:
    listen = {"imap": ["127.0.0.1:0"], "imaps": ["127.0.0.1:0"], **BEHIND}
    more = {"listen": listen, "limits": {"connections_per_address": 1}}
    async with serving(tmp_path, more=more) as imap:
        port = imap.tls_port if tls else imap.port
        async with connected(port, V2, tls=tls) as (reader, writer):
            assert (await said(reader)).startswith(b"* OK ")
            async with connected(port, V1, tls=tls) as (again, _):
                assert b"Too many connections" in await said(again)
            async with connected(port, b"a NOOP\r\n") as (bare, _):
                assert await said(bare) == b""
            writer.write(f'a LOGIN {USER} "{PASSWORD}"\r\n'.encode())
            # plaintext_from holds loopback: without TLS it does not hold the client behind it
            assert (await said(reader)).startswith(b"a OK" if tls else b"a NO [PRIVACYREQUIRED]")


async def _who(scope: Scope, receive: Receive, send: Send) -> None:
    client = Request(scope).client
    text = f"{client.host} {scope['scheme']}" if client else "nobody"
    await PlainTextResponse(text)(scope, receive, send)


@pytest.mark.parametrize("tls", [False, True])
async def test_http_knows_the_client(tmp_path: Path, tls: bool) -> None:
    settings = make_settings(tmp_path, listen={"http": ["127.0.0.1:0"], **BEHIND})
    settings.data_dir.mkdir()
    offload, clock = Offload(), SystemClock()
    directory = await Directory.open(settings, clock, offload)
    create: Callable[..., TlsContexts] = TlsContexts.create
    contexts = await offload.disk(create, None, None, settings.data_dir, "localhost")
    ends = settings.listen.http
    server = HttpServer(
        [] if tls else ends,
        ends if tls else [],
        contexts,
        Admission(settings, clock, directory.blocks),
        settings.listen.proxy_protocol_from,
    )
    try:
        server.bind()
        await server.start(_who)
        port = server.addresses["https" if tls else "http"][0].port
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        async with connected(port, V1, tls=tls) as (reader, writer):
            writer.write(request)
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.endswith(b"192.0.2.7 https" if tls else b"192.0.2.7 http")
        async with connected(port, request) as (reader, _):
            assert await said(reader) == b""
    finally:
        await server.stop()
        await directory.close()
        offload.close()
