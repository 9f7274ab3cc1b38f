"""What users and administrators do by REST, and what they may not."""

import imaplib
import smtplib
from typing import Any

import pytest

from tests.support.http_api import ask, post
from tests.support.jmap import letter
from tests.support.rest import ADA, API, BOB, Rest, asked, declared
from tests.support.server import ServerProcess, until
from web.rest.endpoint import Access

ENDPOINTS = [one for one in declared() if one.handler is not None]
NEW = {"password": "another horse battery"}


@pytest.mark.parametrize("one", ENDPOINTS, ids=lambda one: one.name)
def test_nobody_comes_in_without_a_login(server: ServerProcess, one: Any) -> None:
    assert one.access is not Access.PUBLIC
    path = one.path.replace("{", "").replace("}", "")
    found = asked(server, one.method, path, {})
    assert (found.status, found.kind) == (401, "application/problem+json")


@pytest.mark.parametrize(
    "one",
    [one for one in ENDPOINTS if one.method == "GET" and "{" not in one.path],
    ids=lambda one: one.name,
)
def test_everything_can_be_read(ada: Rest, root: Rest, one: Any) -> None:
    """By administrators; of what is theirs, by users."""
    queries = {"explain": "?account=ada@example.test&uid=1", "completeContacts": "?q=a"}
    query = queries.get(one.name, "")
    found = root.ask("GET", one.path + query)
    assert found.status == (404 if one.name == "explain" else 200), found.body
    mine = ada.ask("GET", one.path + query)
    listed = {"listAccounts", "listAliases", "listDomains"}
    if not one.path.startswith("/admin/"):
        assert mine.status == 200
    elif one.name in listed:
        assert [row.get("address") for row in mine.body["items"]] in ([], [ADA])
    else:
        assert mine.status == 403


def test_tags_are_shown_in_their_order(ada: Rest) -> None:
    assert ada.ask("PUT", "/tags/b", {"name": "B", "position": 1}).status == 200
    assert ada.ask("PUT", "/tags/a%2Fc", {"name": "A", "position": 2}).status == 200
    assert [one["keyword"] for one in ada.get("/tags")["items"]] == ["b", "a/c"]
    changed = ada.ask("PATCH", "/tags/A%2FC", {"position": 0, "colour": "#00ff00"})
    assert changed.body == {"keyword": "a/c", "name": "A", "colour": "#00ff00", "position": 0}
    assert [one["keyword"] for one in ada.get("/tags")["items"]] == ["a/c", "b"]
    for keyword in ("b", "a%2Fc"):
        assert ada.ask("DELETE", f"/tags/{keyword}").status == 204
    assert ada.ask("DELETE", "/tags/b").status == 404


def test_settings_go_back_to_their_defaults(ada: Rest, bob: Rest) -> None:
    assert ada.ask("PATCH", "/preferences", {"language": "de", "auto_tags": True}).status == 200
    chosen = ada.get("/preferences")
    assert (chosen["language"], chosen["time_zone"], chosen["auto_tags"]) == ("de", "", True)
    assert bob.get("/preferences")["language"] == ""
    found = ada.ask("PATCH", "/preferences", {"language": None, "auto_tags": None})
    assert (found.body["language"], found.body["auto_tags"]) == ("", False)


def test_an_app_password_is_good_at_once_until_it_is_ended(
    server: ServerProcess, ada: Rest, bob: Rest
) -> None:
    made = ada.ask("POST", "/app-passwords", {"name": "phone", "protocols": ["imap"]})
    assert made.status == 201
    number, secret = made.body["id"], made.body["secret"]
    imap = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    assert imap.login(ADA, secret)[0] == "OK"
    assert bob.ask("DELETE", f"/app-passwords/{number}").status == 404
    listed = {one["id"]: one for one in ada.get("/app-passwords")["items"]}
    assert (listed[number]["name"], "secret" in listed[number]) == ("phone", False)
    assert ada.ask("DELETE", f"/app-passwords/{number}").status == 204
    imap.shutdown()
    imap = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(ADA, secret)
    imap.shutdown()


def test_sessions_are_listed_and_ended(server: ServerProcess) -> None:
    one, two = Rest(server, BOB), Rest(server, BOB)
    numbers = [each["id"] for each in one.get("/sessions")["items"]]
    assert two.ask("DELETE", f"/sessions/{numbers[-2]}").status == 204
    assert one.ask("GET", "/sessions").status == 401
    signed = one.server.perform("audit.list", address=BOB)[0]
    assert two.get("/sign-ins?limit=1")["items"][0]["account"] == signed["account"]


