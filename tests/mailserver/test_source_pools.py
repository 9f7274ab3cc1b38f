"""Pools of source addresses in the whole server: `check`, `queue pools`, `queue why`, the log."""

import asyncio
import json
import smtplib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.dns_thread import dns_in_thread
from tests.support.server import PASSWORD, ServerProcess, configuration, until
from tests.support.smtp_sink import Sink, smtp_sink

ADA, BOB = "ada@example.test", "bob@world.test"
TWO = "127.0.0.2"


def pools(smarthost: str = "") -> str:
    start = datetime.now(UTC).date()
    return f"""
[outbound]
smarthost = "{smarthost}"
[[outbound.pool]]
name = "bulk"
[[outbound.pool.source]]
address = "{TWO}"
name = "out2.example.test"
[outbound.pool.source.warm_up]
start = {start}
messages = 3
factor = 1.0
[[outbound.pool.source]]
address = "192.0.2.77"
[[outbound.route]]
pool = "bulk"
account = "@example.test"
"""


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with smtp_sink(Sink(refuse={BOB: "450 4.2.0 greylisted"})) as running:
        yield running


def submit(server: ServerProcess, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.sendmail(ADA, [recipient], "Subject: hello\r\n\r\ntext\r\n")


def listed(server: ServerProcess) -> list[dict[str, Any]]:
    rows = server.json("queue", "pools")
    assert isinstance(rows, list)
    return rows


def operate(server: ServerProcess, sink: Sink) -> None:
    server.start()
    server.add_account(ADA)
    submit(server, "cat@world.test")
    (sent,) = until(lambda: server.events("sent"))
    assert sent["source"] == TWO
    assert (sink.received[0].peer, sink.received[0].helo) == (TWO, "out2.example.test")
    submit(server, BOB)
    (row,) = until(lambda: [one for one in queue(server) if one["state"] == "deferred"])
    why = server.json("queue", "why", row["id"])
    assert f" from {TWO}: 450" in why["recipients"][0]["last_reply"]
    assert why["destinations"][0]["pool"] == "bulk"
    first, second = listed(server)
    assert (first["pool"], first["address"], first["usable"]) == ("bulk", TWO, True)
    assert (first["sent"], first["allowed"]) == (1, 3)
    assert (second["usable"], second["allowed"], second["sent"]) == (False, None, 0)
    server.stop()
    assert listed(server)[0]["sent"] == 1
    server.start()
    submit(server, "dan@world.test")
    until(lambda: len(sink.received) == 2)
    assert listed(server)[0]["sent"] == 2


def queue(server: ServerProcess) -> list[dict[str, Any]]:
    rows = server.json("queue", "list")
    assert isinstance(rows, list)
    return rows


async def test_which_address_is_used_and_how_often(tmp_path: Path, sink: Sink) -> None:
    extra = pools(f"smtp://{sink.endpoint}")
    server = ServerProcess(tmp_path, configuration(extra=extra))
    try:
        await asyncio.to_thread(operate, server, sink)
    finally:
        await asyncio.to_thread(server.stop)


def checked(tmp_path: Path, dns: str) -> dict[str, dict[str, Any]]:
    extra = f'[dns]\nnameservers = ["{dns}"]\n{pools()}'
    server = ServerProcess(tmp_path, configuration(extra=extra))
    rows = json.loads(server.command("check", "--json", expect=None).stdout)
    assert isinstance(rows, list)
    return {row["name"]: row for row in rows}


def test_check_binds_each_address_and_compares_its_names(tmp_path: Path) -> None:
    with dns_in_thread() as dns:
        rows = checked(tmp_path, str(dns.endpoint))
        assert not rows[f"source {TWO}"]["ok"]
        assert "no such" in rows[f"source {TWO}"]["detail"]
        away = rows["source 192.0.2.77"]
        assert (away["ok"], "does not have the address" in away["detail"]) == (False, True)
        dns.set("2.0.0.127.in-addr.arpa", "PTR", "other.example.test.")
        two = checked(tmp_path, str(dns.endpoint))[f"source {TWO}"]
        assert (two["ok"], "other.example.test, EHLO says" in two["detail"]) == (False, True)
        assert "let its PTR record be out2.example.test" in two["fix"]


def test_check_is_content_with_names_that_lead_back(tmp_path: Path) -> None:
    with dns_in_thread() as dns:
        dns.set("2.0.0.127.in-addr.arpa", "PTR", "out2.example.test.")
        dns.set("out2.example.test", "A", TWO)
        two = checked(tmp_path, str(dns.endpoint))[f"source {TWO}"]
    assert (two["ok"], two["fix"]) == (True, "")
