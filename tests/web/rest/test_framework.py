"""What all endpoints have in common: logins, problems, pages, conditions, repeats, bounds."""

import http.client
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_api import ask, post
from tests.support.rest import ADA, API, BOB, Rest, asked, declared
from tests.support.server import PASSWORD, ServerProcess
from web.rest.described import octets

ROOT_FOLDER = Path(__file__).parents[3]
PROBLEM = "application/problem+json"


def described() -> bytes:
    return octets(declared())


def test_the_document_in_docs_is_that_of_the_endpoints() -> None:
    assert (ROOT_FOLDER / "docs" / "openapi.json").read_bytes() == described()


def test_the_document_is_served(server: ServerProcess) -> None:
    found = ask(server, "GET", f"{API}/openapi.json", None)
    assert found.status == 200
    assert found.body == json.loads(described())
    again = ask(server, "GET", f"{API}/openapi.json", None, {"If-None-Match": found.fields["etag"]})
    assert again.status == 304


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_who_has_no_token_is_told_so(server: ServerProcess, token: str) -> None:
    found = asked(server, "GET", "/tags", None, token)
    assert (found.status, found.kind) == (401, PROBLEM)
    assert found.fields["www-authenticate"].startswith("Bearer")


def test_what_is_not_there_is_a_problem(ada: Rest) -> None:
    for path in ("/nothing", "/tags/none", "/tags/a/b/c", "/tags/%ff", "/" + "a/" * 40):
        found = ada.ask("GET", path)
        assert (found.status, found.kind) == (404, PROBLEM), path
        assert found.body["status"] == 404


