"""What ends open connections, on every listener of a whole server, and which ones: by the account
password, app passwords, a token and sessions, and a neighbour's.
"""

import asyncio
import contextlib
import imaplib
import itertools
import smtplib
import ssl
import time
import warnings
from base64 import b32decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sievelib.managesieve import Client as Sieve

from auth.totp import code_of, step_of
from tests.support.directories import own_database
from tests.support.http_api import post
from tests.support.server import PASSWORD, ServerProcess, configuration

BOUND = 10.0
"""Seconds until all have been told and closed; a second is what users are promised."""
LISTENERS = ("imap", "imaps", "submission", "submissions", "managesieve")
HOST = "localhost"
_numbers = itertools.count(1)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("revocation")
            with ServerProcess(folder, configuration(database=database)) as running:
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@dataclass(frozen=True, slots=True)
class Secret:
    """`id` is that of an app password or token, `refresh` belongs to a session."""

    address: str
    text: str
    bearer: bool = False
    id: int = 0
    refresh: str = ""

    @property
    def response(self) -> str:
        """The one message of OAUTHBEARER (RFC 7628 §3.1)."""
        return f"n,a={self.address},\1auth=Bearer {self.text}\1\1"


class Connection:
    """A client that has logged in; IMAP is in IDLE."""

    def __init__(self, listener: str, port: int, tls: ssl.SSLContext, secret: Secret) -> None:
        self._listener = listener
        if listener in ("imap", "imaps"):
            self._imap(listener, port, tls, secret)
        elif listener == "managesieve":
            self._sieve(port, secret)
        else:
            self._smtp(listener, port, tls, secret)
        self.socket.settimeout(BOUND)

    def _imap(self, listener: str, port: int, tls: ssl.SSLContext, secret: Secret) -> None:
        client = (
            imaplib.IMAP4_SSL(HOST, port, ssl_context=tls, timeout=30)
            if listener == "imaps"
            else imaplib.IMAP4(HOST, port, timeout=30)
        )
        self.socket, self.close = client.sock, client.shutdown
        if secret.bearer:
            client.authenticate("OAUTHBEARER", lambda _: secret.response.encode())
        else:
            client.login(secret.address, secret.text)
        client.select()
        client.send(b"i1 IDLE\r\n")
        assert client.readline().startswith(b"+")

    def _sieve(self, port: int, secret: Secret) -> None:
        client = Sieve(HOST, port)
        mechanism = "OAUTHBEARER" if secret.bearer else "PLAIN"
        with warnings.catch_warnings(action="ignore"):  # it warns of passwords without TLS
            assert client.connect(secret.address, secret.text, authmech=mechanism)
        assert client.sock is not None
        self.socket, self.close = client.sock, client.sock.close
        self._kept = client  # it closes the socket when it goes

    def _smtp(self, listener: str, port: int, tls: ssl.SSLContext, secret: Secret) -> None:
        client = (
            smtplib.SMTP_SSL(HOST, port, context=tls, timeout=30)
            if listener == "submissions"
            else smtplib.SMTP(HOST, port, timeout=30)
        )
        client.ehlo()
        if secret.bearer:
            client.auth("OAUTHBEARER", lambda _=None: secret.response)
        else:
            client.login(secret.address, secret.text)
        assert client.sock is not None
        self.socket, self.close = client.sock, client.close

    @property
    def is_ended(self) -> bool:
        """Waits until the server has closed, BOUND seconds at most; True when it said why."""
        said = bytearray()
        with contextlib.suppress(TimeoutError):
            while data := self.socket.recv(4096):
                said += data
            farewells = {"imap": b"* BYE ", "imaps": b"* BYE ", "managesieve": b"BYE "}
            return said.startswith(farewells.get(self._listener, b"421 4.7.0 "))
        return False

    @property
    def works(self) -> bool:
        """Whether it takes a command, and gives no word beside the answer."""
        idle = self._listener in ("imap", "imaps")
        self.socket.sendall(b"DONE\r\n" if idle else b"NOOP\r\n")
        right = {"imap": b"i1 OK", "imaps": b"i1 OK", "managesieve": b"OK"}
        return self.socket.recv(4096).startswith(right.get(self._listener, b"250 "))


