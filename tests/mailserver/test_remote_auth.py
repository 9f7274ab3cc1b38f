"""AuthService in a process of its own: login through the gateway, its end by SIGKILL, its
return.
"""

import asyncio
import http.client
import imaplib
from collections.abc import Iterator

import pytest

from tests.support.directories import own_database
from tests.support.http_api import Answer, answer_of, code_of, post
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.service_process import ServiceProcess

ADA, BOB = "ada@example.test", "bob@example.test"
PROBLEM = "application/problem+json"
EXTRA = '[services]\nremote = ["auth"]\n'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            config = configuration(database=database, extra=EXTRA)
            config = config.replace("[auth]\n", '[auth]\nsignup = "open"\n')
            folder = tmp_path_factory.mktemp("remote")
            with ServerProcess(folder, config) as running:
                for address in (ADA, BOB):
                    running.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def service(server: ServerProcess) -> Iterator[ServiceProcess]:
    before = login(server)
    assert (before.status, before.kind) == (503, PROBLEM)
    with ServiceProcess(server) as running:
        until(lambda: login(server).status == 200)
        yield running


def login(server: ServerProcess, username: str = ADA, password: str = PASSWORD) -> Answer:
    return post(server, "/login", {"username": username, "password": password})


def reads_mail(server: ServerProcess, address: str, token: str) -> bool:
    """Whether IMAP, in the other process, takes the access token (RFC 7628)."""
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


def listed(server: ServerProcess) -> dict[str, dict[str, object]]:
    return {one["service"]: one for one in server.perform("service.list")}


def page_with_cookie(server: ServerProcess) -> Answer:
    """/login as a browser asks for it whose session somebody has to look up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    connection.request("GET", "/login", headers={"Cookie": f"session=msa_{'A' * 43}"})
    answer = answer_of(connection.getresponse())
    connection.close()
    return answer


def linked(server: ServerProcess) -> int:
    """How many processes of services can be asked."""
    shown = server.perform("service.list")
    return sum(one["state"] == "ok" for one in shown if one["pid"])


def test_login_goes_to_the_other_process(server: ServerProcess, service: ServiceProcess) -> None:
    found = login(server)
    assert (found.status, set(found.body)) == (
        200,
        {"access_token", "refresh_token", "token_type", "expires_in"},
    )
    asked = {"username": ADA, "password": "wrong"}
    wrong = post(server, "/login", asked, {"X-Request-Id": "request.of-a_test"})
    assert (wrong.status, wrong.body["detail"]) == (401, "Authentication failed")
    assert wrong.fields["x-request-id"] == "request.of-a_test"
    refused = until(lambda: service.events("login refused"))
    assert [one["request"] for one in refused] == ["request.of-a_test"]
    assert service.process is not None
    shown = listed(server)["auth"]
    assert (shown["state"], shown["pid"]) == ("ok", service.process.pid)
    assert shown["place"] == service.place
    assert "POST /login" in server.json("service", "list")[-1]["routes"]


def test_what_one_process_revokes_the_other_refuses_at_once(
    server: ServerProcess, service: ServiceProcess
) -> None:
    token = login(server).body["access_token"]
    assert reads_mail(server, ADA, token)
    assert post(server, "/logout", None, {"Authorization": f"Bearer {token}"}).status == 204
    assert not reads_mail(server, ADA, token)

    first = login(server).body
    assert reads_mail(server, ADA, first["access_token"])
    second = post(server, "/token/refresh", {"refresh_token": first["refresh_token"]}).body
    assert not reads_mail(server, ADA, first["access_token"])
    assert reads_mail(server, ADA, second["access_token"])

    assert login(server, BOB).status == 200
    server.perform("account.passwd", address=BOB, password="another one altogether")
    assert login(server, BOB).status == 401
    assert login(server, BOB, "another one altogether").status == 200


def test_sign_up_makes_mailboxes_in_the_process_that_has_the_store(
    server: ServerProcess, service: ServiceProcess
) -> None:
    asked = {"username": "eve@example.test", "password": "long enough", "phone": "+431234567"}
    assert post(server, "/register", asked).status == 202
    code = code_of(server, "+431234567")
    made = post(server, "/verify", {"username": "eve@example.test", "code": code})
    assert (made.status, made.body) == (200, {"address": "eve@example.test"})
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login("eve@example.test", "long enough")
    assert client.select("INBOX")[0] == "OK"
    client.logout()

    mailed = {"username": "fay@example.test", "password": "long enough", "email": ADA}
    assert post(server, "/register", mailed).status == 202
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    assert until(lambda: client.select("INBOX")[1] == [b"1"])
    client.logout()


def test_a_killed_service_is_a_clear_503_and_comes_back(
    server: ServerProcess, service: ServiceProcess
) -> None:
    kept = login(server).body["access_token"]
    service.kill()
    for _ in range(8):
        gone = login(server)
        assert (gone.status, gone.kind) == (503, PROBLEM)
        assert gone.body["detail"] == "The service auth is not available for the moment"
        assert 1 <= gone.wait <= 60
    page = page_with_cookie(server)
    assert (page.status, page.kind.partition(";")[0]) == (503, "text/html")
    assert page.wait >= 1
    assert reads_mail(server, ADA, kept)
    assert listed(server)["auth"]["state"] != "ok"
    service.start()
    until(lambda: login(server).status == 200)
    assert reads_mail(server, ADA, kept)
    log = "\n".join([*server.log, *service.log])
    assert PASSWORD not in log
    assert kept not in log


def test_over_tcp_and_two_at_once(server: ServerProcess, service: ServiceProcess) -> None:
    with ServiceProcess(server, "--listen", "tcp:127.0.0.1:0") as second:
        assert second.place.startswith("tcp:127.0.0.1:")
        until(
            lambda: (
                len(
                    [
                        1
                        for one in server.perform("service.list")
                        if one["state"] == "ok" and one["pid"]
                    ]
                )
                == 2
            )
        )
        assert {login(server).status for _ in range(4)} == {200}
        second.kill()
        assert {login(server).status for _ in range(4)} <= {200, 503}
        until(lambda: {login(server).status for _ in range(4)} == {200})


def test_a_stopped_service_is_no_longer_listed(
    server: ServerProcess, service: ServiceProcess
) -> None:
    with ServiceProcess(server, "--listen", "tcp:127.0.0.1:0") as second:
        assert second.process is not None
        pid = second.process.pid
        assert pid in [one["pid"] for one in server.perform("service.list")]
    assert pid not in [one["pid"] for one in server.perform("service.list")]


def test_a_second_at_the_same_place_says_so(server: ServerProcess, service: ServiceProcess) -> None:
    done = server.command("service", "serve", "auth", expect=1)
    assert "another process listens there" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(("serve", "mail"), 2, id="name"),
        pytest.param(("serve", "auth", "--listen", "localhost"), 1, id="place"),
    ],
)
def test_wrong_usage(server: ServerProcess, arguments: tuple[str, ...], status: int) -> None:
    assert server.command("service", *arguments, expect=status).stderr
