"""A real HAProxy in front of the listeners, with both versions of the PROXY header and its own
health checks: the server sees who connects to the proxy.
"""

import http.client
import imaplib
import re
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.programs import SYSTEM_PATH, need
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration, until

ADA, CLIENT = "ada@example.test", "127.0.0.2"
NAMES = ("smtp", "submissions", "imap", "imaps", "http", "https")
VERSIONS = {"v1": "send-proxy check", "v2": "send-proxy-v2 check check-send-proxy"}
DEFAULTS = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    default-server inter 100ms fall 1 rise 1
"""


@dataclass(frozen=True, slots=True)
class Balanced:
    """The server, and the proxy's ports by version and listener."""

    server: ServerProcess
    ports: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    need("haproxy")
    folder = tmp_path_factory.mktemp("haproxy")
    environment = {"MAILSERVER_LISTEN_PROXY_PROTOCOL_FROM": "127.0.0.1/32"}
    with ServerProcess(folder / "server", configuration(), environment) as server:
        server.add_account(ADA)
        ports = {(version, name): free_port() for version in VERSIONS for name in NAMES}
        with haproxy(folder, server, ports):
            yield Balanced(server, ports)
        assert not server.events("proxy refused")


@contextmanager
def haproxy(
    folder: Path, server: ServerProcess, ports: dict[tuple[str, str], int]
) -> Iterator[None]:
    """Its own checks must find every listener alive until the end."""
    parts = [DEFAULTS]
    for (version, name), port in ports.items():
        back = f"server back 127.0.0.1:{server.port(name)} {VERSIONS[version]}"
        parts.append(f"listen {name}-{version}\n    bind 127.0.0.1:{port}\n    {back}\n")
    file, log = folder / "haproxy.cfg", folder / "haproxy.log"
    file.write_text("\n".join(parts))
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["haproxy", "-f", str(file), "-db"], stdout=out, stderr=out, env={"PATH": SYSTEM_PATH}
        )
    try:
        until(lambda: all(map(_accepts, ports.values())))
        yield
    finally:
        process.terminate()
        process.wait(10)
    said = log.read_text()
    assert "is DOWN" not in said and "ALERT" not in said, said


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize("version", VERSIONS)
def test_mail_and_login_come_from_the_client(balanced: Balanced, version: str) -> None:
    text = f"Subject: by {version}\r\nMessage-ID: <{version}@x.test>\r\n\r\ntext\r\n"
    port = balanced.ports[version, "smtp"]
    with smtplib.SMTP("127.0.0.1", port, timeout=20, source_address=(CLIENT, 0)) as client:
        client.starttls(context=trusting())
        client.sendmail("a@b.test", [ADA], text)
    with imaplib.IMAP4("127.0.0.1", balanced.ports[version, "imap"], timeout=20) as reader:
        reader.login(ADA, PASSWORD)
        reader.select()
        found = reader.fetch("1:*", "(BODY.PEEK[])")[1]
    bodies = [part[1] for part in found if isinstance(part, tuple)]
    (mine,) = [body for body in bodies if f"by {version}".encode() in body]
    assert re.search(rb"Received: from \S+ \([^)]*\[127\.0\.0\.2\]\)", mine)


@pytest.mark.parametrize("version", VERSIONS)
def test_implicit_tls_behind_the_header(balanced: Balanced, version: str) -> None:
    port = balanced.ports[version, "submissions"]
    with smtplib.SMTP_SSL(
        "127.0.0.1", port, timeout=20, source_address=(CLIENT, 0), context=trusting()
    ) as client:
        client.login(ADA, PASSWORD)
    until(lambda: CLIENT in {entry["peer"] for entry in balanced.server.events("logged in")})
    port = balanced.ports[version, "imaps"]
    with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=trusting(), timeout=20) as reader:
        reader.login(ADA, PASSWORD)


@pytest.mark.parametrize("version", VERSIONS)
def test_http_behind_the_header(balanced: Balanced, version: str) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", balanced.ports[version, "http"], timeout=20)
    port = balanced.ports[version, "https"]
    secure = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting())
    for client in (plain, secure):
        client.request("GET", "/healthz")
        assert client.getresponse().status == 200
        client.close()
