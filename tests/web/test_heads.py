"""Heads of requests on real connections: too long, too slow, and what stands beside a body."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import web.heads
from config.fields import parse_endpoint
from net.tls import TlsContexts
from tests.support.directories import make_settings
from web.app import create_app
from web.registry import Registry, Service
from web.server import HttpServer

FLOOD = 64 * 1024 * 1024
"""Octets that nobody takes; more than the sockets between hold."""
GET = b"GET /x HTTP/1.1\r\nHost: mx.example.test\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: mx.example.test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def _answer(request: Request) -> Response:
    return Response(str(len(await request.body())))


@pytest.fixture
async def ended() -> asyncio.Event:
    """Set when an answer of /flood is over."""
    return asyncio.Event()


@pytest.fixture
async def port(tmp_path: Path, ended: asyncio.Event) -> AsyncIterator[int]:
    """Of a listener with GET and POST /x, which answer how long the body was, and GET /flood."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            for _ in range(FLOOD // 65536):
                yield b"a" * 65536
        finally:
            ended.set()

    async def _flood(_request: Request) -> Response:
        return StreamingResponse(pieces())

    settings = make_settings(tmp_path)
    tls = await asyncio.to_thread(TlsContexts.create, None, None, tmp_path, "mx.example.test")
    server = HttpServer([parse_endpoint("127.0.0.1:0")], [], tls)
    server.bind()
    registry = Registry()
    routes = [Route("/x", _answer, methods=["GET", "POST"]), Route("/flood", _flood)]
    registry.register(Service("x", routes))
    await server.start(create_app(lambda: "ok", lambda: settings, None, registry))
    yield server.addresses["http"][0].port
    await server.stop()


async def flood(writer: asyncio.StreamWriter, begin: bytes, again: bytes) -> bool:
    """Whether the server took all of it."""
    try:
        writer.write(begin)
        for _ in range(FLOOD // len(again)):
            writer.write(again)
            await writer.drain()
    except ConnectionError:
        return False
    return True


async def status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(30):
        line = await reader.readline()
    return int(line.split()[1])


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        pytest.param(GET, b"X-Y: " + b"a" * 8000 + b"\r\n", id="many-fields"),
        pytest.param(GET + b"X-Y: ", b"a" * 8192, id="long-field"),
        pytest.param(b"GET /", b"a" * 8192, id="long-target"),
        pytest.param(POST + b"0\r\n", b"X-Y: " + b"a" * 8000 + b"\r\n", id="many-trailers"),
        pytest.param(POST + b"1;x=", b"a" * 8192, id="chunk-extension"),
    ],
)
async def test_a_head_without_end_is_not_taken(port: int, begin: bytes, again: bytes) -> None:
    async with asyncio.timeout(50):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            assert not await flood(writer, begin, again)


async def test_who_sends_too_long_a_head_is_told(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(GET + b"X-Y: " + b"a" * web.heads.MAX_HEAD)
        assert await status(reader) == 431


async def test_heads_and_bodies_within_the_bounds(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        for _ in range(3):
            writer.write(GET + b"X-Y: " + b"a" * 60_000 + b"\r\n\r\n")
            assert await status(reader) == 200
            await reader.readuntil(b"\r\n\r\n0")
        chunk = b"400\r\n" + b"a" * 1024 + b"\r\n"
        writer.write(POST)
        for _ in range(20_000):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert await status(reader) == 200
        async with asyncio.timeout(30):
            await reader.readuntil(b"\r\n\r\n%d" % (20_000 * 1024))


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        pytest.param(GET, b"HTTP/1.1 408 ", id="head"),
        pytest.param(b"", b"", id="nothing"),
    ],
)
async def test_a_head_has_its_time(
    port: int, monkeypatch: pytest.MonkeyPatch, begin: bytes, said: bytes
) -> None:
    monkeypatch.setattr(web.heads, "SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(begin)
        async with asyncio.timeout(30):
            assert (await reader.read())[:13] == said


async def test_who_takes_nothing_is_cut_off(
    port: int, ended: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.heads, "STUCK", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    with closing(writer):
        writer.write(b"GET /flood HTTP/1.1\r\nHost: mx.example.test\r\n\r\n")
        assert await status(reader) == 200
        async with asyncio.timeout(30):
            await ended.wait()
            got = 0
            with suppress(ConnectionError):
                while piece := await reader.read(1024 * 1024):
                    got += len(piece)
    assert got < FLOOD


async def test_who_takes_an_answer_slowly_gets_all_of_it(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.heads, "STUCK", 5.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(b"GET /flood HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = 0
        async with asyncio.timeout(60):
            while piece := await reader.read(4 * 1024 * 1024):
                got += len(piece)
    assert got > FLOOD
