"""What strangers give as names, passwords, codes and tokens, by every way that takes them: SASL on
SMTP, IMAP and ManageSieve, IMAP's LOGIN, and HTTP. (What breaks the exchanges: test_sasl.py.)
"""

import imaplib
import json
import ssl
import time
from base64 import b32decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from auth.totp import code_of, step_of
from tests.support.http_api import post
from tests.support.sasl_talk import LISTENERS, Kind, Talk
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, EVA = "ada@example.test", "eva@example.test"
LONGEST = "x" * 72


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = configuration(extra='[filters]\nlocal_networks = ["127.0.0.0/8"]\n')
    config = config.replace("[auth]", '[auth]\nblock_after = 0\nsignup = "open"')
    with ServerProcess(tmp_path_factory.mktemp("bad"), config) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        running.perform("account.add", address=EVA, password=LONGEST)
        yield running


def by_sasl(protocol: str) -> Callable[[ServerProcess, str, str], bool]:
    def works(server: ServerProcess, user: str, password: str) -> bool:
        context = ssl.create_default_context(cafile=str(server.data / "selfsigned.pem"))
        with Talk(protocol, server.port(LISTENERS[protocol]), context) as client:
            said = client.auth("PLAIN", b64encode(f"\0{user}\0{password}".encode()))
            assert said.kind in (Kind.OK, Kind.NO, Kind.BAD)
            return said.kind is Kind.OK

    return works


def by_login(server: ServerProcess, user: str, password: str) -> bool:
    """LOGIN with both as literals."""
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        words = [
            f"{{{len(one)}+}}\r\n".encode() + one for one in (user.encode(), password.encode())
        ]
        client.send(b"a LOGIN " + words[0] + b" " + words[1] + b"\r\n")
        while not (line := client.readline()).startswith(b"a "):
            assert line.startswith(b"* ")
        return line.startswith(b"a OK")
    finally:
        client.shutdown()


def by_http(server: ServerProcess, user: str, password: str) -> bool:
    found = post(server, "/login", {"username": user, "password": password})
    assert found.status in (200, 400, 401)
    return found.status == 200


WAYS = {
    **{protocol: by_sasl(protocol) for protocol in sorted(LISTENERS)},
    "imap-login": by_login,
    "http": by_http,
}


@pytest.fixture(params=WAYS)
def logs_in(request: pytest.FixtureRequest) -> Callable[[ServerProcess, str, str], bool]:
    return WAYS[request.param]


@pytest.mark.parametrize(
    "user",
    [
        "\u0430da@example.test",
        "\uff41\uff44\uff41@example.test",
        "ada@ex\u0430mple.test",
        "ada@example.test.",
        "ada @example.test",
        "a\u200bda@example.test",
        "ada\u0308@example.test",
        "ad\u0131@example.test",
        "ada\0@example.test",
        "ada@example.test\0",
        "\U0001d41a\U0001d41d\U0001d41a@example.test",
    ],
    ids=[
        *("cyrillic", "wide", "domain", "dot", "space", "zero-width", "combining", "dotless"),
        *("nul", "nul-behind", "mathematical"),
    ],
)
def test_names_that_look_alike_are_nobody(
    server: ServerProcess, logs_in: Callable[[ServerProcess, str, str], bool], user: str
) -> None:
    assert not logs_in(server, user, PASSWORD)


@pytest.mark.parametrize(
    "user", ["ADA@EXAMPLE.TEST", "aDa@Example.Test", "Ada", '"ada"@example.test']
)
def test_odd_case_is_the_same_account(
    server: ServerProcess, logs_in: Callable[[ServerProcess, str, str], bool], user: str
) -> None:
    assert logs_in(server, user, PASSWORD)


@pytest.mark.parametrize(
    "password",
    [LONGEST + "x", LONGEST[:-1], LONGEST + "\0", PASSWORD, "", "\u00e9" * 36],
    ids=["73", "71", "nul", "other", "empty", "letters"],
)
def test_a_password_of_72_octets_is_not_cut(
    server: ServerProcess, logs_in: Callable[[ServerProcess, str, str], bool], password: str
) -> None:
    assert not logs_in(server, EVA, password)
    assert logs_in(server, EVA, LONGEST)


