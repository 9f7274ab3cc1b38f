"""HAProxy as a reverse proxy of HTTP, one and two in a row: logins are counted by the address of
who asks, whatever that wrote into X-Forwarded-For.
"""

import http.client
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.programs import SYSTEM_PATH, need
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration, until

ADA = "ada@example.test"
FIRST, SECOND = "127.0.0.1", "127.0.0.3"
CONFIG = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option forwardfor
listen one
    bind 127.0.0.1:{one}
    server back 127.0.0.1:{http} source 127.0.0.1
listen outer
    bind 127.0.0.1:{outer}
    server back 127.0.0.1:{inner} source 127.0.0.1
listen inner
    bind 127.0.0.1:{inner}
    server back 127.0.0.1:{http} source 127.0.0.3
listen stranger
    bind 127.0.0.1:{stranger}
    server back 127.0.0.1:{http} source 127.0.0.4
"""


@dataclass(frozen=True)
class Behind:
    """The server, and the ports of proxies by name."""

    server: ServerProcess
    ports: dict[str, int]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    need("haproxy")
    folder = tmp_path_factory.mktemp("reverse")
    extra = f'[http]\ntrusted_proxies = ["{FIRST}/32", "{SECOND}/32"]\n'
    with ServerProcess(folder / "server", configuration(extra=extra)) as server:
        server.add_account(ADA)
        ports = {name: free_port() for name in ("one", "outer", "inner", "stranger")}
        file = folder / "haproxy.cfg"
        file.write_text(CONFIG.format(http=server.port("http"), **ports))
        process = subprocess.Popen(["haproxy", "-f", file, "-db"], env={"PATH": SYSTEM_PATH})
        try:
            until(lambda: answers(ports["outer"]) and answers(ports["stranger"]))
            yield Behind(server, ports)
        finally:
            process.terminate()
            process.wait(10)


def answers(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        client.request("GET", "/healthz")
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


def login(behind: Behind, proxy: str, source: str, forged: tuple[str, ...] = ()) -> int:
    port = behind.ports[proxy] if proxy else behind.server.port("http")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(source, 0))
    client.putrequest("POST", "/login")
    body = json.dumps({"username": ADA, "password": PASSWORD}).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    for name, value in fields.items():
        client.putheader(name, value)
    for value in forged:
        client.putheader("X-Forwarded-For", value)
    client.endheaders(body)
    status = client.getresponse().status
    client.close()
    return status


@pytest.mark.parametrize(
    ("proxy", "source", "forged", "address"),
    [
        pytest.param("one", "127.0.1.1", (), "127.0.1.1", id="one"),
        pytest.param("one", "127.0.1.2", ("192.0.2.2",), "127.0.1.2", id="one-forged"),
        pytest.param("one", "127.0.1.3", ("192.0.2.3", FIRST), "127.0.1.3", id="forged-proxy"),
        pytest.param("outer", "127.0.1.4", (), "127.0.1.4", id="two"),
        pytest.param("outer", "127.0.1.5", ("192.0.2.5", "x"), "127.0.1.5", id="two-forged"),
        pytest.param("stranger", "127.0.1.6", ("192.0.2.6",), "127.0.0.4", id="not-trusted"),
        pytest.param("", "127.0.1.7", ("192.0.2.7",), "127.0.1.7", id="none"),
    ],
)
def test_logins_are_from_who_asks(
    behind: Behind, proxy: str, source: str, forged: tuple[str, ...], address: str
) -> None:
    assert login(behind, proxy, source, forged) == 200
    found = behind.server.perform("audit.list", address=ADA)
    logins = {one["address"] for one in found if one["kind"] == "login"}
    assert address in logins
    assert not any(one.startswith("192.0.2.") for one in logins)


def test_a_block_holds_behind_the_proxy(behind: Behind) -> None:
    behind.server.perform("block.add", network="127.0.2.1/32")
    assert login(behind, "one", "127.0.2.1") == 429
    assert login(behind, "outer", "127.0.2.1", ("192.0.2.9",)) == 429
    assert login(behind, "one", "127.0.2.2", ("127.0.2.1",)) == 200
