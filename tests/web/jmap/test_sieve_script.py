"""Sieve scripts by JMAP, beside ManageSieve (RFC 9661)."""

from typing import Any

import pytest

from tests.support.jmap import ADA, BOB, Jmap, basic
from tests.support.server import ServerProcess

SIEVE = "urn:ietf:params:jmap:sieve"


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Jmap:
    return Jmap(server, basic(BOB))


def upload(jmap: Jmap, text: str) -> str:
    found = jmap.call("Blob/upload", create={"a": {"data": [{"data:asText": text}]}})
    return str(found["created"]["a"]["id"])


def set_(jmap: Jmap, **arguments: Any) -> Any:
    return jmap.call("SieveScript/set", **arguments)


def text_of(jmap: Jmap, blob_id: str) -> str:
    found = jmap.call("Blob/get", ids=[blob_id], properties=["data:asText"])
    return str(found["list"][0]["data:asText"])


def test_a_script_is_made_changed_activated_and_deleted(server: ServerProcess, bob: Jmap) -> None:
    able = bob.session["accounts"][bob.account]["accountCapabilities"][SIEVE]
    assert "vacation" in able["sieveExtensions"] and able["maxNumberScripts"] > 1
    made = set_(
        bob,
        create={"a": {"name": "one", "blobId": upload(bob, "keep;")}},
        onSuccessActivateScript="#a",
    )
    one = made["created"]["a"]
    assert one["isActive"] is True and one["id"]
    found = bob.get("SieveScript", one["id"])
    assert (found["name"], found["isActive"]) == ("one", True)
    assert text_of(bob, found["blobId"]) == "keep;"
    listed = server.perform("sieve.list", address=BOB)
    assert [(each["name"], each["active"]) for each in listed] == [("one", True)]
    active = set_(bob, destroy=[one["id"]])["notDestroyed"][one["id"]]
    assert active["type"] == "sieveIsActive"

    changed = set_(bob, update={one["id"]: {"name": "Eins", "blobId": upload(bob, "discard;")}})
    told = changed["updated"][one["id"]]
    assert set(told) == {"blobId"} and told["blobId"] != found["blobId"]
    assert text_of(bob, told["blobId"]) == "discard;"
    gone = bob.call("Blob/get", ids=[found["blobId"]], properties=["data:asText"])
    assert gone["notFound"] == [found["blobId"]]

    two = set_(bob, create={"b": {"blobId": upload(bob, "stop;")}})["created"]["b"]
    assert two["isActive"] is False and two["name"]
    switched = set_(bob, onSuccessActivateScript=two["id"])
    assert switched["updated"] == {one["id"]: {"isActive": False}, two["id"]: {"isActive": True}}
    assert switched["newState"] != switched["oldState"]
    query = bob.call("SieveScript/query", filter={"isActive": True}, sort=[{"property": "name"}])
    assert (query["ids"], query["canCalculateChanges"]) == ([two["id"]], False)
    off = set_(bob, onSuccessDeactivateScript=True)
    assert off["updated"] == {two["id"]: {"isActive": False}}
    assert set_(bob, destroy=[one["id"], two["id"]])["destroyed"] == [one["id"], two["id"]]
    assert server.perform("sieve.list", address=BOB) == []


def test_what_is_no_script_is_refused(bob: Jmap, jmap: Jmap) -> None:
    def refused(**made: Any) -> Any:
        return set_(bob, create={"a": made})["notCreated"]["a"]

    bad = upload(bob, "keep")
    wrong = refused(name="bad", blobId=bad)
    assert wrong["type"] == "invalidSieve" and "1" in wrong["description"]
    told = bob.call("SieveScript/validate", blobId=bad)
    assert (told["error"]["type"], told["accountId"]) == ("invalidSieve", bob.account)
    good = upload(bob, "keep;")
    assert bob.call("SieveScript/validate", blobId=good)["error"] is None
    assert bob.call("SieveScript/validate", blobId="Bffff") == {"error": "blobNotFound"}
    assert refused(name="x", blobId="Bffff")["type"] == "blobNotFound"
    assert refused(name="x")["properties"] == ["blobId"]
    assert refused(name="a\x00", blobId=good)["properties"] == ["name"]
    assert refused(name="x", blobId=good, isActive=True)["properties"] == ["isActive"]
    large = upload(bob, "#" + 300_000 * "x")
    assert refused(name="x", blobId=large)["type"] == "tooLarge"
    kept = set_(bob, create={"a": {"name": "kept", "blobId": good}})["created"]["a"]
    twice = refused(name="kept", blobId=good)
    assert (twice["type"], twice["existingId"]) == ("alreadyExists", kept["id"])
    failed = set_(
        bob,
        create={"b": {"name": "kept", "blobId": good}},
        onSuccessActivateScript=kept["id"],
    )
    assert failed["notCreated"] and failed["updated"] is None
    # nobody else's are there
    assert jmap.call("SieveScript/get", ids=[kept["id"]])["notFound"] == [kept["id"]]
    stolen = jmap.call("Blob/get", ids=[kept["blobId"]], properties=["data:asText"])
    assert stolen["notFound"] == [kept["blobId"]]
    assert bob.call("SieveScript/changes", sinceState="1") == {"error": "unknownMethod"}
    set_(bob, destroy=[kept["id"]])


def test_who_reads_only_changes_no_script(server: ServerProcess) -> None:
    made = server.perform("account.app-password.add", address=ADA, name="r", read_only=True)
    reader = Jmap(server, basic(ADA, made["secret"]))
    assert set_(reader, create={}) == {"error": "accountReadOnly"}
    agent = server.perform("token.add", address=ADA, name="a", agent=True, protocols=["jmap"])
    drafts = Jmap(server, {"Authorization": f"Bearer {agent['secret']}"})
    own = Jmap(server, basic(ADA))
    blob = upload(own, "keep;")
    refused = set_(drafts, create={"a": {"name": "x", "blobId": blob}})["notCreated"]["a"]
    assert refused["type"] == "forbidden"
