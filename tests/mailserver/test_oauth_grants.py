"""What a client of OAuth was allowed: given once, refreshed, narrowed, asked about, ended."""

import asyncio
import imaplib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from joserfc import jws

from tests.support.browser import query_of
from tests.support.directories import own_database
from tests.support.http_api import post
from tests.support.oauth_site import (
    REDIRECT,
    SCOPE,
    VERIFIER,
    OAuthSite,
    bearer,
    kinds,
    oauth_site,
    revoke_all,
)
from tests.support.server import PASSWORD, until

ADA, BOB = "ada@example.test", "bob@example.test"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[OAuthSite]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            with oauth_site(tmp_path_factory.mktemp("grants"), database) as running:
                for address in (ADA, BOB):
                    running.server.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def public(site: OAuthSite) -> Any:
    return site.add_client("Mail program", REDIRECT)


@pytest.fixture(scope="module")
def private(site: OAuthSite) -> Any:
    return site.add_client("Web mail", REDIRECT, confidential=True)


def claims_of(token: str) -> dict[str, Any]:
    return dict(json.loads(jws.extract_compact(token.encode()).payload))


def test_nothing_is_spent_while_no_id_token_can_be_signed(site: OAuthSite, public: Any) -> None:
    """Stands first: the keys are read once."""
    keys = site.server.data / "oauth-keys.json"
    keys.write_text("no keys")
    code = site.code(public, BOB)
    failed = site.exchange(public, code)
    assert (failed.status_code, failed.json()["error"]) == (503, "server_error")
    keys.unlink()
    assert site.exchange(public, code).status_code == 200


def test_a_refresh_narrows_the_access_token_alone(site: OAuthSite, public: Any) -> None:
    tokens = site.tokens(public, BOB, scope="openid mail:imap mail:smtp")
    for scope in ("carddav", "unknown", "mail:smtp carddav"):
        wrong = site.refresh(public, tokens["refresh_token"], scope=scope)
        assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_scope")
    narrow = site.refresh(public, tokens["refresh_token"], scope="mail:smtp unknown").json()
    assert narrow["scope"] == "mail:smtp"
    assert "id_token" not in narrow
    assert bearer(site, BOB, narrow["access_token"]) != ""
    resource = site.add_client("Resource", confidential=True, introspects=True)
    auth = (resource["id"], resource["secret"])
    said = {
        name: site.post("/oauth/introspect", {"token": narrow[name]}, auth=auth).json()["scope"]
        for name in ("access_token", "refresh_token")
    }
    assert said == {"access_token": "mail:smtp", "refresh_token": "mail:imap mail:smtp openid"}
    wide = site.refresh(public, narrow["refresh_token"]).json()
    assert wide["scope"] == "mail:imap mail:smtp openid"
    assert bearer(site, BOB, wide["access_token"]) == ""


def test_an_id_token_of_a_refresh_says_when_the_user_logged_in(
    site: OAuthSite, public: Any
) -> None:
    """OpenID Connect Core §12.2."""
    browser = site.browser()
    page = browser.log_in(BOB, PASSWORD, site.asked(public, prompt="consent"))
    until(lambda: time.time() > logged_in_at(site) + 1.5)
    page = browser.submit(page, answer="allow", follow=False)
    tokens = site.exchange(public, query_of(page.location)["code"]).json()
    first = claims_of(tokens["id_token"])
    turned = claims_of(site.refresh(public, tokens["refresh_token"]).json()["id_token"])
    assert turned["auth_time"] == first["auth_time"]
    assert (turned["sub"], turned["iat"] > first["auth_time"]) == (first["sub"], True)


def logged_in_at(site: OAuthSite) -> float:
    """When the newest session of a browser began."""
    made = [
        one["created"]
        for one in site.server.perform("token.list", address=BOB)
        if one["kind"] == "browser"
    ]
    return datetime.fromisoformat(max(made)).timestamp()


