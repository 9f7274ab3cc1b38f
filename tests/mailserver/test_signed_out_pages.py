"""Pages for who is not logged in, without scripts: sign-up, the second step, a lost password."""

import base64
import re
import time
from collections.abc import Iterator

import pytest

from auth.totp import code_of as totp
from auth.totp import step_of
from tests.support.browser import Browser, Page
from tests.support.http_api import code_of, post, texts
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, BOB, CID, DAN = (f"{name}@example.test" for name in ("ada", "bob", "cid", "dan"))
PHONES = {BOB: "+4312340001", CID: "+4312340002", DAN: "+4312340003"}
OTHER = "another one altogether"
AGAIN = "If there is such an account, a code is on its way"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = configuration().replace("bcrypt_rounds = 4", 'bcrypt_rounds = 4\nsignup = "open"')
    with ServerProcess(tmp_path_factory.mktemp("signed-out"), config) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        for address, phone in PHONES.items():
            asked = {"username": address, "password": PASSWORD, "phone": phone}
            assert post(running, "/register", asked).status == 202
            code = code_of(running, phone)
            assert post(running, "/verify", {"username": address, "code": code}).status == 200
        yield running


def is_inside(page: Page, address: str) -> bool:
    return page.status == 200 and f"As {address}." in page.text


def test_somebody_signs_up(server: ServerProcess) -> None:
    browser, phone = Browser(server), "+4312340009"
    page = browser.get("/register")
    wrong = browser.submit(page, username="eve", password="short", phone=phone)
    assert wrong.status == 400
    assert dict(wrong.form.fields)["phone"] == phone
    asked = browser.submit(wrong, username="eve", password=PASSWORD, phone=phone)
    assert (asked.status, asked.form.action) == (200, "/verify")
    assert dict(asked.form.fields)["username"] == "eve"
    assert PASSWORD not in asked.html
    soon = browser.submit(wrong, username="eve", password=PASSWORD, phone=phone)
    assert (soon.status, soon.form.action) == (429, "/register")
    assert 0 < int(soon.headers["retry-after"]) <= 30
    refused = browser.submit(asked, code="000000")
    assert (refused.status, refused.form.action) == (400, "/verify")
    made = browser.submit(refused, code=code_of(server, phone))
    assert "Its address is eve@example.test." in made.text
    assert is_inside(browser.log_in("eve@example.test", PASSWORD), "eve@example.test")


def test_the_second_step_by_an_app(server: ServerProcess) -> None:
    begun = server.perform("account.second-factor.begin", address=ADA)
    key, step = base64.b32decode(begun["key"]), step_of(time.time())
    server.perform("account.second-factor.confirm", address=ADA, code=totp(key, step))
    browser = Browser(server)
    asked = browser.log_in(ADA, PASSWORD, "/login?next=/logout")
    assert (asked.status, asked.form.action) == (401, "/login/2fa")
    assert PASSWORD not in asked.html and "session" not in browser.cookies
    wrong = browser.submit(asked, code="12345")
    assert (wrong.status, wrong.form.action) == (401, "/login/2fa")
    empty = browser.submit(wrong, code="")
    assert (empty.status, empty.form.action) == (401, "/login/2fa")
    inside = browser.submit(empty, code=totp(key, step + 1))
    assert is_inside(inside, ADA), "the page that was wanted"
    assert Browser(server).submit(asked, code=totp(key, step + 1)).status == 403
    server.perform("account.second-factor.remove", address=ADA)


def test_the_second_step_by_sms(server: ServerProcess) -> None:
    server.perform("account.second-factor.sms.begin", address=BOB)
    first = code_of(server, PHONES[BOB], 2)
    server.perform("account.second-factor.sms.confirm", address=BOB, code=first)
    browser = Browser(server)
    asked = browser.log_in(BOB, PASSWORD)
    assert 'name="send" value="sms"' in asked.html
    sent = browser.submit(asked, send="sms", code="")
    assert (sent.status, "on its way" in sent.text) == (200, True)
    soon = browser.submit(sent, send="sms", code="")
    assert soon.status == 429 and int(soon.headers["retry-after"]) <= 30
    assert is_inside(browser.submit(soon, code=code_of(server, PHONES[BOB], 3)), BOB)
    server.perform("account.second-factor.remove", address=BOB)


def test_a_forgotten_password(server: ServerProcess) -> None:
    inside = Browser(server)
    assert is_inside(inside.log_in(CID, PASSWORD), CID)
    browser = Browser(server)
    asked = browser.submit(browser.get("/reset"), username=CID)
    assert AGAIN in asked.text
    wrong = browser.submit(asked, username=CID, code="000000", password=OTHER)
    assert (wrong.status, wrong.form.action) == (400, "/reset")
    code = code_of(server, PHONES[CID], 2)
    weak = browser.submit(wrong, username=CID, code=code, password="short")
    assert weak.status == 400
    done = browser.submit(weak, username=CID, code=code, password=OTHER)
    assert "The password is set" in done.text
    assert inside.get("/login").form.action == "/login", "the session is over"
    assert not is_inside(browser.log_in(CID, PASSWORD), CID)
    assert is_inside(browser.log_in(CID, OTHER), CID)
    late = {"username": CID, "code": code, "password": PASSWORD}
    assert post(server, "/reset", late).status == 400
    entry = next(
        one
        for one in server.perform("audit.list", address=CID)
        if one["detail"] == "forgotten, set by a code"
    )
    assert (entry["kind"], entry["address"]) == ("password changed", "127.0.0.1")
    assert code not in "\n".join(server.log)


