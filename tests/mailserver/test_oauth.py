"""Tokens for clients that ask users: codes with PKCE, consent, refresh, revocation, introspection,
with authlib and curl as clients.
"""

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

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
    path_of,
)
from tests.support.server import PASSWORD, until

ADA, BOB, CID = "ada@example.test", "bob@example.test", "cid@example.test"
CONFIGURED = """cors = ["https://app.example.test"]
[[oauth.client]]
id = "configured"
secret = "a secret of the configuration"
redirects = ["https://other.example.test/back"]
scopes = ["openid", "mail:imap"]
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[OAuthSite]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            with oauth_site(tmp_path_factory.mktemp("oauth"), database, CONFIGURED) as running:
                for address in (ADA, BOB, CID):
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


def test_a_client_of_others_gets_tokens_that_read_mail(site: OAuthSite, public: Any) -> None:
    metadata = site.metadata()
    client, browser = site.client(public), site.browser()
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-0S6"
    )
    asked = browser.log_in(ADA, PASSWORD, path_of(url))
    assert "Mail program (client.example.test) asks to: Read and change your mail" in asked.text
    assert asked.policy["form-action"] == "'self' https://client.example.test"
    back = browser.submit(asked, answer="allow", follow=False)
    assert (back.status, back.location.split("?")[0]) == (303, REDIRECT)
    answer = query_of(back.location)
    assert (answer["state"], answer["iss"]) == (state, site.issuer)
    tokens = client.fetch_token(
        metadata["token_endpoint"], authorization_response=back.location, code_verifier=VERIFIER
    )
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert set(tokens["scope"].split()) == set(SCOPE.split())
    assert bearer(site, ADA, tokens["access_token"]) == ""
    assert bearer(site, BOB, tokens["access_token"]) != ""

    keys = KeySet.import_key_set(site.get("/oauth/jwks").json())
    assert "d" not in site.get("/oauth/jwks").json()["keys"][0]
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"]) == (site.issuer, public["id"])
    assert (claims["nonce"], claims["email"], claims["email_verified"]) == ("n-0S6", ADA, True)
    assert claims["exp"] > claims["iat"] >= claims["auth_time"]
    known = client.get(metadata["userinfo_endpoint"]).json()
    assert (known["sub"], known["email"]) == (claims["sub"], ADA)

    turned = client.refresh_token(metadata["token_endpoint"])
    assert bearer(site, ADA, turned["access_token"]) == ""
    assert bearer(site, ADA, tokens["access_token"]) != ""
    revoked = client.revoke_token(
        metadata["revocation_endpoint"], turned["refresh_token"], token_type_hint="refresh_token"
    )
    assert revoked.status_code == 200
    assert bearer(site, ADA, turned["access_token"]) != ""
    assert "oauth" not in kinds(site, ADA)
    log = "\n".join(site.server.log)
    assert not any(turned[name] in log for name in ("access_token", "refresh_token"))


@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_curl_logs_in_with_the_token(site: OAuthSite, public: Any, protocol: str) -> None:
    if shutil.which("curl") is None:
        pytest.fail("curl is not installed")
    token = site.tokens(public, ADA)["access_token"]
    listener = "imaps" if protocol == "imap" else "submissions"
    scheme = "imaps" if protocol == "imap" else "smtps"
    url = f"{scheme}://127.0.0.1:{site.server.port(listener)}"
    command = ["curl", "-sv", "--cacert", str(site.ca), "-u", f"{ADA}:"]
    command += ["--oauth2-bearer", token, "--login-options", "AUTH=OAUTHBEARER"]
    if protocol == "imap":
        command += [f"{url}/INBOX", "-X", "EXAMINE INBOX"]
    else:
        command += [url, "--mail-from", ADA, "--mail-rcpt", ADA, "-T", "-"]
    done = subprocess.run(
        command,
        input=f"From: {ADA}\r\nSubject: by curl\r\n\r\nhello\r\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("EXISTS" in done.stdout + done.stderr) is (protocol == "imap")


def test_scopes_are_bounds(site: OAuthSite, public: Any) -> None:
    tokens = site.tokens(public, ADA, scope="mail:smtp unknown")
    assert tokens["scope"] == "mail:smtp"
    assert "id_token" not in tokens
    assert bearer(site, ADA, tokens["access_token"]) != ""
    none = site.get(
        "/oauth/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert (none.status_code, none.json()["error"]) == (403, "insufficient_scope")
    who = site.tokens(public, ADA, scope="openid")
    assert "refresh_token" not in who
    assert bearer(site, ADA, who["access_token"]) != ""


def test_a_refused_token_says_where_to_get_another(site: OAuthSite) -> None:
    said = json.loads(bearer(site, ADA, "msa_" + "A" * 43))
    assert said["status"] == "invalid_token"
    assert said["openid-configuration"] == f"{site.issuer}/.well-known/openid-configuration"
    assert "mail:imap" in said["scope"].split()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": None}, "unsupported_response_type", id="no-type"),
        pytest.param({"code_challenge": None}, "invalid_request", id="no-pkce"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="no-method"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="challenge"),
        pytest.param({"scope": "unknown"}, "invalid_scope", id="scope"),
        pytest.param({"scope": None}, "invalid_scope", id="no-scope"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="mode"),
        pytest.param({"request": "x.y.z"}, "request_not_supported", id="request"),
        pytest.param({"request_uri": "https://x.test"}, "request_uri_not_supported", id="uri"),
        pytest.param({"prompt": "none"}, "login_required", id="login"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="prompts"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="age"),
        pytest.param({"nonce": "n" * 3000}, "invalid_request", id="nonce"),
        pytest.param({"nonce": "a\0b"}, "invalid_request", id="nul"),
    ],
)
def test_what_is_wrong_is_told_to_the_client(
    site: OAuthSite, public: Any, changed: dict[str, str | None], error: str
) -> None:
    page = site.browser().get(site.asked(public, **changed))
    assert page.location.startswith(f"{REDIRECT}?")
    answer = query_of(page.location)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "s t&a=te", site.issuer)


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.test/",
        "https://client.example.test/back/",
        "https://client.example.test/back?x=1",
        "https://client.example.test.evil.test/back",
        "https://client.example.test@evil.test/back",
        "http://client.example.test/back",
        "//client.example.test/back",
        "https://client.example.test/back#x",
        "https://client.example.test/back\r\nX: y",
        "javascript:alert(1)",
        "",
    ],
    ids=[
        *("other", "slash", "query", "suffix", "user", "plain", "relative", "fragment", "lines"),
        *("script", "empty"),
    ],
)
def test_nobody_is_sent_elsewhere(site: OAuthSite, redirect: str) -> None:
    made = site.add_client("Two", REDIRECT, "https://client.example.test/second")
    page = site.browser().get(site.asked(made, redirect_uri=redirect))
    assert (page.status, page.location) == (400, "")
    assert "none of the client's" in page.text
    unknown = site.browser().get(site.asked({"id": "nobody"}))
    assert (unknown.status, unknown.location) == (400, "")


@pytest.mark.parametrize(
    ("registered", "asked", "source"),
    [
        pytest.param(
            "http://127.0.0.1/cb", "http://127.0.0.1:53111/cb", "http://127.0.0.1:*", id="v4"
        ),
        pytest.param("http://[::1]/cb", "http://[::1]:53111/cb", "http:", id="v6"),
        pytest.param("test.app.mail:/cb", "test.app.mail:/cb", "test.app.mail:", id="scheme"),
    ],
)
def test_programs_on_the_users_machine(
    site: OAuthSite, registered: str, asked: str, source: str
) -> None:
    made = site.add_client("Native", registered)
    browser = site.browser()
    for _ in range(2):  # asked each time: any program may say that it is this one
        page = browser.get(site.asked(made, redirect_uri=asked))
        if page.form.action == "/login":
            assert page.policy["form-action"] == f"'self' {source}"
            page = browser.submit(page, username=BOB, password=PASSWORD)
        assert "Native asks to" in page.text
        back = browser.submit(page, answer="allow", follow=False)
        assert back.location.startswith(f"{asked}?code=")
    code = query_of(back.location)["code"]
    assert site.exchange(made, code, redirect_uri=asked).status_code == 200
    elsewhere = asked.replace("127.0.0.1", "127.0.0.2").replace("::1", "::2")
    wrong = elsewhere if elsewhere != asked else "test.app.other:/cb"
    assert browser.get(site.asked(made, redirect_uri=wrong)).status == 400


@pytest.mark.parametrize(
    "redirect",
    [
        "http://client.example.test/",
        "ftp://x.test/",
        "mail:/cb",
        "javascript:x",
        "data:text/html,x",
        "https://a.test/#b",
        "https:///x",
        "https://a.test;x/",
        "https://*/",
        "https://u@a.test/",
        "x",
    ],
)
def test_redirects_that_may_not_be_registered(site: OAuthSite, redirect: str) -> None:
    with pytest.raises(Exception, match=r"https://\.\.\.|no address"):
        site.add_client("Bad", redirect)


def test_consent_is_remembered_until_it_is_taken_back(site: OAuthSite, private: Any) -> None:
    browser, path = site.browser(), site.asked(private)
    assert site.allow(browser, path, CID).location.startswith(REDIRECT)
    assert browser.get(path).location.startswith(f"{REDIRECT}?code=")
    assert "asks to" in browser.get(site.asked(private, prompt="consent")).text
    assert "asks to" in browser.get(site.asked(private, scope="sieve")).text
    refused = browser.get(site.asked(private, scope="sieve", prompt="none"))
    assert query_of(refused.location)["error"] == "consent_required"
    held = site.server.perform("oauth.consent.list", address=CID)
    assert [(one["account"], one["client"]) for one in held] == [(CID, private["id"])]
    apps = browser.get("/oauth/apps")
    assert "Web mail" in apps.text
    assert "Web mail" not in browser.submit(apps).text
    assert "asks to" in browser.get(path).text
    assert site.server.perform("oauth.consent.list", address=CID) == []


def test_a_user_refuses(site: OAuthSite, public: Any) -> None:
    browser = site.browser()
    page = browser.log_in(CID, PASSWORD, site.asked(public))
    back = browser.submit(page, answer="deny", follow=False)
    assert query_of(back.location)["error"] == "access_denied"
    found = site.server.perform("audit.list", address=CID)
    assert any(one["kind"] == "client refused" for one in found)


def test_a_foreign_form_allows_nothing(site: OAuthSite, public: Any) -> None:
    browser = site.browser()
    page = browser.log_in(CID, PASSWORD, site.asked(public))
    assert browser.submit(page, csrf="x", answer="allow", follow=False).status == 403


def test_a_login_is_asked_for_again(site: OAuthSite, private: Any) -> None:
    browser = site.browser()
    path = site.asked(private, prompt="login")
    assert site.allow(browser, path, CID).location.startswith(REDIRECT)
    # the login was just now, and is the one that was asked for
    assert browser.get(path).location.startswith(REDIRECT)


@pytest.mark.parametrize("way", ["basic", "form"])
def test_a_client_with_a_secret_proves_itself(site: OAuthSite, private: Any, way: str) -> None:
    code = site.code(private, CID)
    data = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    wrong = site.post("/oauth/token", data, auth=(private["id"], "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic ")
    without = site.post("/oauth/token", data | {"client_id": private["id"]})
    assert without.json()["error"] == "invalid_client"
    pair = {"client_id": private["id"], "client_secret": private["secret"]}
    both = site.post("/oauth/token", data | pair, auth=(private["id"], private["secret"]))
    assert both.json()["error"] == "invalid_request"
    if way == "basic":
        good = site.post("/oauth/token", data, auth=(private["id"], private["secret"]))
    else:
        good = site.post("/oauth/token", data | pair)
    assert good.status_code == 200


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param({"scope": "x"}, "invalid_client", id="nothing"),
        pytest.param({"client_id": "PUBLIC"}, "invalid_request", id="no-grant"),
        pytest.param(
            {"client_id": "PUBLIC", "grant_type": "password"},
            "unsupported_grant_type",
            id="password",
        ),
        pytest.param(
            {"client_id": "PUBLIC", "grant_type": "authorization_code"},
            "invalid_request",
            id="no-code",
        ),
        pytest.param([("client_id", "a"), ("client_id", "b")], "invalid_request", id="twice"),
        pytest.param({"client_id": "x" * 5000}, "invalid_client", id="long-client"),
        pytest.param({"client_id": "a\0b"}, "invalid_client", id="nul"),
        pytest.param({"client_id": "PUBLIC", "code": "x" * 20_000}, "invalid_request", id="octets"),
    ],
)
def test_bad_requests_for_tokens(site: OAuthSite, public: Any, data: Any, error: str) -> None:
    if isinstance(data, dict):
        data = {name: public["id"] if value == "PUBLIC" else value for name, value in data.items()}
    found = site.post("/oauth/token", data)
    assert found.status_code in (400, 401, 413)
    assert found.json()["error"] == error
    assert "error_description" in found.json()
    json_body = post(site.server, "/oauth/token", {"grant_type": "authorization_code"})
    assert (json_body.status, json_body.body["error"]) == (415, "invalid_request")


def test_metadata_is_what_the_standards_say(site: OAuthSite) -> None:
    found = site.metadata()
    same = site.get("/.well-known/oauth-authorization-server").json()
    assert (found, found["issuer"]) == (same, site.issuer)
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["response_types_supported"] == ["code"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "registration_endpoint" not in found
    refused = site.post("/oauth/register", None, json={"redirect_uris": [REDIRECT]})
    assert refused.status_code == 403


def test_scripts_of_listed_origins_may_ask(site: OAuthSite) -> None:
    for origin, allowed in (("https://app.example.test", True), ("https://evil.test", False)):
        found = site.get("/oauth/jwks", headers={"Origin": origin})
        assert (found.headers.get("access-control-allow-origin") == origin) is allowed
        assert found.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in found.headers


def test_a_client_of_the_configuration(site: OAuthSite) -> None:
    made = {"id": "configured", "secret": "a secret of the configuration"}
    back = "https://other.example.test/back"
    page = site.allow(site.browser(), site.asked(made, redirect_uri=back), ADA)
    code = query_of(page.location)["code"]
    found = site.exchange(
        made, code, redirect_uri=back, client_secret="a secret of the configuration"
    )
    assert found.json()["scope"] == "mail:imap openid"
    listed = site.server.perform("oauth.client.list")
    assert "a secret of the configuration" not in json.dumps(listed)
    with pytest.raises(Exception, match="configuration"):
        site.server.perform("oauth.client.delete", id="configured")


def test_it_is_all_in_the_audit_log(site: OAuthSite, public: Any) -> None:
    before, tokens = failures(site), site.tokens(public, CID)
    number = [one["id"] for one in site.server.perform("token.list", address=CID)][-1]
    site.refresh(public, "msr_" + "A" * 43)
    site.post("/oauth/revoke", {"token": tokens["access_token"], "client_id": public["id"]})
    found = [one["kind"] for one in site.server.perform("audit.list", address=CID)]
    assert {"client allowed", "credential made", "credential revoked"} <= set(found)
    until(lambda: failures(site) > before)  # that of the refresh
    entries = site.server.perform("audit.list", most=10_000)
    assert any(one["detail"].startswith("oauth: ") for one in entries)
    assert str(number) in [one["credential"] for one in entries]


def test_parameters_of_others_are_passed_over(site: OAuthSite, public: Any) -> None:
    """However often they are there: `resource` of RFC 8707 may be."""
    asked = [("resource", "a"), ("resource", "b"), ("grant_type", "x"), ("client_id", public["id"])]
    assert site.post("/oauth/token", asked).json()["error"] == "unsupported_grant_type"
    browser = site.browser()
    page = browser.log_in(CID, PASSWORD, f"{site.asked(public)}&resource=a&resource=b")
    assert "error=" not in page.location


def failures(site: OAuthSite) -> int:
    """How many the audit log counts; it folds those of an address."""
    entries = site.server.perform("audit.list", most=10_000)
    return sum(one["count"] for one in entries if one["kind"] == "login failed")


def test_a_client_that_does_not_prove_itself_is_in_the_audit_log(
    site: OAuthSite, private: Any
) -> None:
    before, auth = failures(site), (private["id"], "wrong")
    paths = ("/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization")
    for path in paths:
        assert site.post(path, {"token": "x"}, auth=auth).status_code == 401
    until(lambda: failures(site) >= before + len(paths))


def test_basic_authorization_that_is_none(site: OAuthSite, public: Any) -> None:
    for given in ("!", base64.b64encode(b"nocolon").decode(), base64.b64encode(b"\xff:x").decode()):
        found = site.post(
            "/oauth/token",
            {"grant_type": "refresh_token"},
            headers={"Authorization": f"Basic {given}"},
        )
        assert (found.status_code, found.json()["error"]) == (401, "invalid_client")