def test_a_disabled_account_spends_no_refresh_token(site: OAuthSite, public: Any) -> None:
    tokens = site.tokens(public, BOB)
    site.server.perform("account.disable", address=BOB)
    refused = site.refresh(public, tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    site.server.perform("account.enable", address=BOB)
    assert site.refresh(public, tokens["refresh_token"]).status_code == 200


def test_what_is_taken_back_takes_its_codes_along(site: OAuthSite, private: Any) -> None:
    code = site.code(private, BOB)
    site.server.perform("oauth.consent.revoke", address=BOB, client=private["id"])
    late = site.exchange(private, code, client_secret=private["secret"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_token_that_comes_again_ends_all(site: OAuthSite, public: Any) -> None:
    revoke_all(site, BOB)
    first = site.tokens(public, BOB)
    second = site.refresh(public, first["refresh_token"]).json()
    third = site.refresh(public, second["refresh_token"]).json()
    assert bearer(site, BOB, third["access_token"]) == ""
    other = site.add_client("Other", REDIRECT)
    foreign = site.refresh(other, third["refresh_token"])
    assert (foreign.status_code, foreign.json()["error"]) == (400, "invalid_grant")
    assert bearer(site, BOB, third["access_token"]) == ""
    stolen = site.refresh(public, first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert bearer(site, BOB, third["access_token"]) != ""
    assert site.refresh(public, third["refresh_token"]).status_code == 400


def test_a_refresh_never_widens(site: OAuthSite, public: Any) -> None:
    tokens = site.tokens(public, BOB, scope="mail:imap offline_access")
    wide = site.refresh(public, tokens["refresh_token"], scope="mail:imap mail:smtp")
    assert wide.json()["error"] == "invalid_scope"
    narrow = site.refresh(public, tokens["refresh_token"], scope="mail:imap")
    assert narrow.status_code == 200


def test_sessions_and_grants_do_not_mix(site: OAuthSite, public: Any) -> None:
    tokens = site.tokens(public, BOB)
    assert (
        post(site.server, "/token/refresh", {"refresh_token": tokens["refresh_token"]}).status
        == 401
    )
    assert (
        post(site.server, "/login", {"username": BOB, "password": tokens["access_token"]}).status
        == 401
    )
    session = post(site.server, "/login", {"username": BOB, "password": PASSWORD}).body
    assert site.refresh(public, session["refresh_token"]).json()["error"] == "invalid_grant"
    assert (
        site.post(
            "/oauth/revoke", {"token": session["access_token"], "client_id": public["id"]}
        ).status_code
        == 200
    )
    assert bearer(site, BOB, session["access_token"]) == ""


@pytest.mark.parametrize("change", ["password", "disabled", "revoked", "client", "consent"])
def test_what_ends_a_grant_and_its_connections(site: OAuthSite, change: str) -> None:
    made = site.add_client("Short-lived", REDIRECT)
    tokens = site.tokens(made, BOB)
    client = imaplib.IMAP4("127.0.0.1", site.server.port("imap"))
    gs2 = f"n,a={BOB},\x01auth=Bearer {tokens['access_token']}\x01\x01".encode()
    client.authenticate("OAUTHBEARER", lambda _: gs2)
    if change == "password":
        site.server.perform("account.passwd", address=BOB, password=PASSWORD)
    elif change == "disabled":
        site.server.perform("account.disable", address=BOB)
        site.server.perform("account.enable", address=BOB)
    elif change == "revoked":
        revoke_all(site, BOB)
    elif change == "client":
        site.server.perform("oauth.client.delete", id=made["id"])
    else:
        site.server.perform("oauth.consent.revoke", address=BOB, client=made["id"])
    client.sock.settimeout(10)
    said = b"".join(iter(lambda: client.sock.recv(4096), b""))
    assert b"* BYE" in said
    client.shutdown()
    alive = site.refresh(made, tokens["refresh_token"]).status_code
    assert alive == (200 if change == "disabled" else 401 if change == "client" else 400)


def test_a_code_does_not_outlive_the_session(site: OAuthSite, public: Any) -> None:
    code = site.code(public, BOB)
    site.server.perform("account.passwd", address=BOB, password=PASSWORD)
    assert site.exchange(public, code).json()["error"] == "invalid_grant"


def test_introspection(site: OAuthSite, public: Any, private: Any) -> None:
    tokens = site.tokens(public, ADA)
    resource = site.add_client("Resource", confidential=True, introspects=True)
    auth = (resource["id"], resource["secret"])
    found = site.post("/oauth/introspect", {"token": tokens["access_token"]}, auth=auth).json()
    assert (found["active"], found["username"], found["client_id"]) == (True, ADA, public["id"])
    assert (found["iss"], set(found["scope"].split())) == (site.issuer, set(SCOPE.split()))
    fresh = site.post("/oauth/introspect", {"token": tokens["refresh_token"]}, auth=auth).json()
    assert (fresh["active"], fresh["token_type"]) == (True, "refresh_token")
    for token in ("x", "msa_" + "A" * 43, ""):
        asked = site.post("/oauth/introspect", {"token": token or "y"}, auth=auth).json()
        assert asked == {"active": False}
    foreign = (private["id"], private["secret"])
    hidden = site.post("/oauth/introspect", {"token": tokens["access_token"]}, auth=foreign)
    assert hidden.json() == {"active": False}
    anybody = site.post(
        "/oauth/introspect", {"token": tokens["access_token"], "client_id": public["id"]}
    )
    assert (anybody.status_code, anybody.json()["error"]) == (401, "invalid_client")
    other = site.post("/oauth/revoke", {"token": tokens["access_token"]}, auth=foreign)
    assert other.json()["error"] == "unauthorized_client"
    assert bearer(site, ADA, tokens["access_token"]) == ""


def test_a_code_is_good_once_and_its_replay_takes_back(site: OAuthSite, public: Any) -> None:
    code = site.code(public, BOB)
    first = site.exchange(public, code)
    assert bearer(site, BOB, first.json()["access_token"]) == ""
    again = site.exchange(public, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert bearer(site, BOB, first.json()["access_token"]) != ""
    assert site.refresh(public, first.json()["refresh_token"]).status_code == 400


def test_one_of_many_at_once_gets_something_for_a_code_at_most(
    site: OAuthSite, public: Any
) -> None:
    revoke_all(site, BOB)
    code = site.code(public, BOB)
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda _: site.exchange(public, code), range(5)))
    good = [one.json()["access_token"] for one in found if one.status_code == 200]
    assert len(good) <= 1
    assert "oauth" not in kinds(site, BOB)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"code_verifier": "b" * 43}, id="verifier"),
        pytest.param({"code_verifier": ""}, id="no-verifier"),
        pytest.param({"code_verifier": VERIFIER[:42]}, id="short-verifier"),
        pytest.param({"redirect_uri": "https://client.example.test/other"}, id="redirect"),
        pytest.param({"client_id": "OTHER"}, id="client"),
        pytest.param({"code": "msk_" + "A" * 43}, id="code"),
        pytest.param({"code": "x" * 5000}, id="long"),
        pytest.param({"code": "\0"}, id="nul"),
    ],
)
def test_a_code_is_bound_to_its_request(
    site: OAuthSite, public: Any, changed: dict[str, str]
) -> None:
    other = site.add_client("Other", REDIRECT)
    code = site.code(public, BOB)
    if changed.get("client_id"):
        changed = {"client_id": other["id"]}
    refused = site.exchange(public, changed.get("code", code), **changed)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert refused.headers["cache-control"] == "no-store"
    if "code" not in changed:  # and is spent
        assert site.exchange(public, code).json()["error"] == "invalid_grant"


def test_userinfo_needs_a_token(site: OAuthSite) -> None:
    for value in ("", "Bearer", "Bearer x", "Basic eDp5", "Bearer msa_" + "A" * 43):
        found = site.get("/oauth/userinfo", headers={"Authorization": value} if value else {})
        assert found.status_code == 401
        assert found.headers["www-authenticate"].startswith("Bearer ")
        assert ("error=" in found.headers["www-authenticate"]) is bool(value)


def test_a_listing_shows_no_secret(site: OAuthSite, private: Any) -> None:
    tokens = site.tokens(
        {**private, "secret": None} | {"id": site.add_client("P", REDIRECT)["id"]}, BOB
    )
    shown = site.server.command("token", "list", BOB).stdout
    shown += site.server.command("oauth", "client", "list").stdout
    assert "oauth" in shown
    held = (private["secret"], tokens["access_token"], tokens["refresh_token"])
    assert not any(secret in shown for secret in held)
    stored = b"".join(p.read_bytes() for p in site.server.data.glob("config.db*"))
    assert not any(secret.encode() in stored for secret in held)