def test_a_new_password_ends_sessions(server: ServerProcess, root: Rest) -> None:
    made = root.ask("POST", "/admin/accounts", {"address": "eve@example.test", **NEW})
    assert (made.status, made.body["quota"]) == (201, 0)
    eve = Rest(server, "eve@example.test", NEW["password"])
    found = eve.ask("PUT", "/password", {"password": "yet another horse"})
    assert (found.status, found.body["bits"] > 10) == (200, True)
    assert eve.ask("GET", "/account").status == 401
    again = {"username": "eve@example.test", "password": "yet another horse"}
    assert post(server, "/login", again).status == 200
    assert root.ask("DELETE", "/admin/accounts/eve@example.test").status == 204
    assert root.get("/admin/accounts/eve@example.test", 404)["status"] == 404


def test_rules_are_replaced_by_who_saw_them(ada: Rest) -> None:
    seen = ada.ask("GET", "/rules")
    rule = {
        "name": "News",
        "conditions": [{"type": "header", "name": "Subject", "value": "news"}],
        "actions": [{"type": "file", "mailbox": "News"}],
    }
    put = ada.ask("PUT", "/rules", {"rules": [rule]}, If_Match=seen.fields["etag"])
    assert (put.status, put.body["rules"][0]["name"]) == (200, "News")
    assert ada.ask("PUT", "/rules", {"rules": []}, If_Match=seen.fields["etag"]).status == 412
    wrong = {**rule, "actions": [{"type": "explode"}]}
    assert ada.ask("PUT", "/rules/News", wrong).status == 422
    more = {**rule, "name": "More"}
    assert ada.ask("PUT", "/rules/More", more).body["name"] == "More"
    assert ada.ask("PUT", "/rules/More", rule).status == 409
    names = [one["name"] for one in ada.get("/rules")["rules"]]
    assert names == ["News", "More"]
    tried = ada.ask("POST", "/trials", {"rule": rule})
    assert (tried.status, tried.body.get("tested")) == (200, 0), tried.body
    for name in names:
        assert ada.ask("DELETE", f"/rules/{name}").status == 204
    assert ada.ask("DELETE", "/rules/News").status == 404


def test_scripts_are_stored_run_and_renamed(ada: Rest) -> None:
    text = {"text": "keep;\n", "activate": True}
    assert ada.ask("PUT", "/sieve/a%2Fb", text).status == 428
    made = ada.ask("PUT", "/sieve/a%2Fb", text, If_None_Match="*")
    assert (made.status, made.body["active"]) == (200, True)
    assert ada.ask("PUT", "/sieve/a%2Fb", text, If_None_Match="*").status == 412
    wrong = ada.ask("PUT", "/sieve/wrong", {"text": "nonsense;"}, If_None_Match="*")
    assert (wrong.status, "line 1" in wrong.body["detail"]) == (422, True)
    assert ada.ask("DELETE", "/sieve/a%2Fb").status == 409
    found = ada.ask("PATCH", "/sieve/a%2Fb", {"name": "c", "active": False})
    assert (found.body["name"], found.body["active"]) == ("c", False)
    assert ada.ask("DELETE", "/sieve/c").status == 204


def test_administrators_do_no_more_than_their_role(
    server: ServerProcess, ada: Rest, root: Rest
) -> None:
    """And what they do to others is told in their audit log."""
    server.perform("domain.add", domain="other.test")
    account = {"address": "dora@other.test", **NEW}
    assert root.ask("POST", "/admin/accounts", account).status == 201
    role = {"role": "domain-administrator", "domains": ["other.test"]}
    assert ada.ask("PUT", "/admin/accounts/dora@other.test/role", role).status == 403
    assert root.ask("PUT", "/admin/accounts/dora@other.test/role", role).status == 200
    dora = Rest(server, "dora@other.test", NEW["password"])
    assert [one["address"] for one in dora.get("/admin/accounts")["items"]] == ["dora@other.test"]
    assert dora.ask("GET", f"/admin/accounts/{ADA}").status == 403
    assert dora.ask("GET", "/admin/accounts/nobody@other.test").status == 403
    second = {"address": "second@other.test", **NEW}
    assert dora.ask("POST", "/admin/accounts", second).status == 201
    quota = dora.ask("PATCH", "/admin/accounts/second@other.test", {"quota": 1000})
    assert (quota.status, quota.body["quota"]) == (200, 1000)
    assert "maildir" not in quota.body
    limits = {"submission": {"save_sent": True}}
    assert dora.ask("PATCH", "/admin/accounts/second@other.test", limits).status == 200
    assert dora.ask("GET", "/admin/blocks").status == 403
    off = dora.ask("PUT", "/admin/accounts/second@other.test/enabled", {"enabled": False})
    assert (off.status, off.body["enabled"]) == (200, False)
    told = root.get("/admin/audit?address=second@other.test")["items"]
    assert any("account.disable, by dora@other.test" in one["detail"] for one in told)


