"""Identities by JMAP, through real connections (RFC 8621 §6)."""

from typing import Any

import pytest

from tests.support.jmap import BOB, Jmap, basic
from tests.support.server import PASSWORD, ServerProcess

CARA, TEAM = "cara@example.test", "team@example.test"


@pytest.fixture(scope="module")
def cara(server: ServerProcess) -> Jmap:
    server.perform("account.add", address=CARA, password=PASSWORD, name="Cara Dune")
    return Jmap(server, basic(CARA))


def by_email(jmap: Jmap) -> dict[str, Any]:
    return {one["email"]: one for one in jmap.call("Identity/get", ids=None)["list"]}


def test_identities_follow_aliases_and_owners(server: ServerProcess, cara: Jmap) -> None:
    before = cara.call("Identity/get", ids=None)
    (own,) = before["list"]
    assert own == {
        "id": own["id"],
        "name": "Cara Dune",
        "email": CARA,
        "replyTo": None,
        "bcc": None,
        "textSignature": "",
        "htmlSignature": "",
        "mayDelete": False,
    }
    server.perform("alias.add", alias="dune@example.test", targets=[CARA])
    server.perform("alias.add", alias="d@example.test", targets=["dune@example.test"])
    server.perform("alias.add", alias=TEAM, targets=[CARA, BOB])
    server.perform("account.sending.allow", owner=BOB, delegate=CARA)
    assert set(by_email(cara)) == {CARA, "dune@example.test", "d@example.test", BOB}
    changes = cara.call("Identity/changes", sinceState=before["state"])
    assert len(changes["created"]) == 3
    assert (changes["updated"], changes["destroyed"]) == ([], [])
    server.perform("alias.delete", alias="d@example.test")
    server.perform("account.sending.revoke", owner=BOB, delegate=CARA)
    assert set(by_email(cara)) == {CARA, "dune@example.test"}
    gone = cara.call("Identity/changes", sinceState=changes["newState"])
    assert len(gone["destroyed"]) == 2
    assert set(gone["destroyed"]) < set(changes["created"])


def test_identities_are_made_changed_and_deleted(cara: Jmap) -> None:
    given = {
        "name": "The pilot",
        "email": CARA,
        "replyTo": [{"name": None, "email": BOB}],
        "textSignature": "-- \nC.",
    }
    made = cara.call("Identity/set", create={"a": given})
    id_ = made["created"]["a"]["id"]
    assert made["created"]["a"] == {
        "id": id_,
        "bcc": None,
        "htmlSignature": "",
        "mayDelete": True,
    }
    changed = cara.call(
        "Identity/set",
        ifInState=made["newState"],
        update={id_: {"htmlSignature": "<b>C</b>", "replyTo": None, "bcc": [{"email": CARA}]}},
    )
    assert changed["updated"] == {id_: None}
    found = cara.get("Identity", id_)
    assert (found["htmlSignature"], found["textSignature"]) == ("<b>C</b>", "-- \nC.")
    assert found["replyTo"] is None
    assert found["bcc"] == [{"name": None, "email": CARA}]
    told = cara.call("Identity/changes", sinceState=made["oldState"])
    assert (told["created"], told["updated"]) == ([id_], [])
    told = cara.call("Identity/changes", sinceState=made["newState"])
    assert (told["created"], told["updated"]) == ([], [id_])
    assert cara.call("Identity/set", destroy=[id_])["destroyed"] == [id_]
    assert cara.call("Identity/get", ids=[id_])["notFound"] == [id_]


def test_what_an_identity_cannot_be_is_refused(cara: Jmap, jmap: Jmap) -> None:
    def refused(made: dict[str, Any]) -> tuple[str, list[str]]:
        error = cara.call("Identity/set", create={"a": made})["notCreated"]["a"]
        return error["type"], error.get("properties", [])

    assert refused({"email": "ada@example.test"}) == ("forbiddenFrom", ["email"])
    assert refused({"email": TEAM}) == ("forbiddenFrom", ["email"])
    assert refused({"email": "x"}) == ("invalidProperties", ["email"])
    assert refused({"email": CARA, "mayDelete": True}) == ("invalidProperties", ["mayDelete"])
    assert refused({"email": CARA, "name": "a\nBcc: b"}) == ("invalidProperties", ["name"])
    assert refused({"email": CARA, "replyTo": [{"email": "x"}]}) == (
        "invalidProperties",
        ["replyTo"],
    )
    assert refused({"email": CARA, "textSignature": 65537 * "x"}) == (
        "invalidProperties",
        ["textSignature"],
    )
    own = by_email(cara)[CARA]["id"]
    kept = cara.call("Identity/set", destroy=[own])["notDestroyed"][own]
    assert kept["type"] == "forbidden"
    moved = cara.call("Identity/set", update={own: {"email": BOB}})["notUpdated"][own]
    assert (moved["type"], moved["properties"]) == ("invalidProperties", ["email"])
    # nobody else's are there
    assert jmap.call("Identity/get", ids=[own])["notFound"] == [own]
    update = {own: {"name": "x"}}
    assert jmap.call("Identity/set", update=update)["notUpdated"][own] == {"type": "notFound"}


def test_an_app_password_for_one_sender_has_its_identities(
    server: ServerProcess, cara: Jmap
) -> None:
    made = server.perform(
        "account.app-password.add", address=CARA, name="one", senders=["dune@example.test"]
    )
    one = Jmap(server, basic(CARA, made["secret"]))
    assert set(by_email(one)) == {"dune@example.test"}
    refused = one.call("Identity/set", create={"a": {"email": CARA}})["notCreated"]["a"]
    assert refused["type"] == "forbiddenFrom"
    reader = server.perform("account.app-password.add", address=CARA, name="r", read_only=True)
    found = Jmap(server, basic(CARA, reader["secret"]))
    assert found.call("Identity/set", create={}) == {"error": "accountReadOnly"}
