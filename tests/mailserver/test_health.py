"""/healthz on http and https, and the redirect of plain HTTP."""

import http.client
import json
import ssl
from collections.abc import Iterator

import pytest

from tests.support.server import ServerProcess, configuration


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = configuration().replace('plaintext_from = ["127.0.0.0/8", "::1/128"]\n', "")
    with ServerProcess(tmp_path_factory.mktemp("http"), config) as running:
        yield running


def get(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path)
    return connection.getresponse()


def test_healthz_answers_over_both(server: ServerProcess) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    context = ssl.create_default_context(cafile=str(server.data / "selfsigned.pem"))
    secure = http.client.HTTPSConnection(
        "127.0.0.1", server.port("https"), timeout=10, context=context
    )
    for connection in (plain, secure):
        response = get(connection, "/healthz")
        assert response.status == 200
        assert json.loads(response.read()) == {"status": "ok"}
        connection.close()


def test_other_plain_paths_go_to_https(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    response = get(connection, "/mail/?a=b")
    assert response.status == 308
    port = server.port("https")
    assert response.headers["Location"] == f"https://127.0.0.1:{port}/mail/?a=b"
    connection.close()
