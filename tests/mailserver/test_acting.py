"""Administrators who log in as a user: by what, to what, and until when."""

import contextlib
import imaplib
import itertools
import smtplib
import warnings
from base64 import b64encode
from collections.abc import Iterator

import pytest
from sievelib.managesieve import Client as Sieve

from tests.support.server import PASSWORD, ServerProcess, configuration

BOUND = 10.0
ROOT, ROOT_PASSWORD = "root@example.test", "another battery staple"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    text = configuration().replace("[auth]", "[auth]\nact_as_users = true")
    with ServerProcess(tmp_path_factory.mktemp("acting"), text) as running:
        running.perform("account.add", address=ROOT, password=ROOT_PASSWORD, admin=True)
        yield running


@pytest.fixture
def user(server: ServerProcess) -> str:
    address = f"c{next(_numbers)}@example.test"
    server.perform("account.add", address=address, password=PASSWORD)
    return address


@contextlib.contextmanager
def acting(
    server: ServerProcess, user: str, own: str = ROOT, password: str = ROOT_PASSWORD
) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=30)
    try:
        client.authenticate("PLAIN", lambda _: f"{user}\0{own}\0{password}".encode())
        yield client
    finally:
        client.shutdown()


def refusal(
    server: ServerProcess, user: str, own: str = ROOT, password: str = ROOT_PASSWORD
) -> str:
    with pytest.raises(imaplib.IMAP4.error) as caught, acting(server, user, own, password):
        pass
    return str(caught.value)


def is_ended(client: imaplib.IMAP4) -> bool:
    client.sock.settimeout(BOUND)
    return client.readline().startswith(b"* BYE") and client.readline() == b""


@pytest.mark.parametrize("typed", ["as-it-is", "upper", "local-part"])
def test_an_administrator_reads_as_a_user(server: ServerProcess, user: str, typed: str) -> None:
    name = {"upper": user.upper(), "local-part": user.partition("@")[0]}.get(typed, user)
    with acting(server, name) as client:
        assert client.create("Made")[0] == "OK"
    assert server.perform("account.device.list", address=user) == []  # it is no device of the user
    with acting(server, user, user, PASSWORD) as client:  # the user as itself
        assert b"Made" in b"".join(client.list()[1])  # type: ignore[arg-type]
    logins = [e for e in server.perform("audit.list", address=user) if e["kind"] == "login"]
    assert {entry["detail"] for entry in logins} == {"", f"by {ROOT}"}


def test_who_shared_a_mailbox_of_the_user_is_told(server: ServerProcess, user: str) -> None:
    with acting(server, user) as client:
        assert client.setacl("INBOX", ROOT, "lr")[0] == "OK"
        assert client.deleteacl("INBOX", ROOT)[0] == "OK"
    found = [e for e in server.perform("audit.list", address=user) if e["kind"] == "rights changed"]
    assert len(found) == 2
    assert all(entry["detail"].endswith(f", by {ROOT}") for entry in found)


def test_who_may_not_act(server: ServerProcess, user: str) -> None:
    chief = f"d{next(_numbers)}@example.test"
    server.perform("account.add", address=chief, password=PASSWORD)
    role = {"role": "domain-administrator", "domains": ["example.test"]}
    server.perform("account.role", address=chief, **role)
    for own in (user, chief):  # as each other
        other = chief if own == user else user
        assert "[AUTHORIZATIONFAILED]" in refusal(server, other, own, PASSWORD)
    for other in (chief, "nobody@example.test", "no address"):
        assert "[AUTHORIZATIONFAILED]" in refusal(server, other)
    assert "[AUTHENTICATIONFAILED]" in refusal(server, user, ROOT, "wrong")
    server.perform("account.disable", address=user)
    assert "[AUTHORIZATIONFAILED]" in refusal(server, user)
    failed = [e for e in server.perform("audit.list", address=ROOT) if e["kind"] == "login failed"]
    assert "may not act for the user" in {entry["detail"] for entry in failed}


def test_scripts_are_changed_and_no_mail_is_sent(server: ServerProcess, user: str) -> None:
    wire = b64encode(f"{user}\0{ROOT}\0{ROOT_PASSWORD}".encode()).decode()
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.ehlo()
        assert client.docmd("AUTH", f"PLAIN {wire}")[0] == 535
        assert client.mail(user)[0] == 530
    sieve = Sieve("127.0.0.1", server.port("managesieve"))
    with warnings.catch_warnings(action="ignore"):  # it warns of passwords without TLS
        assert sieve.connect(ROOT, ROOT_PASSWORD, authz_id=user, authmech="PLAIN")
    assert sieve.putscript("mine", "keep;\r\n")
    assert sieve.sock is not None
    sieve.sock.close()
    assert [one["name"] for one in server.perform("sieve.list", address=user)] == ["mine"]


def test_bounds_of_an_app_password_stay(server: ServerProcess, user: str) -> None:
    made = {"address": ROOT, "name": "Migration", "read_only": True, "protocols": ["imap"]}
    one = server.perform("account.app-password.add", **made)
    with acting(server, user, ROOT, one["secret"]) as client:
        assert client.create("New")[0] == "NO"
        client.send(b"i1 IDLE\r\n")
        assert client.readline().startswith(b"+")
        server.perform("account.app-password.revoke", address=ROOT, id=one["id"])
        assert is_ended(client)


@pytest.mark.parametrize("who", ["administrator", "user"])
def test_it_ends_with_either(server: ServerProcess, user: str, who: str) -> None:
    chief = f"e{next(_numbers)}@example.test"
    server.perform("account.add", address=chief, password=PASSWORD, admin=True)
    with acting(server, user, chief, PASSWORD) as client, acting(server, user) as other:
        assert client.noop()[0] == "OK"
        if who == "administrator":
            server.perform("account.role", address=chief, role="user")
            assert is_ended(client)
            assert other.noop()[0] == "OK"
        else:
            server.perform("account.disable", address=user)
            assert is_ended(client) and is_ended(other)


def test_it_ends_when_it_is_allowed_no_more(server: ServerProcess, user: str) -> None:
    text = server.config.read_text()
    with acting(server, user) as client, acting(server, user, user, PASSWORD) as own:
        server.config.write_text(text.replace("act_as_users = true", "act_as_users = false"))
        try:
            server.perform("reload")
            assert is_ended(client)
            assert own.noop()[0] == "OK"
            assert "[AUTHORIZATIONFAILED]" in refusal(server, user)
        finally:
            server.config.write_text(text)
            server.perform("reload")
    with acting(server, user) as client:
        assert client.noop()[0] == "OK"