def test_blocks_aliases_and_domains(root: Rest) -> None:
    block = {"network": "192.0.2.0/24", "reason": "test"}
    assert root.ask("POST", "/admin/blocks", block).status == 201
    assert root.ask("POST", "/admin/blocks", {"network": "nonsense"}).status == 422
    assert "192.0.2.0/24" in [one["network"] for one in root.get("/admin/blocks")["items"]]
    assert root.ask("DELETE", "/admin/blocks/192.0.2.0%2F24").status == 204
    alias = {"alias": "team@example.test", "targets": [ADA, BOB]}
    assert root.ask("POST", "/admin/aliases", alias).status == 201
    found = root.ask("PATCH", "/admin/aliases/team@example.test", {"send_as": True})
    assert found.body == {**alias, "send_as": True}
    assert root.ask("DELETE", "/admin/aliases/team@example.test").status == 204
    assert root.ask("POST", "/admin/domains", {"domain": "third.test"}).status == 201
    bounds = root.ask("PATCH", "/admin/domains/third.test", {"accounts": 5})
    assert bounds.body["accounts_most"] == 5
    kinds = {one["type"] for one in root.get("/admin/domains/third.test/dns")["items"]}
    assert {"MX", "TXT"} <= kinds
    assert root.ask("DELETE", "/admin/domains/third.test").status == 204
    assert root.ask("GET", "/admin/domains/third.test/dns").status == 404


def test_others_send_for_whom_they_may(ada: Rest, bob: Rest) -> None:
    made = ada.ask("PUT", f"/delegations/{BOB}", {"on_behalf": True})
    assert (made.status, made.body["owner"]) == (200, ADA)
    assert [one["delegate"] for one in ada.get("/delegations")["items"]] == [BOB]
    assert bob.get("/delegations")["items"] == []
    assert ada.ask("DELETE", f"/delegations/{BOB}").status == 204
    assert ada.ask("PUT", "/delegations/nobody@example.test", {}).status == 404


def test_what_is_bare_is_below_the_prefix_too(server: ServerProcess) -> None:
    for path in ("/register", "/verify", "/login", "/token/refresh", "/reset"):
        bare, below = post(server, path, {}), post(server, API + path, {})
        assert (bare.status, bare.body) == (below.status, below.body) == (400, bare.body)
    assert ask(server, "GET", f"{API}/second-factor", None).status == 401


def test_what_is_in_force_is_told_with_its_origin(root: Rest) -> None:
    found: dict[str, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = root.get(f"/admin/configuration?limit=100&cursor={cursor}")
        found |= {one["key"]: one for one in page["items"]}
        cursor = page["next"]
    assert found["hostname"]["value"] == "mx.example.test"
    assert found["hostname"]["origin"].startswith("mailserver.toml:1")
    assert found["http.cors_origins"]["value"] == ["https://app.example.test"]
    assert found["limits.recipients"]["origin"] == "default"
    database = found["store.database"]["value"]
    assert database in ("sqlite", "********")
    assert not any("postgresql://" in str(one) for one in found.values())


def test_the_overview_counts_what_came(server: ServerProcess, root: Rest) -> None:
    before = root.get("/admin/overview")
    assert (before["accounts"] >= 3, before["disk"]["free"] > 0) == (True, True)
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as smtp:
        smtp.sendmail("friend@elsewhere.test", [ADA], letter("Counted").replace(b"\n", b"\r\n"))

    def received() -> int:
        return sum(int(one["received"]) for one in root.get("/admin/overview")["hours"])

    assert until(received)


def test_bounds_of_sending_are_for_administrators(ada: Rest, root: Rest) -> None:
    path = f"/admin/accounts/{ADA}"
    bounds = {"submission": {"messages_per_hour": 100, "from_header": "own"}}
    assert root.ask("PATCH", path, bounds).body["submission"]["messages_per_hour"] == 100
    assert ada.ask("PATCH", "/account", bounds).status == 422
    assert ada.ask("PATCH", path, bounds).status == 403
    undone = {"submission": {"messages_per_hour": None, "from_header": None}}
    assert root.ask("PATCH", path, undone).body["submission"] == {}
    graded = root.ask("POST", "/admin/spam/evaluations", {"account": ADA})
    assert (graded.status, isinstance(graded.body["items"], list)) == (200, True)


def test_faults_repeat_nothing_of_what_came(ada: Rest) -> None:
    rule = {"name": "x", "actions": [{"type": "a-secret-word"}]}
    found = ada.ask("PUT", "/rules/x", rule)
    assert (found.status, "a-secret-word" in str(found.body["errors"])) == (422, False)
    large = {"text": "#" + "x" * 200_000 + "\nkeep;\n"}
    assert ada.ask("PUT", "/sieve/large", large, If_None_Match="*").status == 200
    doubled = b'{"text": "keep;", "text": "' + b"y" * 200_000 + b'"}'
    assert ada.ask("PUT", "/sieve/large", doubled, If_Match="*").status == 400
    assert ada.ask("DELETE", "/sieve/large").status == 204
