"""Logins by an outside identity provider that somebody else wrote."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from auth.totp import code_of, step_of
from tests.support.browser import Browser, Page
from tests.support.oauth_site import path_of
from tests.support.outside_provider import log_in_there, outside_provider
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration, until

ADA, BOB, CID = "ada@example.test", "bob@example.test", "cid@example.test"
USERS = {
    "ada": {"email": ADA, "email_verified": True, "name": "Ada"},
    "bob": {"email": BOB, "email_verified": False},
    "cid": {"email": CID, "email_verified": True},
    "new": {"email": "new@example.test", "email_verified": True, "name": "New One"},
    "far": {"email": "far@elsewhere.test", "email_verified": True},
    "none": {},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, ca = tmp_path_factory.mktemp("outside"), trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(made / "ca.pem")
    issued.private_key_pem.write_to_path(made / "key.pem")
    issued.cert_chain_pems[0].write_to_path(made / "chain.pem")
    return made


@pytest.fixture(scope="module")
def issuer(folder: Path) -> Iterator[str]:
    with outside_provider(free_port(), folder, USERS) as running:
        yield running


def config_of(issuer: str, networks: str = '["127.0.0.0/8"]', more: str = "") -> str:
    extra = (
        '[filters]\nlocal_networks = ["127.0.0.0/8"]\n'
        f'[oidc]\nissuer = "{issuer}"\nname = "Elsewhere"\nclient_id = "mail"\n'
        f'client_secret = "between us"\nnetworks = {networks}\n{more}'
    )
    return configuration(extra=extra)


@pytest.fixture(scope="module")
def server(folder: Path, issuer: str) -> Iterator[ServerProcess]:
    config = config_of(issuer, more="create_accounts = true\n")
    environment = {"SSL_CERT_FILE": str(folder / "ca.pem")}
    with ServerProcess(folder / "server", config, environment) as running:
        for address in (ADA, BOB, CID):
            running.perform("account.add", address=address, password=PASSWORD)
        yield running


def leave(browser: Browser, following: str = "/login") -> str:
    """Where the login page sends a browser."""
    assert "Continue with Elsewhere" in browser.get("/login").text
    offered = browser.get(f"/oauth/outside?next={following}")
    gone = browser.submit(offered, follow=False)
    assert gone.status == 303, gone.text
    return gone.location


def come_back(browser: Browser, user: str, folder: Path, following: str = "/login") -> Page:
    back = log_in_there(leave(browser, following), user, folder / "ca.pem")
    return browser.get(path_of(back))


def test_a_user_of_the_provider_logs_in(server: ServerProcess, folder: Path) -> None:
    browser = Browser(server)
    inside = come_back(browser, "ada", folder)
    assert "As ada@example.test." in inside.text
    assert [one["kind"] for one in server.perform("token.list", address=ADA)] == ["browser"]
    entries = server.perform("audit.list", address=ADA)
    assert any(one["kind"] == "login" for one in entries)
    log = "\n".join(server.log)
    assert "between us" not in log


def test_an_account_is_made_where_that_is_wanted(server: ServerProcess, folder: Path) -> None:
    assert "As new@example.test." in come_back(Browser(server), "new", folder).text
    made = server.perform("account.show", address="new@example.test")
    assert made["name"] == "New One"


@pytest.mark.parametrize("user", ["bob", "far", "none"])
def test_whom_the_provider_does_not_vouch_for(
    server: ServerProcess, folder: Path, user: str
) -> None:
    browser = Browser(server)
    page = come_back(browser, user, folder)
    assert (page.status, "session" in browser.cookies) == (401, False)


def test_a_second_factor_is_asked_for_here(server: ServerProcess, folder: Path) -> None:
    begun = server.perform("account.second-factor.begin", address=CID)
    key, step = base64.b32decode(begun["key"].replace(" ", "")), step_of(time.time())
    server.perform("account.second-factor.confirm", address=CID, code=code_of(key, step))
    browser = Browser(server)
    asked = come_back(browser, "cid", folder)
    assert "session" not in browser.cookies
    inside = browser.submit(asked, code=code_of(key, step + 1))
    assert "As cid@example.test." in inside.text


def test_an_answer_is_for_the_browser_that_asked_and_for_once(
    server: ServerProcess, folder: Path
) -> None:
    browser, other = Browser(server), Browser(server)
    back = log_in_there(leave(browser), "ada", folder / "ca.pem")
    other.get("/login")
    assert other.get(path_of(back)).status == 502
    assert "session" not in other.cookies
    assert browser.get(path_of(back)).status == 502  # spent by the other
    assert browser.get("/oauth/callback?code=x&state=y").status == 502
    assert browser.get("/oauth/callback?error=access_denied").status == 502


def test_an_answer_of_another_issuer_is_refused(server: ServerProcess, folder: Path) -> None:
    browser = Browser(server)
    back = log_in_there(leave(browser), "ada", folder / "ca.pem")
    assert browser.get(f"{path_of(back)}&iss=https://evil.test").status == 502


def test_a_login_leads_nowhere_else(server: ServerProcess, folder: Path) -> None:
    browser = Browser(server)
    assert "As ada" in come_back(browser, "ada", folder, "//evil.test/").text


def test_private_addresses_are_not_asked(folder: Path, issuer: str, tmp_path: Path) -> None:
    environment = {"SSL_CERT_FILE": str(folder / "ca.pem")}
    with ServerProcess(tmp_path, config_of(issuer, networks="[]"), environment) as closed:
        browser = Browser(closed)
        page = browser.submit(browser.get("/oauth/outside"), follow=False)
        assert page.status == 502
        failed = until(lambda: closed.events("login outside failed"))
    assert "no address that may be asked" in failed[0]["reason"]
