"""/healthz on http and https, the redirect of plain HTTP, and what a supervisor is told."""

import http.client
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

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
        sts = response.headers["Strict-Transport-Security"]
        assert sts == (f"max-age={365 * 86400}" if connection is secure else None)
        connection.close()


def test_other_plain_paths_go_to_https(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    response = get(connection, "/mail/?a=b")
    assert response.status == 308
    port = server.port("https")
    assert response.headers["Location"] == f"https://127.0.0.1:{port}/mail/?a=b"
    connection.close()


def health(server: ServerProcess) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    response = get(connection, "/healthz")
    found = response.status, response.read()
    connection.close()
    return found


def test_a_supervisor_is_told_and_health_ends_with_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(10)
        server = ServerProcess(tmp_path, configuration(), {"NOTIFY_SOCKET": str(path)})
        with server, socket.create_connection(("127.0.0.1", server.port("smtp"))) as sender:
            assert supervisor.recv(100) == b"READY=1"
            server.add_account("a@example.test")
            server.command("reload")
            assert supervisor.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert supervisor.recv(100) == b"READY=1"
            assert health(server)[0] == 200
            # a message on its way is waited for
            for line in ("EHLO x", "MAIL FROM:<>", "RCPT TO:<a@example.test>", "DATA"):
                sender.sendall(f"{line}\r\n".encode())
            replies = b""
            while b"354" not in replies:
                replies += sender.recv(1000)
            server.signal(signal.SIGTERM)
            assert supervisor.recv(100) == b"STOPPING=1"
            assert health(server) == (503, b'{"status":"stopping"}')
            sender.sendall(b"Subject: last\r\n\r\n.\r\n")
            assert sender.recv(1000).startswith(b"250 2.0.0")
            assert server.wait() == 0
