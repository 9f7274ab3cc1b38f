"""Sign-up over HTTP: a code to a phone or an address, an account for who knows it; invites."""

import asyncio
import http.client
import imaplib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.directories import own_database
from tests.support.http_api import Answer, answer_of, code_of, post, texts
from tests.support.server import PASSWORD, ServerProcess, configuration, until

PROBLEM = "application/problem+json"


def signing_up(mode: str = "open", database: str = "sqlite") -> str:
    return configuration(database=database).replace(
        "bcrypt_rounds = 4", f'bcrypt_rounds = 4\nsignup = "{mode}"\nsignup_quota = "5M"'
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("sign-up")
            with ServerProcess(folder, signing_up(database=database)) as running:
                running.perform("account.add", address="ada@example.test", password=PASSWORD)
                target = ["ada@example.test"]
                running.perform("alias.add", alias="crew@example.test", targets=target)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


def register(server: ServerProcess, username: str, phone: str, **more: str) -> Answer:
    asked = {"username": username, "password": PASSWORD, "phone": phone, **more}
    return post(server, "/register", asked)


def verify(server: ServerProcess, username: str, code: str) -> Answer:
    return post(server, "/verify", {"username": username, "code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def logged_in(server: ServerProcess, user: str, password: str = PASSWORD) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    try:
        client.login(user, password)
    except imaplib.IMAP4.error:
        client.shutdown()
        raise
    return client


def test_who_knows_the_code_gets_the_account(server: ServerProcess) -> None:
    asked = register(server, "Bob@Example.Test", "+43 1 234-5601", name="Bob Ümläut")
    assert (asked.status, asked.body) == (202, {"expires_in": 600})
    assert asked.fields["cache-control"] == "no-store"
    (text,) = until(lambda: texts(server, "+4312345601"))
    assert set(text) == {"to", "text", "code"}
    assert re.fullmatch("[0-9]{6}", text["code"])
    assert text["code"] in text["text"] and "bob@example.test" in text["text"]

    refused = verify(server, "bob@example.test", wrong(text["code"]))
    assert (refused.status, refused.kind) == (400, PROBLEM)
    assert refused.body["status"] == 400
    with pytest.raises(imaplib.IMAP4.error):
        logged_in(server, "bob@example.test")

    made = post(server, "/api/v1/verify", {"username": "bob", "code": text["code"]})
    assert (made.status, made.body) == (200, {"address": "bob@example.test"})
    client = logged_in(server, "bob@example.test")
    assert client.select("INBOX")[0] == "OK"
    client.logout()
    shown = server.perform("account.show", address="bob@example.test")
    assert (shown["name"], shown["quota"], shown["admin"]) == ("Bob Ümläut", 5 << 20, False)
    assert shown["verified"] == "+4312345601"
    assert verify(server, "bob", text["code"]).status == 400
    kinds = [one["kind"] for one in server.perform("audit.list", address="bob@example.test")]
    assert "account created" in kinds


@pytest.mark.parametrize("taken", ["ada@example.test", "ADA", "crew@example.test"])
def test_a_taken_name_is_answered_like_a_free_one(server: ServerProcess, taken: str) -> None:
    number = f"+4312345{len(taken):03}1"
    free = f"free{len(taken)}@example.test"

    def walk(username: str, phone: str) -> list[tuple[int, object]]:
        answers = [register(server, username, phone)]
        answers += [verify(server, username, "000000") for _ in range(6)]
        return [(one.status, one.body) for one in answers]

    found = walk(taken, number)
    assert [status for status, _ in found] == [202, 400, 400, 400, 400, 400, 410]
    assert walk(free, number[:-1] + "2") == found
    assert code_of(server, number[:-1] + "2"), "those before it have left by now, if any did"
    assert texts(server, number) == []


def test_five_wrong_codes_end_the_right_one(server: ServerProcess) -> None:
    assert register(server, "carl", "+4312345700").status == 202
    code = code_of(server, "+4312345700")
    for _ in range(5):
        assert verify(server, "carl", wrong(code)).status == 400
    assert verify(server, "carl", code).status == 410
    with pytest.raises(imaplib.IMAP4.error):
        logged_in(server, "carl@example.test")


def test_another_code_comes_after_a_pause(server: ServerProcess) -> None:
    assert register(server, "dora", "+4312345710").status == 202
    again = register(server, "dora", "+4312345710")
    assert (again.status, again.kind) == (429, PROBLEM)
    early = register(server, "dora", "+4312345710", password="short")
    assert early.status == 429, "nothing is done about a password that nobody needs"
    assert 0 < again.wait <= 30
    assert len(until(lambda: texts(server, "+4312345710"))) == 1
    assert verify(server, "dora", code_of(server, "+4312345710")).status == 200


def test_the_password_is_that_of_who_had_the_code(server: ServerProcess) -> None:
    other = {"username": "erin", "password": "of a stranger", "phone": "+4312345720"}
    assert post(server, "/register", other).status == 202
    assert register(server, "erin", "+4312345721").status == 202
    assert verify(server, "erin", code_of(server, "+4312345721")).status == 200
    logged_in(server, "erin@example.test").logout()
    assert verify(server, "erin", code_of(server, "+4312345720")).status == 400
    with pytest.raises(imaplib.IMAP4.error):
        logged_in(server, "erin@example.test", "of a stranger")


def test_a_code_by_mail(server: ServerProcess) -> None:
    asked = {"username": "fay", "password": PASSWORD, "email": "ada@example.test"}
    assert post(server, "/register", asked).status == 202
    client = logged_in(server, "ada@example.test")

    def arrived() -> bytes:
        client.select("INBOX")
        (found,) = client.search(None, "SUBJECT", '"Your code"')[1]
        if not found:
            return b""
        part = client.fetch(found.split()[-1].decode(), "BODY[]")[1][0]
        assert isinstance(part, tuple)
        return part[1]

    message = until(arrived)
    client.logout()
    assert b"Auto-Submitted: auto-generated" in message
    match = re.search(rb"\b([0-9]{6}) is your code for fay@example\.test", message)
    assert match is not None
    assert verify(server, "fay", match[1].decode()).status == 200


def test_one_code_at_once_makes_one_account(server: ServerProcess) -> None:
    assert register(server, "gus", "+4312345730").status == 202
    code = code_of(server, "+4312345730")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: verify(server, "gus", code).status, range(8)))
    assert sorted(answers) == [200] + [400] * 7


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        pytest.param(b"{", 400, "JSON", id="no json"),
        pytest.param([1], 400, "JSON", id="no object"),
        pytest.param(b"[" * 10_000, 400, "JSON", id="deep"),
        pytest.param(b"x" * 20_000, 413, "octets", id="too long"),
        pytest.param({"password": PASSWORD, "phone": "+431234567"}, 400, "username", id="no name"),
        pytest.param({"username": 5}, 400, "username", id="a number"),
        pytest.param({"username": "h", "password": PASSWORD}, 400, "phone", id="no phone"),
        pytest.param({"phone": "+43123456"}, 400, "username", id="phone alone"),
    ],
)
def test_bad_bodies(server: ServerProcess, body: object, status: int, word: str) -> None:
    for path in ("/register", "/api/v1/register"):
        found = post(server, path, body)
        assert (found.status, found.kind) == (status, PROBLEM)
        assert word in found.body["detail"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param({"username": "Postmaster"}, "username", id="reserved"),
        pytest.param({"username": "h@elsewhere.test"}, "username", id="domain of others"),
        pytest.param({"username": "h+tag"}, "username", id="sub-address"),
        pytest.param({"username": "p\u0430ul"}, "username", id="homograph"),
        pytest.param({"username": "h\0"}, "username", id="nul in the name"),
        pytest.param({"username": '"a b"'}, "username", id="quoted"),
        pytest.param({"username": "a..b"}, "username", id="two dots"),
        pytest.param({"username": "a" * 65}, "username", id="long name"),
        pytest.param({"password": "short"}, "password", id="short password"),
        pytest.param({"password": "x" * 73}, "password", id="73 octets"),
        pytest.param({"password": "long\0enough"}, "password", id="nul in the password"),
        pytest.param({"phone": "0043 1 234"}, "phone", id="no plus"),
        pytest.param({"phone": "+1"}, "phone", id="short number"),
        pytest.param({"phone": "", "email": "nowhere"}, "email", id="no address"),
        pytest.param({"name": "a\nb"}, "name", id="control in the name"),
    ],
)
def test_what_may_not_be_had(server: ServerProcess, change: dict[str, str], word: str) -> None:
    asked = {"username": "hal", "password": PASSWORD, "phone": "+4312345740"} | change
    found = post(server, "/register", asked)
    assert (found.status, found.kind) == (400, PROBLEM)
    assert word in found.body["detail"]
    assert asked["password"] not in json.dumps(found.body)


