"""`mailserver queue rule`: what is queued and fits waits for `queue release`."""

import asyncio
import getpass
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import PASSWORD, ServerProcess, configuration, serving, until
from tests.support.smtp_sink import Sink

ADA, EVE = "ada@example.test", "eve@example.test"
BOB, CAT = "bob@world.test", "cat@else.test"


@pytest.fixture
async def server(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    async with serving(tmp_path, sink.as_smarthost, accounts=[ADA, EVE]) as running:
        yield running


def submit(server: ServerProcess, sender: str, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(sender, PASSWORD)
        client.sendmail(sender, recipients, f"Subject: by {sender}\r\n\r\ntext\r\n")


def add(server: ServerProcess, *options: str) -> dict[str, Any]:
    made = server.json("queue", "rule", "add", *options)
    assert isinstance(made, dict)
    return made


def queued(server: ServerProcess) -> list[dict[str, Any]]:
    rows = server.json("queue", "list")
    assert isinstance(rows, list)
    return rows


def taken(sink: Sink) -> list[tuple[str, list[str]]]:
    return sorted((one.sender, sorted(one.recipients)) for one in sink.received)


def operate(server: ServerProcess, sink: Sink) -> None:
    rule = add(server, "--domain", "World.test", "--reason", "looks like a leak")
    assert rule["domain"] == "world.test"
    assert rule["by"].startswith(getpass.getuser()) or " as " in rule["by"]
    assert server.json("queue", "rule", "list") == [rule]

    submit(server, ADA, BOB, CAT)
    until(lambda: taken(sink) == [(ADA, [CAT])])
    (row,) = until(lambda: [one for one in queued(server) if one["state"] == "held"])
    why = server.json("queue", "why", row["id"])
    (held,) = [one for one in why["recipients"] if one["address"] == BOB]
    assert (held["state"], held["next_attempt"], held["attempts"]) == ("held", None, 0)
    assert (held["hold"]["rule"], held["hold"]["by"]) == (rule["id"], rule["by"])
    assert held["hold"]["reason"] == "looks like a leak"
    assert held["hold"]["at"] >= rule["created"]
    (event,) = server.events("held by rule")
    assert (event["recipients"], event["rules"]) == ([BOB], [rule["id"]])

    # A deleted rule lets go of nothing, and holds nothing more.
    server.command("queue", "rule", "delete", str(rule["id"]))
    server.command("queue", "rule", "delete", str(rule["id"]), expect=1)
    server.command("queue", "retry")
    submit(server, EVE, BOB)
    until(lambda: (EVE, [BOB]) in taken(sink))
    until(lambda: [one["id"] for one in queued(server)] == [row["id"]])
    server.command("queue", "release", row["id"])
    until(lambda: (ADA, [BOB]) in taken(sink))
    until(lambda: queued(server) == [])


async def test_a_rule_holds_one_recipient_until_it_is_released(
    server: ServerProcess, sink: Sink
) -> None:
    await asyncio.to_thread(operate, server, sink)


def outlive(server: ServerProcess, sink: Sink) -> None:
    rule = add(server, "--account", ADA)
    server.stop()
    # Without a server the rules are the same; with one, also after its start.
    assert server.json("queue", "rule", "list") == [rule]
    server.command("queue", "rule", "add", "--account", ADA, expect=1)
    server.start()
    submit(server, ADA, CAT)
    submit(server, EVE, CAT)
    until(lambda: taken(sink) == [(EVE, [CAT])])
    (row,) = server.json("queue", "list", "--account", ADA)
    assert server.json("queue", "list", "--account", EVE) == []
    assert (row["state"], row["recipients"][0]["hold"]["rule"]) == ("held", rule["id"])
    # The index is made again from the files; who is held, and why, is in them.
    server.stop()
    server.command("repair")
    server.start()
    assert queued(server)[0]["recipients"] == row["recipients"]
    server.command("queue", "release")
    until(lambda: (ADA, [CAT]) in taken(sink))


async def test_rules_and_what_they_held_outlive_a_restart_and_a_repair(
    server: ServerProcess, sink: Sink
) -> None:
    await asyncio.to_thread(outlive, server, sink)


def test_wrong_rules_are_refused(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    assert "--all" in server.command("queue", "rule", "add", expect=1).stderr
    server.command("queue", "rule", "add", "--account", "nobody@example.test", expect=1)
    server.command("queue", "rule", "delete", "x", expect=1)
    server.command("queue", "rule", "delete", expect=2)
    assert server.json("queue", "rule", "list") == []
    made = add(server, "--all")
    assert [made[name] for name in ("sender", "recipient", "domain", "account")] == [None] * 4
    assert add(server, "--sender", "<>")["sender"] == "<>"