class Household:
    """An account with all that lets somebody in, a neighbour's password, and connections by each on
    each listener.
    """

    def __init__(self, server: ServerProcess, close: contextlib.ExitStack) -> None:
        self.server = server
        number = next(_numbers)
        self.address, neighbour = f"ada{number}@example.test", f"bob{number}@example.test"
        for address in (self.address, neighbour):
            server.perform("account.add", address=address, password=PASSWORD)
        self.secrets = {
            "password": Secret(self.address, PASSWORD),
            "phone": self._made("account.app-password.add"),
            "tablet": self._made("account.app-password.add"),
            "script": self._made("token.add"),
            "other script": self._made("token.add"),
            "session": self._session(),
            "other session": self._session(),
            "neighbour": Secret(neighbour, PASSWORD),
        }
        tls = ssl.create_default_context(cafile=str(server.data / "selfsigned.pem"))
        self._open: dict[tuple[str, str], Connection] = {}
        for listener in LISTENERS:
            for name, secret in self.secrets.items():
                connection = Connection(listener, server.port(listener), tls, secret)
                close.callback(connection.close)
                self._open[name, listener] = connection

    def perform(self, operation: str, **args: object) -> Any:
        return self.server.perform(operation, address=self.address, **args)

    def command(self, *words: str, text: str = "") -> None:
        """Runs `mailserver WORDS` beside the server."""
        self.server.command(*words, input_text=text)

    def logs_out(self, name: str) -> None:
        field = {"Authorization": f"Bearer {self.secrets[name].text}"}
        assert post(self.server, "/logout", None, field).status == 204

    def refreshes(self, name: str) -> int:
        """The status of the answer."""
        spent = {"refresh_token": self.secrets[name].refresh}
        return post(self.server, "/token/refresh", spent).status

    def confirms_second_factor(self) -> None:
        key = b32decode(self.perform("account.second-factor.begin")["key"])
        self.perform("account.second-factor.confirm", code=code_of(key, step_of(time.time())))

    def must_end(self, names: set[str]) -> None:
        """Connections that came by these are told and closed, all others go on."""
        deadline = time.monotonic() + BOUND
        for (name, listener), one in self._open.items():
            if name in names:
                assert one.is_ended, (name, listener)
        assert time.monotonic() < deadline
        for (name, listener), one in self._open.items():
            if name not in names:
                assert one.works, (name, listener)

    def _made(self, operation: str) -> Secret:
        made = self.perform(operation, name=f"number {next(_numbers)}")
        return Secret(self.address, made["secret"], operation == "token.add", made["id"])

    def _session(self) -> Secret:
        asked = {"username": self.address, "password": PASSWORD}
        made = post(self.server, "/login", asked).body
        return Secret(self.address, made["access_token"], True, 0, made["refresh_token"])


@pytest.fixture
def house(server: ServerProcess) -> Iterator[Household]:
    with contextlib.ExitStack() as close:
        yield Household(server, close)


def revoke_app_password(house: Household) -> None:
    number = str(house.secrets["phone"].id)
    house.command("account", "app-password", "revoke", house.address, number)


def revoke_token(house: Household) -> None:
    house.command("token", "revoke", house.address, str(house.secrets["script"].id))


def change_password(house: Household) -> None:
    words = ("account", "passwd", house.address, "--password-stdin")
    house.command(*words, text="another horse altogether\n")


def disable(house: Household) -> None:
    house.command("account", "disable", house.address)


def delete(house: Household) -> None:
    house.perform("account.delete")


def switch_second_factor_on(house: Household) -> None:
    house.confirms_second_factor()


def log_out(house: Household) -> None:
    house.logs_out("session")


def spend_a_refresh_token_twice(house: Household) -> None:
    assert [house.refreshes("session") for _ in range(2)] == [200, 401]


def change_what_revokes_nothing(house: Household) -> None:
    house.perform("account.app-password.add", name="new")
    house.perform("account.set", quota=1 << 30)


BY_PASSWORD = {"password", "script", "other script", "session", "other session"}
ALL = BY_PASSWORD | {"phone", "tablet"}


@pytest.mark.parametrize(
    ("done", "ended"),
    [
        pytest.param(revoke_app_password, {"phone"}, id="app-password"),
        pytest.param(revoke_token, {"script"}, id="token"),
        pytest.param(log_out, {"session"}, id="logout"),
        pytest.param(spend_a_refresh_token_twice, {"session"}, id="refresh-token-replayed"),
        pytest.param(change_password, BY_PASSWORD, id="password"),
        pytest.param(switch_second_factor_on, {"password"}, id="second-factor"),
        pytest.param(disable, ALL, id="disable"),
        pytest.param(delete, ALL, id="delete"),
        pytest.param(change_what_revokes_nothing, set(), id="nothing-revoked"),
    ],
)
def test_what_ends(house: Household, done: Callable[[Household], None], ended: set[str]) -> None:
    done(house)
    house.must_end(ended)


# What a client has begun and sends no further: commands, their answers, a part of what follows.
BEGUN = {
    "DATA": (
        "submission",
        [(b"MAIL FROM:<%b>", b"250"), (b"RCPT TO:<%b>", b"250"), (b"DATA", b"354")],
        b"Subject: half\r\n\r\nA line\r\n",
    ),
    "BDAT": (
        "submissions",
        [(b"MAIL FROM:<%b>", b"250"), (b"RCPT TO:<%b>", b"250")],
        b"BDAT 1000 LAST\r\nSubject: half\r\n",
    ),
    "APPEND": ("imap", [(b"DONE", b"i1 OK"), (b"a APPEND INBOX {1000}", b"+")], b"Subject: half"),
    "PUTSCRIPT": ("managesieve", [], b'PUTSCRIPT "x" {1000+}\r\nkeep;'),
}


@pytest.mark.parametrize("what", BEGUN)
def test_what_was_begun_ends_too(server: ServerProcess, what: str) -> None:
    listener, commands, part = BEGUN[what]
    address = f"ada{next(_numbers)}@example.test"
    server.perform("account.add", address=address, password=PASSWORD)
    made = server.perform("account.app-password.add", address=address, name="phone")
    tls = ssl.create_default_context(cafile=str(server.data / "selfsigned.pem"))
    secret = Secret(address, made["secret"])
    client = Connection(listener, server.port(listener), tls, secret)
    with contextlib.closing(client):
        for command, answer in commands:
            line = command % address.encode() if b"%b" in command else command
            client.socket.sendall(line + b"\r\n")
            assert client.socket.recv(4096).startswith(answer)
        client.socket.sendall(part)
        server.perform("account.app-password.revoke", address=address, id=made["id"])
        assert client.is_ended
    with imaplib.IMAP4(HOST, server.port("imap"), timeout=30) as reader:
        reader.login(address, PASSWORD)
        assert reader.select()[1] == [b"0"]
