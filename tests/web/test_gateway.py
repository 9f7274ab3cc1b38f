"""The gateway's table: what is registered is served, by path and method; else a problem."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from config.fields import parse_endpoint
from config.logging import REQUEST
from net.link import TooLate, Unavailable
from net.tls import TlsContexts
from tests.support.directories import make_settings
from web.app import create_app
from web.registry import Registry, Service, Taken
from web.server import HttpServer

PROBLEM = "application/problem+json"


def saying(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(text + "".join(request.path_params.values()))

    return answer


def failing(error: Exception) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        raise error

    return answer


@asynccontextmanager
async def served(registry: Registry, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the http listener."""
    settings = make_settings(tmp_path)
    tls = await asyncio.to_thread(TlsContexts.create, None, None, tmp_path, "mx.example.test")
    server = HttpServer([parse_endpoint("127.0.0.1:0")], [], tls)
    server.bind()
    await server.start(create_app(lambda: "ok", lambda: settings, None, registry))
    try:
        async with aiohttp.ClientSession(f"http://{server.addresses['http'][0]}") as client:
            yield client
    finally:
        await server.stop()


async def asked(client: aiohttp.ClientSession, method: str, path: str) -> tuple[int, str, str]:
    """Status, media type, and the body or Allow and Retry-After."""
    async with client.request(method, path) as answer:
        text = await answer.text()
        more = answer.headers.get("Allow", "") + answer.headers.get("Retry-After", "")
        return answer.status, answer.content_type, more if answer.status >= 400 else text


async def test_requests_go_where_the_registry_says(tmp_path: Path) -> None:
    registry = Registry()
    registry.register(Service("a", [Route("/x", saying("get")), Route("/y/{n}", saying("y"))]))
    registry.register(Service("b", [Route("/x", saying("post"), methods=["POST"])]))
    async with served(registry, tmp_path) as client:
        assert (await asked(client, "GET", "/x"))[2] == "get"
        assert (await asked(client, "HEAD", "/x"))[0] == 200
        assert (await asked(client, "POST", "/x"))[2] == "post"
        assert (await asked(client, "GET", "/y/7"))[2] == "y7"
        assert await asked(client, "PUT", "/x") == (405, PROBLEM, "GET, HEAD, POST")
        assert (await asked(client, "POST", "/y/7"))[:2] == (405, PROBLEM)
        for path in ("/", "/x/", "/X", "/y/", "/x%00"):
            assert (await asked(client, "GET", path))[:2] == (404, PROBLEM)
        registry.withdraw("b")
        assert (await asked(client, "POST", "/x"))[0] == 405
        registry.register(Service("c", [Route("/z", saying("later"))]))
        assert (await asked(client, "GET", "/z"))[2] == "later"


async def test_a_service_that_is_away_is_503_and_one_that_is_late_504(tmp_path: Path) -> None:
    registry = Registry()
    registry.register(Service("a", [Route("/a", failing(Unavailable("a", 2.5)))]))
    registry.register(Service("b", [Route("/b", failing(TooLate("b")))]))
    async with served(registry, tmp_path) as client:
        assert await asked(client, "GET", "/a") == (503, PROBLEM, "3")
        assert await asked(client, "GET", "/b") == (504, PROBLEM, "5")


def test_a_route_belongs_to_one_service() -> None:
    registry = Registry()
    registry.register(Service("a", [Route("/x", saying("a"))]))
    with pytest.raises(Taken, match="GET /x is served by a"):
        registry.register(Service("b", [Route("/x", saying("b"))]))
    with pytest.raises(Taken):
        registry.register(Service("a"))
    assert [one.name for one in registry.services()] == ["a"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(["a.request_of-mine~1"], True, id="good"),
        pytest.param([], False, id="absent"),
        pytest.param(["short"], False, id="short"),
        pytest.param(["x" * 65], False, id="long"),
        pytest.param(["a request; of mine"], False, id="signs"),
        pytest.param(["a.request_of-mine~1", "a.request_of-mine~2"], False, id="two"),
    ],
)
async def test_every_answer_names_its_request(tmp_path: Path, given: list[str], kept: bool) -> None:
    registry = Registry()
    registry.register(Service("a", [Route("/x", saying("x"))]))
    headers = CIMultiDict(("X-Request-Id", one) for one in given)
    async with served(registry, tmp_path) as client:
        for path in ("/x", "/healthz", "/nowhere"):
            async with client.get(path, headers=headers) as answer:
                (found,) = answer.headers.getall("X-Request-Id")
                assert (found in given) is kept
                assert re.fullmatch(r"[A-Za-z0-9._~-]{8,64}", found)


async def test_a_browser_runs_nothing_that_is_no_page(tmp_path: Path) -> None:
    async def own(_request: Request) -> Response:
        return PlainTextResponse("x", headers={"Content-Security-Policy": "default-src 'self'"})

    registry = Registry()
    registry.register(Service("a", [Route("/x", saying("x")), Route("/own", own)]))
    async with served(registry, tmp_path) as client:
        async with client.get("/x") as answer:
            policy = answer.headers["Content-Security-Policy"].split("; ")
            assert {"default-src 'none'", "frame-ancestors 'none'", "sandbox"} <= set(policy)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Strict-Transport-Security" not in answer.headers
        async with client.get("/own") as answer:
            assert answer.headers.getall("Content-Security-Policy") == ["default-src 'self'"]


def _naming(_logger: object, _method: str, event: Any) -> Any:
    return {**event, "request": REQUEST.get()}


async def test_a_failure_is_a_problem_that_says_nothing(tmp_path: Path) -> None:
    registry = Registry()
    registry.register(Service("a", [Route("/a", failing(ValueError("a private cause")))]))
    with capture_logs(processors=[_naming]) as lines:
        async with served(registry, tmp_path) as client, client.get("/a") as answer:
            assert (answer.status, answer.content_type) == (500, PROBLEM)
            assert "private" not in await answer.text()
            number = answer.headers["X-Request-Id"]
    (line,) = [one for one in lines if one["log_level"] == "error"]
    assert (line["event"], line["path"], line["request"]) == ("request failed", "/a", number)