def test_a_password_that_bcrypt_would_cut_is_refused_at_sign_up(server: ServerProcess) -> None:
    asked = {"username": "new", "password": LONGEST + "x", "phone": "+431234567"}
    found = post(server, "/register", asked)
    assert found.status == 400
    assert "72 octets" in found.body["detail"]
    assert LONGEST not in found.body["detail"]


@pytest.mark.parametrize("user", ["\u0430da", "ad\u0131", "a\u200bda", "\uff41da", "a\0da"])
def test_no_account_looks_like_another(server: ServerProcess, user: str) -> None:
    asked = {"username": user, "password": PASSWORD, "phone": "+431234568"}
    assert post(server, "/register", asked).status == 400


@pytest.mark.parametrize("size", [70_000, 1_000_000])
def test_a_megabyte_by_login(server: ServerProcess, size: int) -> None:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        client.send(b"a LOGIN ada@example.test {%d}\r\n" % size)
        line = client.readline()
        assert line.startswith((b"a BAD", b"a NO", b"* BYE"))
    finally:
        client.shutdown()
    assert by_login(server, ADA, PASSWORD)


def test_a_megabyte_by_http(server: ServerProcess) -> None:
    assert post(server, "/login", {"username": ADA, "password": "x" * 1_000_000}).status == 413
    assert by_http(server, ADA, PASSWORD)


def _jwt() -> str:
    """Signed by nobody, as another issuer's looks."""
    parts = ({"alg": "none"}, {"iss": "https://other.test", "sub": ADA, "email": ADA})
    words = [urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts]
    return ".".join((*words, ""))


@pytest.mark.parametrize(
    "token",
    [
        _jwt(),
        "ya29." + "A" * 120,
        "mst_" + "A" * 43,
        "msa_" + "A" * 43,
        "msr_" + "A" * 43,
        "x" * 10_000,
        "\0",
    ],
    ids=["jwt", "google", "token", "access", "refresh", "long", "nul"],
)
def test_tokens_of_other_servers(server: ServerProcess, token: str) -> None:
    assert post(server, "/token/refresh", {"refresh_token": token}).status == 401
    if token.isprintable():
        header = {"Authorization": f"Bearer {token}"}
        assert post(server, "/logout", None, header).status == 401
    for way in WAYS.values():
        assert not way(server, ADA, token)


class Factor:
    """An account with a second factor."""

    def __init__(self, server: ServerProcess, address: str) -> None:
        self._server, self._address = server, address
        server.perform("account.add", address=address, password=PASSWORD)
        begun = server.perform("account.second-factor.begin", address=address)
        self._key = b32decode(begun["key"].replace(" ", ""))
        self._step = step_of(time.time()) - 1
        code = code_of(self._key, self._step)
        done = server.perform("account.second-factor.confirm", address=address, code=code)
        self.recovery: list[str] = done["codes"]

    def code(self, steps: int) -> str:
        """Of so many steps behind the one that switched it on, which was the last but one."""
        return code_of(self._key, self._step + steps)

    def login(self, code: str) -> int:
        asked = {"username": self._address, "password": PASSWORD, "code": code}
        return post(self._server, "/login", asked).status


def test_codes_of_clocks_that_are_wrong(server: ServerProcess) -> None:
    factor = Factor(server, "skew@example.test")
    assert [factor.login(factor.code(steps)) for steps in (-10, -2, 9, 100)] == [401] * 4
    assert factor.login(factor.code(1)) == 200


def test_a_code_is_good_once_also_at_once(server: ServerProcess) -> None:
    factor = Factor(server, "once@example.test")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(factor.login, [factor.code(1)] * 6))
    assert sorted(found) == [200] + [401] * 5
    assert factor.login(factor.code(1)) == 401
    assert factor.login(factor.code(0)) == 401, "nor is one before it"


def test_a_recovery_code_is_good_once_also_at_once(server: ServerProcess) -> None:
    factor = Factor(server, "recovery@example.test")
    code = factor.recovery[0]
    spellings = [code, code.upper(), code.replace("-", " "), code, code, code]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(factor.login, spellings))
    assert sorted(found) == [200] + [401] * 5
    assert factor.login(factor.recovery[1]) == 200
