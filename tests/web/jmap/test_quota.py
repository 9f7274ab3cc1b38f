"""Quotas by JMAP, as the administrator sets them and mail uses them (RFC 9425)."""

import imaplib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.event_source import Events
from tests.support.jmap import ADA, Jmap, append, basic, letter
from tests.support.server import ServerProcess


@pytest.fixture
def limited(server: ServerProcess) -> Iterator[None]:
    server.perform("account.set", address=ADA, quota=1_000_000, quota_messages=50)
    yield
    server.perform("account.set", address=ADA, quota=0, quota_messages=0)


def ids(found: Any) -> tuple[list[str], list[str], list[str]]:
    return found["created"], found["updated"], found["destroyed"]


def test_without_limits_there_are_none(jmap: Jmap) -> None:
    found = jmap.call("Quota/get", ids=None)
    assert found["list"] == [] and found["notFound"] == []


def test_quotas_are_told(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4, limited: None
) -> None:
    append(imap, letter("counted"))
    found = jmap.call("Quota/get", ids=None)
    octets, messages = found["list"]
    assert octets == {
        "id": "octets",
        "resourceType": "octets",
        "used": octets["used"],
        "hardLimit": 1_000_000,
        "scope": "account",
        "name": "mail: octets",
        "types": ["Email"],
        "warnLimit": None,
        "softLimit": None,
        "description": None,
    }
    assert messages["resourceType"] == "count" and messages["hardLimit"] == 50
    before = found["state"]
    data = letter("and this one")
    append(imap, data)
    changed = jmap.call("Quota/changes", sinceState=before)
    assert ids(changed) == ([], ["messages", "octets"], [])
    assert changed["updatedProperties"] == ["used"]
    again = jmap.call("Quota/get", ids=["octets", "none"], properties=["used"])
    assert again["notFound"] == ["none"] and again["state"] == changed["newState"]
    (now,) = again["list"]
    assert now == {"id": "octets", "used": octets["used"] + len(data.replace(b"\n", b"\r\n"))}
    server.perform("account.set", address=ADA, quota=2_000_000, quota_messages=0)
    changed = jmap.call("Quota/changes", sinceState=changed["newState"])
    assert ids(changed) == ([], ["octets"], ["messages"])
    assert changed["updatedProperties"] is None
    assert jmap.call("Quota/changes", sinceState="nothing")["error"] == "cannotCalculateChanges"


def test_queries(jmap: Jmap, limited: None) -> None:
    def queried(condition: dict[str, Any], **more: Any) -> Any:
        return jmap.call("Quota/query", filter=condition, **more)

    assert queried({})["ids"] == ["messages", "octets"]
    assert queried({"resourceType": "octets"})["ids"] == ["octets"]
    assert queried({"name": "mess"})["ids"] == ["messages"]
    assert queried({"scope": "domain"})["ids"] == []
    assert queried({"type": "Email"}, sort=[{"property": "used", "isAscending": False}])["ids"] == [
        "octets",
        "messages",
    ]
    assert queried({"colour": 1})["error"] == "unsupportedFilter"
    found = queried({})
    changed = jmap.call("Quota/queryChanges", filter={}, sinceQueryState=found["queryState"])
    assert (changed["removed"], changed["added"]) == ([], [])


def test_changes_are_told(
    server: ServerProcess, jmap: Jmap, imap: imaplib.IMAP4, limited: None
) -> None:
    def state() -> Any:
        return jmap.call("Quota/get", ids=[])["state"]

    with Events(server, basic(), types="Quota") as events:
        events.block()
        append(imap, letter("heard of"))
        assert events.until(jmap.account, "Quota")["Quota"] == state()
        server.perform("account.set", address=ADA, quota=3_000_000)
        assert events.until(jmap.account, "Quota")["Quota"] == state()
