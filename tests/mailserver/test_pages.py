"""Pages without scripts: what they may load, forms from elsewhere, cookies, the login."""

import base64
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from auth.totp import code_of, step_of
from tests.support.browser import Browser
from tests.support.http_api import post
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, CID = "ada@example.test", "cid@example.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = configuration(extra='[filters]\nlocal_networks = ["127.0.0.0/8"]\n')
    with ServerProcess(tmp_path_factory.mktemp("pages"), config) as running:
        for address in (ADA, CID):
            running.perform("account.add", address=address, password=PASSWORD)
        yield running


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_a_page_loads_nothing_from_elsewhere_and_stands_in_no_frame(server: ServerProcess) -> None:
    page = Browser(server).get("/login")
    assert page.status == 200
    assert page.policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    style = page.html.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    sheet = Browser(server).get(style)
    assert (sheet.status, sheet.headers["content-type"].partition(";")[0]) == (200, "text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert "font:" in sheet.html
    assert "no-cache" in Browser(server).get("/pages/other.css").headers["cache-control"]


def test_a_browser_logs_in_and_out(server: ServerProcess) -> None:
    browser = Browser(server)
    inside = browser.log_in(ADA, PASSWORD)
    assert (inside.status, "As ada@example.test." in inside.text) == (200, True)
    assert [one["kind"] for one in server.perform("token.list", address=ADA)] == ["browser"]
    cookie = browser.cookies["session"]
    assert cookie not in "\n".join(server.log)
    outside = browser.submit(inside)
    assert outside.form.action == "/login"
    assert "session" not in browser.cookies
    browser.cookies["session"] = cookie
    assert browser.get("/login").form.action == "/login"
    assert server.perform("token.list", address=ADA) == []


def test_who_logs_in_again_has_one_session(server: ServerProcess) -> None:
    browser = Browser(server)
    browser.log_in(ADA, PASSWORD)
    (before,) = server.perform("token.list", address=ADA)
    old = browser.cookies["session"]
    inside = browser.log_in(ADA, PASSWORD, "/login?again=1")
    assert "As ada@example.test." in inside.text
    (after,) = server.perform("token.list", address=ADA)
    assert after["id"] != before["id"] and browser.cookies["session"] != old
    browser.submit(inside)
    assert server.perform("token.list", address=ADA) == []


def test_the_cookie_of_a_browser_is_good_for_pages_alone(server: ServerProcess) -> None:
    browser = Browser(server)
    browser.log_in(ADA, PASSWORD)
    cookie = browser.cookies["session"]
    assert post(server, "/login", {"username": ADA, "password": cookie}).status == 401
    assert post(server, "/token/refresh", {"refresh_token": cookie}).status == 401
    assert post(server, "/logout", None, {"Authorization": f"Bearer {cookie}"}).status == 401
    assert "As ada@example.test." in browser.get("/login").text


@pytest.mark.parametrize("change", ["password", "disabled", "revoked"])
def test_what_ends_a_session_of_a_browser(server: ServerProcess, change: str) -> None:
    browser = Browser(server)
    browser.log_in(ADA, PASSWORD)
    if change == "password":
        server.perform("account.passwd", address=ADA, password=PASSWORD)
    elif change == "disabled":
        server.perform("account.disable", address=ADA)
    else:
        for one in server.perform("token.list", address=ADA):
            server.perform("token.revoke", address=ADA, id=one["id"])
    assert browser.get("/login").form.action == "/login"
    server.perform("account.enable", address=ADA)
    assert (browser.get("/login").form.action == "/login") is (change != "disabled")


def test_cookies_over_tls_are_bound_to_the_host(server: ServerProcess, tls: ssl.SSLContext) -> None:
    browser = Browser(server, tls)
    browser.log_in(ADA, PASSWORD)
    assert set(browser.cookies) == {"__Host-session", "__Host-form"}
    kept = [line for line in browser.set if not line.split(";")[0].endswith('=""')]
    assert all(
        {"Secure", "HttpOnly", "SameSite=lax", "Path=/"}
        <= {part.strip() for part in line.split(";")}
        for line in kept
    )
    browser.cookies = {"session": browser.cookies["__Host-session"]}
    assert browser.get("/login").form.action == "/login"


def test_a_wrong_password_is_told_and_nothing_of_it_comes_back(server: ServerProcess) -> None:
    browser = Browser(server)
    page = browser.log_in('<b>"x', "se'cret<")
    assert page.status == 401
    assert "Authentication failed" in page.text
    assert 'value="&lt;b&gt;&#34;x"' in page.html
    assert "cret" not in page.html
    assert "session" not in browser.cookies


def test_a_second_factor_is_asked_for(server: ServerProcess) -> None:
    begun = server.perform("account.second-factor.begin", address=CID)
    key, step = base64.b32decode(begun["key"].replace(" ", "")), step_of(time.time())
    server.perform("account.second-factor.confirm", address=CID, code=code_of(key, step))
    browser = Browser(server)
    asked = browser.log_in(CID, PASSWORD)
    assert (asked.status, "session" in browser.cookies) == (401, False)
    assert "A code of the second factor is needed" in asked.text
    inside = browser.submit(asked, password=PASSWORD, code=code_of(key, step + 1))
    assert "As cid@example.test." in inside.text


@pytest.mark.parametrize(
    "sent",
    ["no-token", "other-browser", "no-cookie", "altered", "cross-site", "late"],
)
def test_a_form_of_another_site_is_refused(server: ServerProcess, sent: str) -> None:
    browser, other = Browser(server), Browser(server)
    page, foreign = browser.get("/login"), other.get("/login")
    token = dict(page.form.fields)["csrf"]
    headers = {}
    if sent == "no-token":
        token = ""
    elif sent == "other-browser":
        token = dict(foreign.form.fields)["csrf"]
    elif sent == "no-cookie":
        browser.cookies.clear()
    elif sent == "altered":
        token = token[:-1] + ("0" if token[-1] != "0" else "1")
    elif sent == "late":
        token = f"{int(token.partition('.')[0]) - 7 * 3600}.{token.partition('.')[2]}"
    else:
        headers = {"Sec-Fetch-Site": "cross-site"}
    done = browser.submit(page, headers=headers, csrf=token, username=ADA, password=PASSWORD)
    assert (done.status, "session" in browser.cookies) == (403, False)
    assert "another site" in done.text


@pytest.mark.parametrize(
    "path",
    [
        "//evil.test/",
        "https://evil.test/",
        "/\\evil.test/",
        "\\\\evil.test",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=y",
        "evil.test",
    ],
    ids=["slashes", "scheme", "backslash", "backslashes", "script", "lines", "relative"],
)
def test_a_login_leads_nowhere_else(server: ServerProcess, path: str) -> None:
    browser = Browser(server)
    page = browser.get("/login")
    done = browser.submit(page, follow=False, next=path, username=ADA, password=PASSWORD)
    assert (done.status, done.location) == (303, "/login")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"username=" + b"x" * 20_000, 413, id="octets"),
        pytest.param(b"&".join(b"a%d=1" % i for i in range(60)), 400, id="fields"),
        pytest.param(b"username=%ff", 400, id="utf8"),
        pytest.param(b"username=\xff", 400, id="bytes"),
        pytest.param(b"csrf=a&csrf=b", 400, id="twice"),
    ],
)
def test_a_form_that_is_none(server: ServerProcess, body: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port("http")), 20) as peer:
        peer.sendall(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"<h1>That did not work</h1>" in answer


def test_json_at_the_same_path_is_the_api(server: ServerProcess) -> None:
    found = post(server, "/login", {"username": ADA, "password": "wrong"})
    assert (found.status, found.kind) == (401, "application/problem+json")
