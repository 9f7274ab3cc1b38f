"""Passkeys and codes by SMS over HTTP: made, asked for at login, and taken back."""

import imaplib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.authenticator import Authenticator
from tests.support.http_api import Answer, ask, code_of, post, texts
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, BOB, CID, DAN = (f"{name}@example.test" for name in ("ada", "bob", "cid", "dan"))
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("passkeys"), configuration()) as running:
        for address in (ADA, BOB, CID, DAN):
            running.perform("account.add", address=address, password=PASSWORD)
        yield running


def login(server: ServerProcess, username: str, **more: str) -> Answer:
    asked = {"username": username, "password": PASSWORD, **more}
    return post(server, "/login", asked, {"User-Agent": "Test/1"})


def held(server: ServerProcess, address: str) -> dict[str, str]:
    """The header of a session that has just been opened with the password."""
    return {"Authorization": f"Bearer {login(server, address).body['access_token']}"}


def api(server: ServerProcess, path: str, body: object = None, **headers: str) -> Answer:
    return post(server, f"/api/v1{path}", {} if body is None else body, headers)


def register(
    server: ServerProcess, bearer: dict[str, str], device: Authenticator, **more: object
) -> Answer:
    options = api(server, "/passkeys/options", **bearer)
    assert options.status == 200
    answer = device.make(options.body["publicKey"])
    return api(server, "/passkeys", {"passkey": answer, **more}, **bearer)


def options_of(server: ServerProcess, **more: str) -> Any:
    return api(server, "/login/passkey/options", more).body["publicKey"]


def by_password(server: ServerProcess, address: str) -> bool:
    """Whether IMAP takes the account password."""
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    try:
        client.login(address, PASSWORD)
    except imaplib.IMAP4.error:
        client.shutdown()
        return False
    client.logout()
    return True


def test_a_passkey_from_registering_to_its_end(server: ServerProcess) -> None:
    device, bearer = Authenticator(), held(server, ADA)
    made = register(server, bearer, device, name="Blue key", second_factor=False)
    assert made.status == 201
    assert (made.body["name"], made.body["recovery_codes"]) == ("Blue key", [])

    opened = api(server, "/login/passkey", {"passkey": device.sign(options_of(server))})
    assert opened.status == 200
    assert set(opened.body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    own = {"Authorization": f"Bearer {opened.body['access_token']}"}
    (listed,) = ask(server, "GET", "/api/v1/passkeys", None, own).body["passkeys"]
    assert listed["last_address"] == "127.0.0.1" and listed["last_used"] is not None
    place = f"/api/v1/passkeys/{listed['id']}"
    renamed = ask(server, "PATCH", place, {"name": "Red key"}, own)
    assert (renamed.status, renamed.body["name"]) == (200, "Red key")
    (shown,) = server.json("account", "passkey", "list", ADA)
    assert (shown["name"], shown["second_factor"]) == ("Red key", False)
    account = server.perform("account.show", address=ADA)
    assert (account["passkeys"], account["second_factor"]) == (1, [])
    assert by_password(server, ADA) and login(server, ADA).status == 200

    assert ask(server, "DELETE", place, None, held(server, BOB)).status == 404
    assert ask(server, "DELETE", place, None, own).status == 204
    assert ask(server, "DELETE", place, None, own).status == 404
    gone = api(server, "/login/passkey", {"passkey": device.sign(options_of(server))})
    assert (gone.status, gone.kind) == (401, PROBLEM)
    found = server.perform("audit.list", address=ADA)
    said = {(one["kind"], one["detail"]) for one in found}
    assert ("credential made", "passkey: Blue key") in said
    assert ("credential revoked", "passkey: Red key") in said


def test_a_passkey_beside_the_password(server: ServerProcess) -> None:
    device = Authenticator()
    made = register(server, held(server, BOB), device, name="Key")
    assert made.status == 201 and made.body["second_factor"] is True
    assert len(made.body["recovery_codes"]) == 10
    assert not by_password(server, BOB)
    asked = login(server, BOB)
    assert asked.status == 401
    assert asked.body["second_factor"] == ["passkey", "recovery_code"]
    ticket = asked.body["ticket"]
    signed = device.sign(options_of(server, ticket=ticket))
    opened = api(server, "/login/passkey", {"passkey": signed, "ticket": ticket})
    assert opened.status == 200
    again = api(server, "/login/passkey", {"passkey": signed, "ticket": ticket})
    assert (again.status, again.kind) == (401, PROBLEM)
    ticket = login(server, BOB).body["ticket"]
    code = made.body["recovery_codes"][0]
    assert post(server, "/login/2fa", {"ticket": ticket, "code": "000000"}).status == 401
    assert post(server, "/login/2fa", {"ticket": ticket, "code": code}).status == 200
    assert code not in "\n".join(server.log) and ticket not in "\n".join(server.log)

    (kept,) = server.perform("account.passkey.list", address=BOB)
    server.command("account", "passkey", "delete", BOB, str(kept["id"]))
    server.command("account", "passkey", "delete", BOB, str(kept["id"]), expect=1)
    assert by_password(server, BOB)


def test_a_code_by_sms_beside_the_password(server: ServerProcess) -> None:
    phone, bearer = "+43 1 234 9901", held(server, CID)
    number = phone.replace(" ", "")
    assert api(server, "/second-factor/sms", {"phone": "nothing"}, **bearer).status == 400
    begun = api(server, "/second-factor/sms", {"phone": phone}, **bearer)
    assert (begun.status, begun.body) == (202, {"expires_in": 600})
    first = code_of(server, number)
    assert by_password(server, CID), "nothing changes before the first code"
    wrong = api(server, "/second-factor/sms/verify", {"code": "x"}, **bearer)
    assert (wrong.status, wrong.kind) == (400, PROBLEM)
    done = api(server, "/second-factor/sms/verify", {"code": first}, **bearer)
    assert done.status == 200 and len(done.body["recovery_codes"]) == 10
    assert api(server, "/second-factor/sms", {"phone": phone}, **bearer).status == 409
    assert not by_password(server, CID)

    asked = login(server, CID)
    assert asked.body["second_factor"] == ["sms", "recovery_code"]
    assert len(texts(server, number)) == 1, "nothing is sent unasked"
    step = {"ticket": asked.body["ticket"], "send": "sms"}
    assert post(server, "/login/2fa", step).status == 202
    soon = post(server, "/login/2fa", step)
    assert soon.status == 429 and 20 <= soon.wait <= 30
    second = code_of(server, number, 2)
    assert login(server, CID, code=first).status == 401, "a code is good once"
    opened = post(server, "/login/2fa", {"ticket": asked.body["ticket"], "code": second})
    assert opened.status == 200
    assert login(server, CID, code=second).status == 401

    own = {"Authorization": f"Bearer {opened.body['access_token']}"}
    state = ask(server, "GET", "/api/v1/second-factor", None, own)
    assert state.body == {
        "second_factor": ["sms", "recovery_code"],
        "recovery_codes": 10,
        "phone": number,
    }
    shown = server.perform("account.second-factor.show", address=CID)
    assert (shown["on"], shown["phone"]) == (True, number)
    assert ask(server, "DELETE", "/api/v1/second-factor/sms", None, own).status == 204
    assert by_password(server, CID)
    assert second not in "\n".join(server.log)


def test_an_administrator_switches_codes_by_sms_on(server: ServerProcess) -> None:
    command = ("account", "second-factor", "sms")
    server.command(*command, "begin", DAN, expect=1)
    server.command(*command, "begin", DAN, "--phone", "+4312349902")
    code = code_of(server, "+4312349902")
    server.command(*command, "confirm", DAN, "0", expect=1)
    assert len(server.json(*command, "confirm", DAN, code)["codes"]) == 10
    assert not by_password(server, DAN)
    server.command("account", "second-factor", "remove", DAN)
    assert by_password(server, DAN)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/passkeys/options"),
        ("POST", "/passkeys"),
        ("GET", "/passkeys"),
        ("PATCH", "/passkeys/1"),
        ("DELETE", "/passkeys/1"),
        ("GET", "/second-factor"),
        ("POST", "/second-factor/sms"),
        ("DELETE", "/second-factor/sms"),
    ],
)
def test_what_needs_a_session(server: ServerProcess, method: str, path: str) -> None:
    made = server.perform("token.add", address=ADA, name="Web", protocols=["web"])
    for header in ({}, {"Authorization": f"Bearer {made['secret']}"}):
        body = {"name": "x", "passkey": {}, "phone": "+4312349903"}
        found = ask(server, method, f"/api/v1{path}", body, header)
        assert (found.status, found.kind) == (401, PROBLEM)
    server.perform("token.revoke", address=ADA, id=made["id"])


