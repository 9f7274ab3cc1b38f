"""Connections that are handed on: nothing of their requests stays, nor of them afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.fields import parse_endpoint
from net.tls import TlsContexts
from tests.support.directories import make_settings
from tests.support.freed import eventually, uncollected
from web.app import create_app
from web.held import Release, hand_on
from web.registry import Registry, Service
from web.server import HttpServer

GET = b"GET /stream HTTP/1.1\r\nHost: mx.example.test\r\n\r\n"


class Taken(asyncio.Protocol):
    """Who has a connection from here on."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.release: Release = lambda: None

    def taken(self, transport: asyncio.Transport, release: Release) -> None:
        self.transport, self.release = transport, release
        transport.write(b"5\r\ntaken\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self.release()
        self.transport = None
        self.release = lambda: None


class _Stream(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        assert hand_on(scope, Taken())


async def _stream(_request: Request) -> Response:
    return _Stream()


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    settings = make_settings(tmp_path)
    tls = await asyncio.to_thread(TlsContexts.create, None, None, tmp_path, "mx.example.test")
    server = HttpServer([parse_endpoint("127.0.0.1:0")], [], tls)
    server.bind()
    registry = Registry()
    registry.register(Service("x", [Route("/stream", _stream)]))
    await server.start(create_app(lambda: "ok", lambda: settings, None, registry))
    yield server.addresses["http"][0].port
    await server.stop()


async def _opened(port: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    await reader.readuntil(b"taken")
    return writer


async def test_a_stream_keeps_nothing_of_its_request_and_is_freed(port: int) -> None:
    with uncollected(HttpToolsProtocol) as protocols, uncollected(Taken) as streams:
        writers = [await _opened(port) for _ in range(20)]
        assert streams() == 20
        await eventually(lambda: protocols() == 0)
        for writer in writers:
            writer.close()
        await eventually(lambda: streams() == 0)
