"""HAProxy that has HTTP over TLS, or without, and brings it on without: secrets come only with what
was over TLS to the proxy, or from auth.plaintext_from, and never by a proxy's own address.
"""

import http.client
import json
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
import trustme

from tests.support.programs import SYSTEM_PATH, need
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration, until

ADA = "ada@example.test"
PROXY, STRANGER, OFFICE, ELSEWHERE = "127.0.0.1", "127.0.0.4", "127.0.4.1", "127.0.4.2"
CONFIG = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option forwardfor
listen tls
    bind 127.0.0.1:{tls} ssl crt {pem}
    http-request set-header X-Forwarded-Proto https
    server back 127.0.0.1:{http} source 127.0.0.1
listen plain
    bind 127.0.0.1:{plain}
    http-request set-header X-Forwarded-Proto http
    server back 127.0.0.1:{http} source 127.0.0.1
listen stranger
    bind 127.0.0.1:{stranger}
    http-request set-header X-Forwarded-Proto https
    server back 127.0.0.1:{http} source 127.0.0.4
"""


@dataclass(frozen=True)
class Said:
    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Behind:
    """The ports of proxies by name."""

    server: ServerProcess
    ports: dict[str, int]
    tls: ssl.SSLContext

    def ask(
        self,
        proxy: str,
        source: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        port, bound = self.ports[proxy], (source, 0)
        client = (
            http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=20, source_address=bound, context=self.tls
            )
            if proxy == "tls"
            else http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=bound)
        )
        try:
            client.request(method, path, body, {"Host": "mx.example.test", **(headers or {})})
            found = client.getresponse()
            cookies = tuple(found.headers.get_all("Set-Cookie") or ())
            return Said(found.status, dict(found.headers.items()), cookies, found.read())
        finally:
            client.close()

    def login(self, proxy: str, source: str) -> Said:
        body = json.dumps({"username": ADA, "password": PASSWORD}).encode()
        kind = {"Content-Type": "application/json"}
        return self.ask(proxy, source, "POST", "/login", body, kind)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    need("haproxy")
    folder = tmp_path_factory.mktemp("tls-proxy")
    text = configuration(extra=f'[http]\ntrusted_proxies = ["{PROXY}/32"]\n')
    text = text.replace('["127.0.0.0/8", "::1/128"]', f'["{PROXY}/32", "{OFFICE}/32"]')
    authority = trustme.CA()
    pem, tls = folder / "proxy.pem", ssl.create_default_context()
    made = authority.issue_cert("mx.example.test", "127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(pem)
    authority.configure_trust(tls)
    with ServerProcess(folder / "server", text) as server:
        server.add_account(ADA)
        ports = {name: free_port() for name in ("tls", "plain", "stranger")}
        file = folder / "haproxy.cfg"
        file.write_text(CONFIG.format(http=server.port("http"), pem=pem, **ports))
        process = subprocess.Popen(["haproxy", "-f", file, "-db"], env={"PATH": SYSTEM_PATH})
        found = Behind(server, ports, tls)
        try:
            until(lambda: all(answers(found, name) for name in ports))
            yield found
        finally:
            process.terminate()
            process.wait(10)


def answers(behind: Behind, proxy: str) -> bool:
    try:
        return behind.ask(proxy, ELSEWHERE, "GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    ("proxy", "source", "status"),
    [
        pytest.param("tls", ELSEWHERE, 200, id="tls"),
        pytest.param("plain", ELSEWHERE, 308, id="plain"),
        pytest.param("plain", OFFICE, 200, id="plain-from-the-office"),
        pytest.param("stranger", ELSEWHERE, 308, id="forged"),
    ],
)
def test_a_login_is_taken_as_it_came_to_the_proxy(
    behind: Behind, proxy: str, source: str, status: int
) -> None:
    assert behind.login(proxy, source).status == status


def test_plain_http_is_sent_to_where_the_proxy_has_tls(behind: Behind) -> None:
    asked = behind.ask("plain", ELSEWHERE, "GET", "/login?next=/logout")
    location = "https://mx.example.test/login?next=/logout"
    assert (asked.status, asked.headers["location"]) == (308, location)


def test_a_browser_behind_the_proxy_has_cookies_of_tls(behind: Behind) -> None:
    page = behind.ask("tls", ELSEWHERE, "GET", "/login")
    token = page.data.decode().partition('name="csrf" value="')[2].partition('"')[0]
    fields = {"csrf": token, "username": ADA, "password": PASSWORD}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": page.cookies[0].partition(";")[0],
    }
    done = behind.ask("tls", ELSEWHERE, "POST", "/login", urlencode(fields).encode(), headers)
    assert done.status == 303
    session = next(one for one in done.cookies if "session" in one)
    assert session.startswith("__Host-session=") and "secure" in session.lower()


def test_a_jmap_client_behind_the_proxy_is_sent_to_tls(behind: Behind) -> None:
    known = {"Authorization": "Basic " + b64encode(f"{ADA}:{PASSWORD}".encode()).decode()}
    found = behind.ask("tls", ELSEWHERE, "GET", "/.well-known/jmap", headers=known)
    assert found.status == 200
    assert json.loads(found.data)["apiUrl"].startswith("https://mx.example.test/")