@pytest.mark.parametrize(
    "number",
    ["0", "9" * 18, "9" * 19, "9" * 5000, "-1", "1e1", "%D9%A1", "x"],
    ids=["none", "large", "larger", "digits", "negative", "float", "arabic", "word"],
)
def test_ids_that_nothing_has(server: ServerProcess, number: str) -> None:
    own = held(server, CID)
    for method in ("PATCH", "DELETE"):
        found = ask(server, method, f"/api/v1/passkeys/{number}", {"name": "x"}, own)
        assert (found.status, found.kind) == (404, PROBLEM)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="half"),
        pytest.param(json.dumps({"passkey": "x"}).encode(), 400, id="text"),
        pytest.param(json.dumps({"passkey": {"id": "x" * 17_000}}).encode(), 413, id="long"),
        pytest.param(json.dumps({"passkey": {}}).encode(), 401, id="empty"),
        pytest.param(json.dumps({"passkey": {}, "ticket": "x" * 9000}).encode(), 401, id="ticket"),
        pytest.param(b'{"passkey":' + b'{"a":' * 2000 + b"1" + b"}" * 2001, 400, id="deep"),
    ],
)
def test_bodies_that_are_no_answer(server: ServerProcess, body: bytes, status: int) -> None:
    found = post(server, "/api/v1/login/passkey", body)
    assert (found.status, found.kind) == (status, PROBLEM)


def test_an_old_session_changes_nothing(tmp_path: Any) -> None:
    """The clock of the server is the machine's, so the session is made old in its database."""
    import sqlite3

    with ServerProcess(tmp_path / "server", configuration()) as server:
        server.perform("account.add", address=ADA, password=PASSWORD)
        bearer = held(server, ADA)
        assert api(server, "/passkeys/options", **bearer).status == 200
        with sqlite3.connect(server.data / "config.db") as database:
            database.execute("UPDATE config_credential SET created = ?", (time.time() - 601,))
        server.stop()
        server.start()
        found = api(server, "/passkeys/options", **bearer)
        assert found.status == 401
        assert 'error="insufficient_user_authentication"' in found.fields["www-authenticate"]
        assert ask(server, "GET", "/api/v1/passkeys", None, bearer).status == 200