def test_a_forgotten_password_needs_the_second_factor(server: ServerProcess) -> None:
    begun = server.perform("account.second-factor.begin", address=DAN)
    key, step = base64.b32decode(begun["key"]), step_of(time.time())
    server.perform("account.second-factor.confirm", address=DAN, code=totp(key, step))
    assert post(server, "/reset", {"username": DAN}).status == 202
    asked = {"username": DAN, "code": code_of(server, PHONES[DAN], 2), "password": OTHER}
    missing = post(server, "/reset", asked)
    assert missing.status == 401
    assert missing.body["second_factor"] == ["totp", "recovery_code"]
    assert post(server, "/reset", {**asked, "second_factor": "000000"}).status == 401
    right = totp(key, step + 1)
    weak = {**asked, "password": "short", "second_factor": right}
    assert post(server, "/reset", weak).status == 400, "the code of the app is not spent by it"
    assert post(server, "/api/v1/reset", {**asked, "second_factor": right}).status == 204
    assert post(server, "/login", {"username": DAN, "password": OTHER}).body["ticket"]
    assert post(server, "/login", {"username": DAN, "password": PASSWORD}).status == 401


@pytest.mark.parametrize("change", ["password", "another"])
def test_a_code_is_for_the_account_as_it_was(server: ServerProcess, change: str) -> None:
    address, phone = f"{change}@example.test", f"+431235{len(change):04}"
    asked = {"username": address, "password": PASSWORD, "phone": phone}
    assert post(server, "/register", asked).status == 202
    assert post(server, "/verify", {**asked, "code": code_of(server, phone)}).status == 200
    assert post(server, "/reset", {"username": address}).status == 202
    code = code_of(server, phone, 2)
    if change == "password":
        server.perform("account.passwd", address=address, password="set by its owner")
    else:
        server.perform("account.delete", address=address)
        server.perform("account.add", address=address, password=PASSWORD)
    late = {"username": address, "code": code, "password": OTHER}
    assert post(server, "/reset", late).status == 400
    assert post(server, "/login", {"username": address, "password": OTHER}).status == 401


@pytest.mark.parametrize(
    "name",
    ["nobody@example.test", ADA, "nobody@elsewhere.test", "\0", "x" * 5000, '"'],
    ids=["unknown", "not-reached", "domain", "nul", "long", "quote"],
)
def test_who_has_no_account_is_answered_alike(server: ServerProcess, name: str) -> None:
    asked = post(server, "/reset", {"username": name})
    assert (asked.status, asked.body) == (202, {"expires_in": 600})
    again = post(server, "/reset", {"username": name})
    assert (again.status, again.wait > 20) == (429, True)
    body = {"username": name, "code": "000000", "password": OTHER}
    found = [post(server, "/reset", body).status for _ in range(6)]
    is_name = name not in ("\0", "x" * 5000, '"')
    assert found == ([400] * 5 + [410] if is_name else [400] * 6)
    assert len(texts(server, PHONES[BOB])) <= 3


def test_log_out_asks_first(server: ServerProcess) -> None:
    browser = Browser(server)
    assert browser.get("/logout").form.action == "/login"
    browser.log_in(ADA, PASSWORD)
    asked = browser.get("/logout")
    assert (asked.form.action, is_inside(asked, ADA)) == ("/logout", True)
    assert browser.submit(asked).form.action == "/login"


@pytest.mark.parametrize("path", ["/register", "/verify", "/login", "/login/2fa", "/reset"])
def test_pages_can_be_read_aloud(server: ServerProcess, path: str) -> None:
    page = Browser(server).get(path)
    assert page.status == 200
    assert '<html lang="en">' in page.html
    assert len(re.findall("<h1>", page.html)) == 1
    seen = re.findall(r'<input id="(\w+)"', page.html)
    assert seen == re.findall(r'<label for="(\w+)"', page.html)
    assert "tabindex" not in page.html and "onclick" not in page.html
    scripted = path == "/login/2fa"
    assert (page.policy.get("script-src") == "'self'") is scripted
    assert ("<script" in page.html) is scripted


def test_the_script_is_a_file_of_its_own(server: ServerProcess) -> None:
    script = Browser(server).get("/pages/passkey.js")
    assert script.status == 200
    assert script.headers["content-type"].startswith("text/javascript")
    page = Browser(server).get("/login/2fa")
    assert 'id="passkey" hidden' in page.html, "nothing to press where scripts are off"


@pytest.mark.parametrize("passkey", ["x", "[]", "{}"])
def test_what_is_no_passkey(server: ServerProcess, passkey: str) -> None:
    browser = Browser(server)
    answer = browser.submit(browser.get("/login/2fa"), passkey=passkey)
    assert answer.status == (401 if passkey == "{}" else 400)
    assert "session" not in browser.cookies
