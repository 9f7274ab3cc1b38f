"""Login, refresh and logout over HTTP: tokens, the second factor, and what ends a session."""

import asyncio
import base64
import imaplib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from auth.totp import code_of, step_of
from tests.support.directories import own_database
from tests.support.http_api import Answer, post
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, BOB, CID = "ada@example.test", "bob@example.test", "cid@example.test"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("login")
            with ServerProcess(folder, configuration(database=database)) as running:
                for address in (ADA, BOB, CID):
                    running.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


def login(server: ServerProcess, username: str, password: str = PASSWORD, **more: str) -> Answer:
    asked = {"username": username, "password": password, **more}
    return post(server, "/login", asked, {"User-Agent": "Test/1"})


def refresh(server: ServerProcess, token: str) -> Answer:
    return post(server, "/token/refresh", {"refresh_token": token})


def logout(server: ServerProcess, token: str) -> Answer:
    return post(server, "/logout", None, {"Authorization": f"Bearer {token}"})


def reads_mail(server: ServerProcess, address: str, token: str) -> bool:
    """Whether IMAP takes the access token (RFC 7628)."""
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    gs2 = f"n,a={address},\x01auth=Bearer {token}\x01\x01".encode()
    answers = iter([gs2, b"\x01"])
    try:
        client.authenticate("OAUTHBEARER", lambda _: next(answers))
    except imaplib.IMAP4.error:
        client.shutdown()
        return False
    client.logout()
    return True


def sessions(server: ServerProcess, address: str) -> list[str]:
    return [one["name"] for one in server.perform("token.list", address=address)]


def test_a_session_from_login_to_logout(server: ServerProcess) -> None:
    first = login(server, "Ada@Example.Test")
    assert first.status == 200
    assert set(first.body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (first.body["token_type"], first.body["expires_in"]) == ("Bearer", 3600)
    assert first.fields["cache-control"] == "no-store"
    assert sessions(server, ADA) == ["Test/1"]
    assert reads_mail(server, ADA, first.body["access_token"])
    assert not reads_mail(server, BOB, first.body["access_token"])

    second = post(server, "/api/v1/token/refresh", {"refresh_token": first.body["refresh_token"]})
    assert (second.status, set(second.body)) == (200, set(first.body))
    assert not reads_mail(server, ADA, first.body["access_token"])
    assert reads_mail(server, ADA, second.body["access_token"])

    gone = logout(server, second.body["access_token"])
    assert (gone.status, gone.body) == (204, None)
    again = logout(server, second.body["access_token"])
    assert (again.status, again.kind) == (401, PROBLEM)
    assert again.fields["www-authenticate"].startswith("Bearer ")
    assert refresh(server, second.body["refresh_token"]).status == 401
    assert not reads_mail(server, ADA, second.body["access_token"])
    assert sessions(server, ADA) == []
    log = "\n".join(server.log)
    assert not any(second.body[name] in log for name in ("access_token", "refresh_token"))


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param(ADA, "wrong", id="password"),
        pytest.param("nobody@example.test", PASSWORD, id="unknown"),
        pytest.param("nobody@elsewhere.test", PASSWORD, id="domain"),
        pytest.param("\0", "a\0b", id="nul"),
        pytest.param(ADA, "x" * 15_000, id="long"),
    ],
)
def test_what_is_refused_is_refused_alike(
    server: ServerProcess, username: str, password: str
) -> None:
    found = login(server, username, password)
    assert (found.status, found.kind) == (401, PROBLEM)
    assert found.body["detail"] == "Authentication failed"
    assert "second_factor" not in found.body


def test_a_spent_refresh_token_ends_its_session(server: ServerProcess) -> None:
    opened = login(server, BOB).body
    turned = refresh(server, opened["refresh_token"]).body
    assert refresh(server, opened["refresh_token"]).status == 401
    assert refresh(server, turned["refresh_token"]).status == 401
    assert not reads_mail(server, BOB, turned["access_token"])


def test_one_of_many_at_once_gets_new_tokens(server: ServerProcess) -> None:
    token = login(server, BOB).body["refresh_token"]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: refresh(server, token).status, range(6)))
    assert sorted(found) == [200] + [401] * 5


def test_a_new_password_ends_sessions(server: ServerProcess) -> None:
    opened = login(server, BOB).body
    server.perform("account.passwd", address=BOB, password="another one altogether")
    assert refresh(server, opened["refresh_token"]).status == 401
    assert logout(server, opened["access_token"]).status == 401
    assert login(server, BOB).status == 401
    assert login(server, BOB, "another one altogether").status == 200
    server.perform("account.disable", address=BOB)
    assert login(server, BOB, "another one altogether").status == 401
    server.perform("account.enable", address=BOB)
    server.perform("account.passwd", address=BOB, password=PASSWORD)


def test_the_second_factor_is_asked_for(server: ServerProcess) -> None:
    begun = server.perform("account.second-factor.begin", address=CID)
    key, step = base64.b32decode(begun["key"].replace(" ", "")), step_of(time.time())
    first = code_of(key, step)
    confirmed = server.perform("account.second-factor.confirm", address=CID, code=first)
    asked = login(server, CID)
    assert (asked.status, asked.kind) == (401, PROBLEM)
    assert asked.body["second_factor"] == ["totp", "recovery_code"]
    assert login(server, CID, "wrong").body.get("second_factor") is None
    assert login(server, CID, code=first).status == 401
    opened = login(server, CID, code=code_of(key, step + 1))
    assert opened.status == 200
    assert reads_mail(server, CID, opened.body["access_token"])
    recovery = confirmed["codes"][0]
    assert login(server, CID, code=recovery).status == 200
    assert login(server, CID, code=recovery).status == 401


def test_an_app_password_opens_no_session(server: ServerProcess) -> None:
    made = server.perform("account.app-password.add", address=ADA, name="Phone")
    assert login(server, ADA, made["secret"]).status == 401
    web = server.perform("token.add", address=ADA, name="Web", protocols=["web"])
    assert login(server, ADA, web["secret"]).status == 401
    assert logout(server, web["secret"]).status == 401
    assert refresh(server, web["secret"]).status == 401


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer msa_" + "A" * 43],
    ids=["absent", "empty", "alone", "short", "basic", "unknown"],
)
def test_logout_needs_a_token(server: ServerProcess, header: str | None) -> None:
    found = post(server, "/logout", None, {} if header is None else {"Authorization": header})
    assert (found.status, found.kind) == (401, PROBLEM)


def test_logins_and_logouts_are_in_the_audit_log(server: ServerProcess) -> None:
    opened = login(server, ADA).body
    number = server.perform("token.list", address=ADA)[-1]["id"]
    assert logout(server, opened["access_token"]).status == 204
    found = server.perform("audit.list", address=ADA)
    entry = next(one for one in found if one["kind"] == "login" and one["protocol"] == "web")
    assert (entry["address"], entry["client"]) == ("127.0.0.1", "Test/1")
    assert str(number) in [
        one["credential"] for one in found if one["kind"] == "credential revoked"
    ]
