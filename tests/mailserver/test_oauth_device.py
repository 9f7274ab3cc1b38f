"""Devices without a browser (RFC 8628), and programs that register themselves (RFC 7591)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.directories import own_database
from tests.support.oauth_site import REDIRECT, OAuthSite, oauth_site, path_of
from tests.support.server import PASSWORD

ADA, BOB = "ada@example.test", "bob@example.test"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[OAuthSite]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("device")
            with oauth_site(folder, database, "registration = true\n") as running:
                for address in (ADA, BOB):
                    running.server.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def screen(site: OAuthSite) -> Any:
    return site.add_client("Screen")


def begin(site: OAuthSite, client: Any, scope: str = "openid mail:imap") -> dict[str, Any]:
    asked = {"client_id": client["id"], "scope": scope}
    found = site.post("/oauth/device_authorization", asked)
    assert found.status_code == 200, found.text
    return dict(found.json())


def ask(site: OAuthSite, client: Any, begun: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    data = {"grant_type": DEVICE, "device_code": begun["device_code"], "client_id": client["id"]}
    found = site.post("/oauth/token", data)
    return found.status_code, found.json()


def test_a_device_is_connected_elsewhere(site: OAuthSite, screen: Any) -> None:
    begun = begin(site, screen)
    assert begun["verification_uri"] == f"{site.issuer}/oauth/device"
    assert (begun["interval"], begun["expires_in"]) == (5, 600)
    assert ask(site, screen, begun)[1]["error"] == "authorization_pending"
    assert ask(site, screen, begun)[1]["error"] == "slow_down"
    browser = site.browser()
    page = browser.log_in(ADA, PASSWORD, path_of(begun["verification_uri_complete"]))
    asked = browser.submit(page)
    assert "Screen asks to: Read and change your mail" in asked.text
    assert begun["user_code"] in asked.html
    done = browser.submit(asked, answer="allow")
    assert "The device is connected." in done.text
    soon = ask(site, screen, begun)
    assert soon[1].get("error") == "slow_down"


def test_an_answer_is_handed_out_once(site: OAuthSite, screen: Any) -> None:
    begun = begin(site, screen)
    browser = site.browser()
    page = browser.log_in(ADA, PASSWORD, "/oauth/device")
    typed = begun["user_code"].lower().replace("-", " ")
    asked = browser.submit(page, user_code=typed)
    assert "The device is connected." in browser.submit(asked, answer="allow").text
    other = site.add_client("Other screen")
    assert ask(site, other, begun)[1]["error"] == "invalid_grant"
    status, tokens = ask(site, screen, begun)
    assert (status, tokens["scope"]) == (200, "mail:imap openid")
    assert "id_token" in tokens
    assert site.refresh(screen, tokens["refresh_token"]).status_code == 200
    assert ask(site, screen, begun)[1]["error"] == "invalid_grant"
    again = browser.submit(page, user_code=typed)
    assert (again.status, "No device waits" in again.text) == (400, True)
    held = [one["name"] for one in site.server.perform("token.list", address=ADA)]
    assert "Screen" in held


def test_a_user_refuses_a_device(site: OAuthSite, screen: Any) -> None:
    begun = begin(site, screen)
    browser = site.browser()
    page = browser.log_in(ADA, PASSWORD, "/oauth/device")
    asked = browser.submit(page, user_code=begun["user_code"])
    assert "refused" in browser.submit(asked, answer="deny").text
    assert ask(site, screen, begun)[1]["error"] == "access_denied"


def test_what_a_device_was_allowed_ends_with_the_password(site: OAuthSite, screen: Any) -> None:
    begun = begin(site, screen)
    browser = site.browser()
    page = browser.log_in(ADA, PASSWORD, "/oauth/device")
    browser.submit(browser.submit(page, user_code=begun["user_code"]), answer="allow")
    site.server.perform("account.passwd", address=ADA, password=PASSWORD)
    assert ask(site, screen, begun)[1]["error"] == "invalid_grant"


def test_codes_of_devices_cannot_be_guessed(site: OAuthSite) -> None:
    browser = site.browser()
    page = browser.log_in(BOB, PASSWORD, "/oauth/device")
    found = [browser.submit(page, user_code="BCDF-GHJK").status for _ in range(11)]
    assert found == [400] * 10 + [429]


@pytest.mark.parametrize("code", ["", "x", "msd_" + "A" * 43, "x" * 4000])
def test_device_codes_that_are_none(site: OAuthSite, screen: Any, code: str) -> None:
    status, answer = ask(site, screen, {"device_code": code})
    assert (status, answer["error"]) == (400, "invalid_grant" if code else "invalid_request")


def test_no_more_devices_wait_than_an_address_may_have(site: OAuthSite) -> None:
    client = site.add_client("Many")
    asked = {"client_id": client["id"], "scope": "openid"}
    found = [site.post("/oauth/device_authorization", asked) for _ in range(21)]
    refused = found[-1]
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) > 0


def test_a_program_registers_itself(site: OAuthSite) -> None:
    assert site.metadata()["registration_endpoint"] == f"{site.issuer}/oauth/register"
    asked = {"client_name": "Own <b>name</b>", "redirect_uris": [REDIRECT], "scope": "openid"}
    made = site.post("/oauth/register", None, json=asked)
    assert (made.status_code, made.json()["token_endpoint_auth_method"]) == (201, "none")
    client = {"id": made.json()["client_id"], "secret": None}
    browser = site.browser()
    page = browser.log_in(BOB, PASSWORD, site.asked(client))
    assert "Own <b>name</b>" in page.text
    assert "nobody has checked it" in page.text
    back = browser.submit(page, answer="allow", follow=False)
    assert back.location.startswith(f"{REDIRECT}?code=")
    device = {"client_id": client["id"], "scope": "openid"}
    refused = site.post("/oauth/device_authorization", device)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({}, "invalid_redirect_uri", id="nothing"),
        pytest.param({"redirect_uris": []}, "invalid_redirect_uri", id="none"),
        pytest.param({"redirect_uris": [1]}, "invalid_redirect_uri", id="number"),
        pytest.param({"redirect_uris": ["http://x.test/"]}, "invalid_redirect_uri", id="plain"),
        pytest.param(
            {"redirect_uris": [REDIRECT], "scope": "all"}, "invalid_client_metadata", id="scope"
        ),
        pytest.param(
            {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic"},
            "invalid_client_metadata",
            id="secret",
        ),
        pytest.param(
            {"redirect_uris": [REDIRECT], "client_name": "x\n"},
            "invalid_client_metadata",
            id="name",
        ),
        pytest.param({"redirect_uris": ["x" * 20_000]}, "invalid_request", id="octets"),
    ],
)
def test_bad_registrations(site: OAuthSite, asked: dict[str, Any], error: str) -> None:
    found = site.post("/oauth/register", None, json=asked)
    assert found.json()["error"] == error