def test_a_bad_request_leaves_the_connection_alive(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    fields = {"Content-Type": "application/json"}
    for body, status in (('{"username": "nobody", "code": "12"}', 400), ("{}", 400)):
        connection.request("POST", "/verify", body, fields)
        assert answer_of(connection.getresponse()).status == status
    connection.request("POST", "/verify", "username=a", {"Content-Type": "text/plain"})
    assert answer_of(connection.getresponse()).status == 415
    connection.close()
    connection.request("PUT", "/register")
    assert answer_of(connection.getresponse()).status == 405
    connection.close()


def test_codes_and_passwords_are_kept_nowhere(server: ServerProcess) -> None:
    secret = "a password to look for"
    asked = {"username": "ivy", "password": secret, "phone": "+4312345750"}
    assert post(server, "/register", asked).status == 202
    code = code_of(server, "+4312345750")
    log = "\n".join(server.log)
    assert secret not in log
    assert f'"{code}"' not in log
    for path in server.data.glob("config.db*"):
        data = path.read_bytes()
        assert secret.encode() not in data
        assert f"{code} is your" not in data.decode("latin-1")


def test_the_configuration_bounds_codes_and_accounts(tmp_path: Path) -> None:
    """One account a number, two codes a day; who asks for a second account hears nothing of it."""
    bounds = 'signup = "open"\naccounts_per_contact = 1\ncodes_per_day = 2'
    config = signing_up().replace('signup = "open"', bounds)
    with ServerProcess(tmp_path, config) as server:
        first = register(server, "ann", "+431111111")
        assert verify(server, "ann", code_of(server, "+431111111")).status == 200
        again = register(server, "anna", "+431111111")
        assert (again.status, again.body) == (first.status, first.body) == (202, first.body)
        assert verify(server, "anna", "000000").status == 400
        assert register(server, "ben", "+432222222").status == 202
        assert code_of(server, "+432222222")
        assert len(texts(server, "+431111111")) == 1
        late = register(server, "cid", "+433333333")
        assert (late.status, late.wait > 80_000) == (429, True)


def test_an_invite_makes_one_account_however_often_its_code_comes(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, signing_up("invite")) as server:
        for turn in range(6):
            invite = server.perform("account.invite.add")["code"]
            phone = f"+43123460{turn}0"
            assert register(server, f"guest{turn}", phone, invite=invite).status == 202
            code, name = code_of(server, phone), f"guest{turn}"
            with ThreadPoolExecutor(8) as pool:
                statuses = list(
                    pool.map(lambda _, n=name, c=code: verify(server, n, c).status, range(8))
                )
            assert sorted(statuses) == [200] + [400] * 7
            assert register(server, f"second{turn}", f"{phone}9", invite=invite).status == 403


def test_sign_up_is_closed_unless_it_is_opened(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        closed = register(server, "ann", "+4312345000")
        assert (closed.status, closed.kind) == (403, PROBLEM)
        assert not (server.data / "outbox").exists()

        server.config.write_text(signing_up("invite"))
        server.perform("reload")
        assert register(server, "ann", "+4312345000").status == 403
        assert register(server, "ann", "+4312345000", invite="guessed").status == 403
        made = server.json("account", "invite", "add", "--note", "for Ann")
        assert made["note"] == "for Ann"
        for name, phone in (("ann", "+4312345000"), ("ben", "+4312345001")):
            assert register(server, name, phone, invite=made["code"]).status == 202
        assert verify(server, "ann", code_of(server, "+4312345000")).status == 200
        assert verify(server, "ben", code_of(server, "+4312345001")).status == 410
        assert register(server, "cid", "+4312345002", invite=made["code"]).status == 403

        (listed,) = server.json("account", "invite", "list")
        assert (listed["id"], listed["account"]) == (made["id"], "ann@example.test")
        assert "code" not in listed
        assert made["code"] not in "\n".join(server.log)
        other = server.perform("account.invite.add")
        server.command("account", "invite", "delete", str(other["id"]))
        assert register(server, "cid", "+4312345002", invite=other["code"]).status == 403
        server.command("account", "invite", "delete", str(other["id"]), expect=1)
        server.command("account", "invite", "add", "--until", "2001-01-01T00:00:00Z", expect=1)


@pytest.mark.parametrize(
    ("https", "status"), [(True, 308), (False, 403)], ids=["redirected", "refused"]
)
def test_no_password_in_the_clear(tmp_path: Path, https: bool, status: int) -> None:
    text = signing_up().replace('plaintext_from = ["127.0.0.0/8", "::1/128"]\n', "")
    if not https:
        text = text.replace('https = ["127.0.0.1:0"]', "https = []")
    with ServerProcess(tmp_path, text) as server:
        assert register(server, "ann", "+4312345000").status == status
        assert not (server.data / "outbox").exists()


def test_a_list_of_leaked_passwords_that_cannot_be_read_is_nothing_for_strangers(
    tmp_path: Path,
) -> None:
    (tmp_path / "leaked.txt").write_text("password1\n")
    listed = signing_up().replace("signup =", 'leaked_passwords = "leaked.txt"\nsignup =')
    with ServerProcess(tmp_path, listed) as running:
        (tmp_path / "leaked.txt").unlink()
        answer = register(running, "dora@example.test", "+4312345678")
        assert (answer.status, answer.kind) == (503, PROBLEM)
        assert "leaked" not in json.dumps(answer.body)
