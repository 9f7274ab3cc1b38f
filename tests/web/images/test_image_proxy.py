"""The image proxy: signed addresses, what is fetched, and what never is."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread
from tests.support.http_api import Answer, ask
from tests.support.https_server import Asked, HttpsServer, https_server
from tests.support.rest import ADA, Rest
from tests.support.server import PASSWORD, ServerProcess, configuration

HOST = "pictures.there.test"


def png(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + head + struct.pack(">I", zlib.crc32(head))


PNG = png(640, 480)


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with dns_in_thread() as running:
        running.set(HOST, "A", "127.0.0.1")
        running.set("inside.there.test", "A", "127.0.0.2")
        running.set("mapped.there.test", "AAAA", "::ffff:127.0.0.2")
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dns: DnsServer) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("images")
    extra = f'[dns]\nnameservers = ["{dns.endpoint}"]\n[images]\nnetworks = ["127.0.0.1/32"]\n'
    with ServerProcess(folder, configuration(extra=extra)) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        yield running


@pytest.fixture
async def web() -> AsyncIterator[HttpsServer]:
    async with https_server(None) as running:
        running.serve(PNG, media_type="text/html", more="Set-Cookie: a=b\r\n")
        yield running


@pytest.fixture
async def inside(web: HttpsServer) -> AsyncIterator[list[Asked]]:
    """What is asked at addresses that are not to be asked, on the port of `web`."""
    async with (
        https_server(None, "127.0.0.2", web.port) as four,
        https_server(None, "::1", web.port) as six,
    ):
        six.asked = four.asked
        for one in (four, six):
            one.serve(PNG)
        yield four.asked


async def _path(server: ServerProcess, url: str) -> str:
    rest = await asyncio.to_thread(Rest, server, ADA)
    answer = await asyncio.to_thread(rest.ask, "POST", "/images", {"urls": [url]})
    assert answer.status == 200, answer.body
    (path,) = answer.body["paths"]
    assert isinstance(path, str)
    return path


async def _ask(
    server: ServerProcess,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    return await asyncio.to_thread(ask, server, method, path, body, headers)


async def test_an_image_is_fetched_once_and_told_as_what_it_is(
    server: ServerProcess, web: HttpsServer
) -> None:
    url = f"http://{HOST}:{web.port}/a.png?user=1"
    path = await _path(server, url)
    found = await _ask(server, "GET", path)
    assert (found.status, found.kind) == (200, "image/png"), "by its octets, not by what it says"
    assert found.fields["x-content-type-options"] == "nosniff"
    assert "sandbox" in found.fields["content-security-policy"]
    assert "set-cookie" not in found.fields
    assert (await _ask(server, "GET", path)).status == 200
    (asked,) = web.asked
    assert (asked.path, asked.host) == ("/a.png?user=1", f"{HOST}:{web.port}")
    assert not asked.fields.keys() & {"cookie", "referer", "x-forwarded-for", "authorization"}
    again = await _ask(server, "GET", path, headers={"If-None-Match": found.fields["etag"]})
    assert again.status == 304


async def test_addresses_that_nobody_gave_lead_nowhere(
    server: ServerProcess, web: HttpsServer
) -> None:
    path = await _path(server, f"http://{HOST}:{web.port}/signed.png")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    for change in (
        {"u": f"http://{HOST}:{web.port}/other.png"},
        {"e": str(int(asked["e"]) + 1)},
        {"e": "1"},
        {"s": asked["s"][:-1]},
        {"s": ""},
        {"s": "\u00e9"},
    ):
        wrong = await _ask(server, "GET", f"/imgproxy?{urlencode({**asked, **change})}")
        assert wrong.status == 404, change
    assert (await _ask(server, "GET", "/imgproxy")).status == 404
    assert not web.asked
    refused = await _ask(server, "POST", "/api/v1/images", {"urls": ["http://x.test/a"]})
    assert refused.status == 401


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:{port}/",
        "http://inside.there.test:{port}/",
        "http://mapped.there.test:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.2]:{port}/",
        "http://2130706434:{port}/",
        "http://user@127.0.0.2:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "https://localhost:{port}/",
        "http://nobody.there.test:{port}/",
    ],
    ids=["literal", "name", "mapped", "six", "mapped6", "number", "user", "cloud", "local", "none"],
)
async def test_what_is_inside_is_not_asked(
    server: ServerProcess, web: HttpsServer, inside: list[Asked], url: str
) -> None:
    answer = await _ask(server, "GET", await _path(server, url.format(port=web.port)))
    assert (answer.status, answer.kind) == (502, "application/problem+json")
    assert not web.asked and not inside


async def test_redirects_are_followed_to_the_outside_alone(
    server: ServerProcess, web: HttpsServer, inside: list[Asked]
) -> None:
    away = f"http://127.0.0.2:{web.port}/inside.png"
    web.serve(b"", status="302 Found", more=f"Location: {away}\r\n")
    path = await _path(server, f"http://{HOST}:{web.port}/moved")
    assert (await _ask(server, "GET", path)).status == 502 and not inside
    web.serve(b"", status="302 Found", more="Location: /moved\r\n")
    path = await _path(server, f"http://{HOST}:{web.port}/round")
    assert (await _ask(server, "GET", path)).status == 502
    assert len(web.asked) == 5, "one, and four of the round"
    web.serve(b"", status="302 Found", more="Location: file:///etc/passwd\r\n")
    path = await _path(server, f"http://{HOST}:{web.port}/file")
    assert (await _ask(server, "GET", path)).status == 502
    web.serve(b"", status="302 Found", more="Location: http://[\r\n")
    path = await _path(server, f"http://{HOST}:{web.port}/nowhere")
    assert (await _ask(server, "GET", path)).status == 502


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "200 OK"),
        (b"<html>", "200 OK"),
        (png(60_000, 60_000), "200 OK"),
        (PNG + b"\0" * (5 * 1024 * 1024), "200 OK"),
        (PNG, "404 Not Found"),
        (b"", "200 OK"),
    ],
    ids=["svg", "html", "bomb", "large", "absent", "empty"],
)
async def test_what_is_no_image_is_not_given_on(
    server: ServerProcess, web: HttpsServer, body: bytes, status: str
) -> None:
    web.serve(body, status=status, media_type="image/png")
    path = await _path(server, f"http://{HOST}:{web.port}/x{len(body)}{status[:3]}")
    answer = await _ask(server, "GET", path)
    assert answer.status == 502 and b"svg" not in repr(answer).encode()
    web.serve(PNG)
    assert (await _ask(server, "GET", path)).status == 502, "remembered for a minute"
    assert len(web.asked) == 1


async def test_who_does_not_answer_is_given_up(server: ServerProcess, web: HttpsServer) -> None:
    web.stall = True
    path = await _path(server, f"http://{HOST}:{web.port}/slow.png")
    answer = await _ask(server, "GET", path)
    assert (answer.status, answer.body["detail"]) == (502, "no answer within 5 s")
