"""Push subscriptions: made, proved, told of changes, seen by their login alone (RFC 8620 §7.2)."""

import asyncio
import imaplib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.directories import own_database
from tests.support.dns_thread import dns_in_thread
from tests.support.http_api import ask
from tests.support.https_server import Asked, HttpsServer
from tests.support.https_thread import https_in_thread
from tests.support.jmap import ADA, BOB, CORE, Jmap, append, basic, letter
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.web_push import Client

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsServer]:
    folder = tmp_path_factory.mktemp("push")
    with https_in_thread(folder / "ca.pem", "127.0.0.1", "push.test") as running:
        running.ca_file = folder / "ca.pem"  # type: ignore[attr-defined]
        yield running


def serving(folder: Path, web: HttpsServer, database: str, extra: str) -> ServerProcess:
    environment = {"SSL_CERT_FILE": str(web.ca_file)}  # type: ignore[attr-defined]
    return ServerProcess(folder, configuration(database=database, extra=extra), environment)


ALLOWED = '[push]\nnetworks = ["127.0.0.0/8"]\n'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, web: HttpsServer, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("server")
            with serving(folder, web, database, ALLOWED) as running:
                for address in (ADA, BOB):
                    running.perform("account.add", address=address, password=PASSWORD)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def imap(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    client.logout()


@pytest.fixture(autouse=True)
def answering(web: HttpsServer) -> None:
    web.serve(b"", status="201 Created")
    web.asked.clear()


def call(server: ServerProcess, headers: dict[str, str], name: str, **arguments: Any) -> Any:
    body = {"using": [CORE], "methodCalls": [[name, arguments, "c"]]}
    found = ask(server, "POST", "/jmap/api", body, headers)
    assert found.status == 200, found.body
    ((_, answer, _),) = found.body["methodResponses"]
    return answer


def made(
    server: ServerProcess, url: str, headers: dict[str, str] | None = None, **more: Any
) -> Any:
    create = {"one": {"deviceClientId": "phone", "url": url, **more}}
    return call(server, headers or basic(), "PushSubscription/set", create=create)


def reach(web: HttpsServer, path: str) -> list[Asked]:
    return [one for one in web.asked if one.path == path]


def verified(
    server: ServerProcess,
    web: HttpsServer,
    path: str,
    client: Client | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> str:
    """The id of a subscription that is told of changes."""
    if client is not None:
        more["keys"] = {"p256dh": client.p256dh, "auth": client.auth}
    url = f"https://127.0.0.1:{web.port}{path}"
    id_ = made(server, url, headers, **more)["created"]["one"]["id"]
    (sent,) = until(lambda: reach(web, path))
    told = json.loads(client.read(sent.body) if client is not None else sent.body)
    assert told["@type"] == "PushVerification"
    assert told["pushSubscriptionId"] == id_
    update = {id_: {"verificationCode": told["verificationCode"]}}
    found = call(server, headers or basic(), "PushSubscription/set", update=update)
    assert found == {"updated": {id_: None}}
    return str(id_)


def test_a_client_that_gave_back_its_code_is_told_of_changes(
    server: ServerProcess, web: HttpsServer, imap: imaplib.IMAP4
) -> None:
    client = Client()
    id_ = verified(server, web, "/told", client, types=["Email"])
    (first,) = reach(web, "/told")
    assert first.fields["content-encoding"] == "aes128gcm"
    assert first.fields["ttl"].isdecimal()
    assert first.fields["authorization"].startswith("vapid t=")
    session = Jmap(server, basic()).session["capabilities"]
    key = session["urn:ietf:params:jmap:webpush-vapid"]["applicationServerKey"]
    assert first.fields["authorization"].endswith(f"k={key}")
    append(imap, letter("Pushed"))
    told = json.loads(client.read(until(lambda: reach(web, "/told")[1:])[0].body))
    jmap = Jmap(server, basic())
    state = jmap.call("Email/get", ids=[])["state"]
    assert told == {"@type": "StateChange", "changed": {jmap.account: {"Email": state}}}
    found = call(server, basic(), "PushSubscription/get", ids=[id_])
    (one,) = found["list"]
    assert one["verificationCode"] and one["types"] == ["Email"]
    assert one.keys() == {"id", "deviceClientId", "verificationCode", "expires", "types"}
    assert call(server, basic(), "PushSubscription/set", destroy=[id_]) == {"destroyed": [id_]}
    append(imap, letter("Not pushed"))
    verified(server, web, "/after")
    append(imap, letter("Pushed elsewhere"))
    until(lambda: reach(web, "/after")[1:])
    assert len(reach(web, "/told")) == 2


def test_a_client_without_its_code_is_told_of_nothing(
    server: ServerProcess, web: HttpsServer, imap: imaplib.IMAP4
) -> None:
    url = f"https://127.0.0.1:{web.port}/silent"
    id_ = made(server, url)["created"]["one"]["id"]
    until(lambda: reach(web, "/silent"))
    wrong = call(
        server, basic(), "PushSubscription/set", update={id_: {"verificationCode": "wrong"}}
    )
    assert wrong["notUpdated"][id_]["type"] == "invalidProperties"
    verified(server, web, "/heard")
    append(imap, letter("Heard by one"))
    until(lambda: reach(web, "/heard")[1:])
    assert len(reach(web, "/silent")) == 1


def test_other_logins_neither_see_nor_change_it(server: ServerProcess, web: HttpsServer) -> None:
    id_ = verified(server, web, "/mine")
    app = server.perform("account.app-password.add", address=ADA, name="Phone")["secret"]
    for other in (basic(BOB), basic(ADA, app)):
        assert call(server, other, "PushSubscription/get", ids=[id_]) == {
            "list": [],
            "notFound": [id_],
        }
        found = call(
            server,
            other,
            "PushSubscription/set",
            update={id_: {"types": ["Email"]}},
            destroy=[id_],
        )
        assert found["notUpdated"][id_]["type"] == "notFound"
        assert found["notDestroyed"][id_]["type"] == "notFound"
    assert call(server, basic(), "PushSubscription/get", ids=[id_])["notFound"] == []


def test_it_ends_with_its_login(
    server: ServerProcess, web: HttpsServer, imap: imaplib.IMAP4
) -> None:
    token = server.perform("token.add", address=ADA, name="Push")
    headers = {"Authorization": f"Bearer {token['secret']}"}
    verified(server, web, "/token", headers=headers)
    server.perform("token.revoke", address=ADA, id=token["id"])
    verified(server, web, "/password")
    append(imap, letter("After the token"))
    until(lambda: reach(web, "/password")[1:])
    assert len(reach(web, "/token")) == 1


def test_it_outlives_a_restart(
    server: ServerProcess, web: HttpsServer, imap: imaplib.IMAP4
) -> None:
    id_ = verified(server, web, "/again")
    server.stop()
    server.start()
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
        client.login(ADA, PASSWORD)
        append(client, letter("After the restart"))
    until(lambda: reach(web, "/again")[1:])
    call(server, basic(), "PushSubscription/set", destroy=[id_])


def test_a_client_that_is_gone_is_forgotten(
    server: ServerProcess, web: HttpsServer, imap: imaplib.IMAP4
) -> None:
    id_ = verified(server, web, "/gone")
    web.serve(b"", status="410 Gone")
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
        client.login(ADA, PASSWORD)
        append(client, letter("To nobody"))
    until(lambda: call(server, basic(), "PushSubscription/get", ids=[id_])["notFound"])


@pytest.mark.parametrize(
    ("more", "at_fault"),
    [
        pytest.param({"url": "http://push.test/"}, "url", id="plain-http"),
        pytest.param({"url": "https://user@push.test/"}, "url", id="user"),
        pytest.param({"url": 7}, "url", id="url-number"),
        pytest.param({"deviceClientId": ""}, "deviceClientId", id="client"),
        pytest.param({"keys": {"p256dh": "x", "auth": "y"}}, "keys", id="keys"),
        pytest.param({"keys": {"p256dh": "x"}}, "keys", id="half-keys"),
        pytest.param({"types": []}, "types", id="types"),
        pytest.param({"types": "Email"}, "types", id="types-text"),
        pytest.param({"expires": "yesterday"}, "expires", id="expires"),
        pytest.param({"expires": "2020-01-01T00:00:00Z"}, "expires", id="past"),
        pytest.param({"verificationCode": "x"}, "verificationCode", id="code"),
        pytest.param({"id": "x"}, "id", id="id"),
    ],
)
def test_what_makes_no_sense_is_refused(
    server: ServerProcess, more: dict[str, Any], at_fault: str
) -> None:
    found = made(server, **{"url": "https://push.test/x", **more})
    error = found["notCreated"]["one"]
    assert (error["type"], error["properties"]) == ("invalidProperties", [at_fault])


def test_url_and_keys_are_never_told(server: ServerProcess) -> None:
    for name in ("url", "keys"):
        found = call(server, basic(), "PushSubscription/get", ids=None, properties=[name])
        assert found["type"] == "forbidden"


def test_codes_are_sent_now_and_then(server: ServerProcess, web: HttpsServer) -> None:
    """To URLs that nobody has proved: so many an hour of an account."""
    server.perform("account.add", address="many@example.test", password=PASSWORD)
    headers = basic("many@example.test")
    kinds = set()
    for _ in range(7):
        one = {"deviceClientId": "x", "url": f"https://127.0.0.1:{web.port}/many"}
        create = {str(number): one for number in range(10)}
        found = call(server, headers, "PushSubscription/set", create=create)
        kinds |= {one["type"] for one in found.get("notCreated", {}).values()}
        call(
            server,
            headers,
            "PushSubscription/set",
            destroy=[made["id"] for made in found.get("created", {}).values()],
        )
    assert kinds == {"rateLimit"}


def test_it_lives_for_seven_days_at_most(server: ServerProcess) -> None:
    found = made(server, "https://push.test/x", expires="2099-01-01T00:00:00Z")["created"]["one"]
    until_then = found["expires"]
    assert until_then < "2098"
    told = call(server, basic(), "PushSubscription/get", ids=[found["id"]], properties=["expires"])
    assert told["list"] == [{"id": found["id"], "expires": until_then}]


@pytest.mark.parametrize(
    ("host", "record"),
    [
        pytest.param("127.0.0.1", None, id="loopback"),
        pytest.param("[::ffff:127.0.0.1]", None, id="mapped"),
        pytest.param("push.test", ("A", "127.0.0.1"), id="name"),
        pytest.param("push.test", ("AAAA", "::ffff:127.0.0.1"), id="name-mapped"),
    ],
)
def test_private_addresses_are_not_asked(
    tmp_path: Path, web: HttpsServer, host: str, record: tuple[str, str] | None
) -> None:
    """The same server is reached once the configuration allows it."""
    with dns_in_thread() as dns:
        if record is not None:
            dns.set("push.test", *record)
        dns.set("push.test", "A", "127.0.0.1")
        extra = f'[dns]\nnameservers = ["127.0.0.1:{dns.endpoint.port}"]\n'
        url = f"https://{host}:{web.port}/guarded"
        allowed = f"https://push.test:{web.port}/allowed"
        with serving(tmp_path / "s", web, "sqlite", extra) as running:
            running.perform("account.add", address=ADA, password=PASSWORD)
            assert "created" in made(running, url)
            until(lambda: any("no address that may be asked" in line for line in running.log))
            running.config.write_text(running.config.read_text() + ALLOWED)
            running.perform("reload")
            assert "created" in made(running, allowed)
            until(lambda: reach(web, "/allowed"))
        assert reach(web, "/guarded") == []


def test_redirects_are_not_followed(server: ServerProcess, web: HttpsServer) -> None:
    more = f"Location: https://127.0.0.1:{web.port}/elsewhere\r\n"
    web.serve(b"", status="307 Temporary Redirect", more=more)
    url = f"https://127.0.0.1:{web.port}/redirected"
    assert "created" in made(server, url)
    until(lambda: reach(web, "/redirected"))
    web.serve(b"", status="201 Created")
    verified(server, web, "/straight")
    assert reach(web, "/elsewhere") == []