def test_other_methods_are_refused_with_what_there_is(ada: Rest) -> None:
    found = ada.ask("POST", "/tags", {})
    assert (found.status, found.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    found = ada.ask("DELETE", "/passkeys/1/2")
    assert found.status == 404
    found = ada.ask("PUT", "/passkeys/1", {})
    assert (found.status, found.fields["allow"]) == (405, "DELETE, OPTIONS, PATCH")


def test_bodies_are_taken_to_the_letter(ada: Rest) -> None:
    path = "/tags/letters"
    assert ada.ask("PUT", path, b"{").status == 400
    assert ada.ask("PUT", path, b'{"name": "a", "name": "b"}').status == 400
    assert ada.ask("PUT", path, b'{"name": NaN}').status == 400
    assert ada.ask("PUT", path, {"name": "A"}, Content_Type="text/plain").status == 415
    found = ada.ask("PUT", path, {"name": 1, "more": True})
    assert (found.status, found.kind) == (422, PROBLEM)
    assert [one["pointer"] for one in found.body["errors"]] == ["/name", "/more"]
    assert "1" not in found.body["errors"][0]["detail"]
    assert ada.ask("DELETE", path, {"a": 1}).status == 400
    assert ada.get(path, 404)


def test_deep_and_large_bodies_are_refused(ada: Rest) -> None:
    deep = b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert ada.ask("PUT", "/tags/deep", deep).status == 400
    found = ada.ask("PUT", "/tags/deep", b'{"name":"' + b"a" * 300_000 + b'"}')
    assert (found.status, found.kind) == (413, PROBLEM)


def test_a_body_that_comes_too_slowly_is_given_up(server: ServerProcess, ada: Rest) -> None:
    with socket.create_connection(("127.0.0.1", server.port("http")), 30) as connection:
        connection.sendall(
            f"PUT {API}/tags/slow HTTP/1.1\r\nHost: mx\r\nAuthorization: Bearer {ada.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        connection.settimeout(25)
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_names_cannot_leave_their_place(ada: Rest) -> None:
    """Neither in paths nor in fields of the answer."""
    for path in ("/tags/..%2f..%2fadmin", "/sieve/a%0d%0aX-Evil:%201", "/tags/%00"):
        found = ada.ask("GET", path)
        assert (found.status, found.kind) == (404, PROBLEM), path
        assert "x-evil" not in found.fields
    found = ada.ask("GET", "/outbox?cursor=a%0d%0aX-Evil:%201")
    assert found.status == 422
    assert "x-evil" not in found.fields


def test_no_text_holds_what_no_database_stores(ada: Rest) -> None:
    assert ada.ask("GET", "/contact-completions?q=a%00b").status == 422
    assert ada.ask("GET", "/contacts/%00").status == 404
    card = {"card": {"name": {"full": "a\0b"}}}
    assert ada.ask("POST", "/contacts", card).status == 422
    script = {"text": '# "\\u0000"\nkeep;\n'}
    assert ada.ask("PUT", "/sieve/nul", script, If_None_Match="*").status == 200
    assert ada.ask("DELETE", "/sieve/nul").status == 204


def test_parameters_are_checked(ada: Rest) -> None:
    for query in (
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=1&limit=2",
        "other=1",
        "limit=1.0",
        f"limit={10**19 - 1}",
    ):
        found = ada.ask("GET", f"/tags?{query}")
        assert (found.status, found.kind) == (400, PROBLEM), query


def test_a_list_comes_in_pages_that_changes_do_not_shift(ada: Rest) -> None:
    for number in range(7):
        body = {"name": f"Page {number}", "position": number}
        assert ada.ask("PUT", f"/tags/page{number}", body).status == 200
    first = ada.ask("GET", "/tags?limit=3")
    names = [one["keyword"] for one in first.body["items"]]
    assert names == ["page0", "page1", "page2"]
    assert ada.ask("DELETE", "/tags/page2").status == 204
    link = first.fields["link"]
    assert link.endswith('; rel="next"')
    second = ada.get(link.partition(">")[0].removeprefix(f"<{API}"))
    assert [one["keyword"] for one in second["items"]] == ["page3", "page4", "page5"]
    last = ada.get(f"/tags?limit=3&cursor={second['next']}")
    assert ([one["keyword"] for one in last["items"]], last["next"]) == (["page6"], None)
    assert ada.ask("GET", f"/outbox?cursor={second['next']}").status == 422
    for number in (0, 1, 3, 4, 5, 6):
        assert ada.ask("DELETE", f"/tags/page{number}").status == 204


def test_changes_say_what_they_build_on(ada: Rest) -> None:
    made = ada.ask("PUT", "/tags/etag", {"name": "One"}, If_None_Match="*")
    assert made.status == 200
    tag = made.fields["etag"]
    assert ada.ask("PUT", "/tags/etag", {"name": "Two"}, If_None_Match="*").status == 412
    assert ada.ask("GET", "/tags/etag").fields["etag"] == tag
    assert ada.ask("GET", "/tags/etag", None, If_None_Match=f'"a", W/{tag}').status == 304
    changed = ada.ask("PATCH", "/tags/etag", {"colour": "#ff0000"}, If_Match=tag)
    assert (changed.status, changed.body["colour"]) == (200, "#ff0000")
    assert ada.ask("DELETE", "/tags/etag", None, If_Match=tag).status == 412
    weak = f"W/{changed.fields['etag']}"
    assert ada.ask("DELETE", "/tags/etag", None, If_Match=weak).status == 412
    assert ada.ask("DELETE", "/tags/etag", None, If_Match=changed.fields["etag"]).status == 204
    assert ada.ask("PUT", "/tags/etag", {"name": "One"}, If_Match="*").status == 412


def test_what_replaces_a_whole_has_to_say_of_what(ada: Rest) -> None:
    found = ada.ask("PUT", "/rules", {"rules": []})
    assert (found.status, found.kind) == (428, PROBLEM)


def test_a_repeated_request_does_nothing_twice(root: Rest) -> None:
    body = {"address": "twice@elsewhere.test", "reason": "one"}
    path, key = "/admin/suppressions", "a-key"
    first = root.ask("POST", path, body, Idempotency_Key=key)
    again = root.ask("POST", path, body, Idempotency_Key=key)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.fields["idempotency-replayed"] == "true"
    other = root.ask("POST", path, body | {"reason": "two"}, Idempotency_Key=key)
    assert (other.status, other.kind) == (422, PROBLEM)
    assert root.ask("POST", path, body, Idempotency_Key="").status == 400
    wrong = {"address": "nobody@example.test"}
    assert root.ask("POST", path, wrong, Idempotency_Key="w").status == 422
    assert root.ask("POST", path, wrong, Idempotency_Key="w").status == 422


def test_secrets_are_not_kept_for_repeats(ada: Rest) -> None:
    body = {"name": "repeat"}
    first = ada.ask("POST", "/app-passwords", body, Idempotency_Key="secret")
    again = ada.ask("POST", "/app-passwords", body, Idempotency_Key="secret")
    assert (first.status, again.status) == (201, 409)
    assert len(first.body["secret"]) > 10
    names = [one["name"] for one in ada.get("/app-passwords")["items"]]
    assert names.count("repeat") == 1


def test_of_equal_requests_at_once_one_is_done(root: Rest) -> None:
    found: list[int] = []

    def send() -> None:
        body = {"note": "at once"}
        found.append(root.ask("POST", "/admin/invites", body, Idempotency_Key="together").status)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (found.count(201), found.count(409)) == (1, 5)
    notes = [one["note"] for one in root.get("/admin/invites")["items"]]
    assert notes.count("at once") == 1


@pytest.mark.parametrize("path", ["/tags", "/profile", "/passkeys"])
def test_pages_of_listed_origins_may_ask(server: ServerProcess, ada: Rest, path: str) -> None:
    origin = "https://app.example.test"
    preflight = ask(
        *(server, "OPTIONS", f"{API}{path}", None),
        {"Origin": origin, "Access-Control-Request-Method": "PUT"},
    )
    assert preflight.status == 204
    assert preflight.fields["access-control-allow-origin"] == origin
    assert "PUT" in preflight.fields["access-control-allow-methods"]
    assert "Authorization" in preflight.fields["access-control-allow-headers"]
    found = ada.ask("GET", path, None, Origin=origin)
    assert found.status == 200
    assert found.fields["access-control-allow-origin"] == origin
    assert "Origin" in found.fields["vary"]
    assert "access-control-allow-credentials" not in found.fields
    assert "Idempotency-Replayed" in found.fields["access-control-expose-headers"]
    other = ada.ask("GET", path, None, Origin="https://evil.test")
    assert "access-control-allow-origin" not in other.fields
    assert "Origin" in other.fields["vary"]


def browser(server: ServerProcess) -> str:
    """The cookie of a login by the form."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    connection.request("GET", "/login")
    shown = connection.getresponse()
    page = shown.read().decode()
    form = shown.headers["Set-Cookie"].partition(";")[0]
    token = page.partition('name="csrf" value="')[2].partition('"')[0]
    body = f"csrf={token}&username={BOB}&password={PASSWORD}"
    kind = "application/x-www-form-urlencoded"
    connection.request("POST", "/login", body, {"Cookie": form, "Content-Type": kind})
    entered = connection.getresponse()
    entered.read()
    cookies = [value.partition(";")[0] for value in entered.headers.get_all("Set-Cookie", [])]
    connection.close()
    return next(one for one in cookies if one.startswith("session="))


def test_a_cookie_counts_only_beside_a_field_of_its_own(server: ServerProcess) -> None:
    cookie = browser(server)
    with_field = {"Cookie": cookie, "X-Requested-With": "test"}
    assert asked(server, "GET", "/tags", headers={"Cookie": cookie}).status == 403
    assert asked(server, "GET", "/account", headers=with_field).body["address"] == BOB
    for foreign in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
        body = {"name": "Evil"}
        found = asked(server, "PUT", "/tags/evil", body, headers=with_field | foreign)
        assert (found.status, found.kind) == (403, PROBLEM)


def test_a_cookie_counts_for_profile_and_sending_too(server: ServerProcess) -> None:
    cookie = browser(server)
    with_field = {"Cookie": cookie, "X-Requested-With": "test"}
    assert asked(server, "GET", "/profile", headers=with_field).body["address"] == BOB
    assert asked(server, "GET", "/profile", headers={"Cookie": cookie}).status == 403
    letter = {"to": ADA, "subject": "By cookie", "text": "Hello"}
    assert asked(server, "POST", "/sendEmail", letter, headers=with_field).status == 202
    assert asked(server, "POST", "/sendEmail", letter, headers={"Cookie": cookie}).status == 403
    foreign = with_field | {"Origin": "https://app.example.test"}
    assert asked(server, "POST", "/sendEmail", letter, headers=foreign).status == 403


def test_tokens_are_good_for_what_they_were_made(server: ServerProcess, ada: Rest) -> None:
    def token(**terms: Any) -> str:
        made = ada.ask("POST", "/tokens", {"name": "t", "protocols": ["web"], **terms})
        assert made.status == 201, made.body
        return str(made.body["secret"])

    reads = token(read_only=True)
    assert asked(server, "GET", "/tags", token=reads).status == 200
    refused = asked(server, "PUT", "/tags/a", {"name": "A"}, reads)
    assert refused.status == 403
    assert "insufficient_scope" in refused.fields["www-authenticate"]
    bound = token(folders=["INBOX"])
    assert asked(server, "GET", "/tags", token=bound).status == 403
    full = token()
    assert asked(server, "GET", "/account", token=full).body["address"] == ADA
    assert asked(server, "POST", "/tokens", {"name": "u"}, full).status == 403
    mail = ada.ask("POST", "/tokens", {"name": "m", "protocols": ["imap"]}).body["secret"]
    assert asked(server, "GET", "/tags", token=mail).status == 401
    ended = post(server, "/login", {"username": ADA, "password": PASSWORD}).body["access_token"]
    assert asked(server, "GET", "/tags", token=ended).status == 200
    assert asked(server, "POST", "/logout", token=ended).status == 204
    assert asked(server, "GET", "/tags", token=ended).status == 401


def test_an_upload_that_comes_again_is_kept_once(ada: Rest) -> None:
    def put(data: bytes) -> Any:
        path = "/drive/items?name=again.txt"
        return ada.ask("POST", path, data, Idempotency_Key="up", Content_Type="text/plain")

    first, again, other = put(b"abc"), put(b"abc"), put(b"abcd")
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert again.body["id"] == first.body["id"]
    names = [one["name"] for one in ada.get("/drive/items")["items"]]
    assert names.count("again.txt") == 1
