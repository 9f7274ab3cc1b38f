"""Bodies of requests on real connections: too slow, too long, of another type, no JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import web.json_body
from config.fields import parse_endpoint
from net.tls import TlsContexts
from tests.support.directories import make_settings
from web.app import create_app
from web.json_body import BadBody, read_fields
from web.problem import ProblemResponse
from web.registry import Registry, Service
from web.server import HttpServer

LIMIT = 1000
JSON = "application/json"


async def _answer(request: Request) -> Response:
    try:
        return JSONResponse({"name": (await read_fields(request, LIMIT)).text("name")})
    except BadBody as bad:
        return ProblemResponse(bad.status, str(bad), headers={"Connection": "close"})


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Of a listener with POST /x, whose bodies have half a second."""
    monkeypatch.setattr(web.json_body, "SECONDS", 0.5)
    tls = await asyncio.to_thread(TlsContexts.create, None, None, tmp_path, "mx.example.test")
    server = HttpServer([parse_endpoint("127.0.0.1:0")], [], tls)
    server.bind()
    settings = make_settings(tmp_path)
    registry = Registry()
    registry.register(Service("x", [Route("/x", _answer, methods=["POST"])]))
    await server.start(create_app(lambda: "ok", lambda: settings, None, registry))
    yield server.addresses["http"][0].port
    await server.stop()


@dataclass(frozen=True)
class Said:
    """`closed`: nothing comes behind the answer."""

    status: int
    body: dict[str, object]
    closed: bool = False


class Client:
    """One connection, octet by octet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def close(self) -> None:
        self.writer.close()

    def begin(self, *fields: str, kind: str = JSON) -> None:
        head = ["POST /x HTTP/1.1", "Host: mx.example.test", f"Content-Type: {kind}", *fields]
        self.writer.write("\r\n".join((*head, "", "")).encode())

    def post(self, body: bytes, kind: str = JSON) -> None:
        self.begin(f"Content-Length: {len(body)}", kind=kind)
        self.writer.write(body)

    async def read(self) -> Said:
        async with asyncio.timeout(30):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].split()[0])
            body = json.loads(await self.reader.readexactly(length))
            closed = "connection: close" in head and await self.reader.read() == b""
        return Said(int(head.split()[1]), body, closed)


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


async def test_a_body_that_does_not_come(port: int) -> None:
    with closing(await connect(port)) as client, closing(await connect(port)) as other:
        client.begin("Content-Length: 100")
        other.post(b'{"name":"a"}')
        assert await other.read() == Said(200, {"name": "a"}), "others are served meanwhile"
        said = await client.read()
        assert (said.status, said.closed) == (408, True)


async def test_a_body_that_comes_drop_by_drop(port: int) -> None:
    """Each octet is in time, the whole is not."""
    with closing(await connect(port)) as client:
        client.begin("Transfer-Encoding: chunked")
        reading = asyncio.create_task(client.read())
        while not reading.done():
            client.writer.write(b"1\r\n \r\n")
            await asyncio.wait([reading], timeout=0.05)
        said = await reading
        assert (said.status, said.closed) == (408, True)


@pytest.mark.parametrize("way", ["length", "chunks", "announced"])
async def test_a_body_that_is_too_long(port: int, way: str) -> None:
    with closing(await connect(port)) as client:
        match way:
            case "length":
                client.post(b"x" * (LIMIT + 1))
            case "chunks":
                client.begin("Transfer-Encoding: chunked")
                for _ in range(11):
                    client.writer.write(b"64\r\n" + b"x" * 100 + b"\r\n")
            case "announced":
                client.begin("Content-Length: 1000000000000")
                client.writer.write(b"x" * (LIMIT + 1))
        said = await client.read()
        assert said.status == 413
        assert "1000" in str(said.body["detail"])


async def test_a_body_as_long_as_may_be(port: int) -> None:
    body = json.dumps({"name": "x" * (LIMIT - 12)}).encode()
    assert len(body) == LIMIT
    with closing(await connect(port)) as client:
        client.post(body)
        assert (await client.read()).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "json"]
)
async def test_a_body_of_another_type(port: int, kind: str) -> None:
    with closing(await connect(port)) as client:
        client.post(b'{"name":"a"}', kind)
        said = await client.read()
        assert (said.status, said.closed) == (415, True)


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8"])
async def test_the_type_as_it_may_be_written(port: int, kind: str) -> None:
    with closing(await connect(port)) as client:
        client.post(b'{"name":"a"}', kind)
        assert (await client.read()).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b'["name"]',
        b'"name"',
        b'{"name":1}',
        b'{"name":""}',
        b'{"name":null}',
        b'{"name":["a"]}',
        b'{"Name":"a"}',
        b'{"name":"a"}{"name":"b"}',
        b'{"name":"\xff"}',
        b'{"name":"\\ud800"}',
        b"[" * LIMIT,
        b'{"name":NaN}',
        b"\xef\xbb\xbf" + b'{"name":"a"}',
        '{"name":"a"}'.encode("utf-16"),
        b"name=a",
    ],
    ids=[
        *("empty", "half", "null", "list", "text", "number", "blank", "none", "nested", "case"),
        *("two", "octets", "surrogate", "deep", "nan", "mark", "utf-16", "form"),
    ],
)
async def test_a_body_that_is_no_object_with_a_name(port: int, body: bytes) -> None:
    with closing(await connect(port)) as client:
        client.post(body)
        assert (await client.read()).status == 400


async def test_a_client_that_goes_in_the_middle(port: int) -> None:
    with closing(await connect(port)) as client:
        client.begin("Content-Length: 100")
        client.writer.write(b'{"na')
        client.writer.transport.abort()
    with closing(await connect(port)) as client:
        client.post(b'{"name":"a"}')
        assert (await client.read()).status == 200
