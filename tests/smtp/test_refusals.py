"""Each refusal by policy carries an id under which the log tells everything about it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from filters.context import Context
from filters.filter import Filter
from filters.verdict import Verdict, defer, reject
from smtp.grammar.reply import reply
from smtp.refusals import with_id
from tests.support.smtp_receiving import ADA, OUTSIDE, receiving

Capsys = pytest.CaptureFixture[str]


class Refuses(Filter):
    """Refuses where the HELO name says so."""

    name = "refuses"

    async def helo(self, context: Context) -> Verdict:
        return reject("not you", symbol="BAD_HELO") if context.helo == "helo.test" else Verdict()

    async def mail(self, context: Context) -> Verdict:
        return defer("later", symbol="LATER") if context.helo == "mail.test" else Verdict()

    async def rcpt(self, context: Context) -> Verdict:
        return reject("nor them", symbol="NOR") if context.helo == "rcpt.test" else Verdict()

    async def data(self, context: Context) -> Verdict:
        return reject("nor that", symbol="THAT") if context.helo == "data.test" else Verdict()


def lines_of(capsys: Capsys) -> list[dict[str, Any]]:
    """The log up to here."""
    text = capsys.readouterr().out
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def told(log: list[Any], answer: str) -> dict[str, Any]:
    """The log's line about the refusal that an answer names."""
    found = re.search(r" \(id (\S+)\)$", answer)
    assert found, answer
    (line,) = [line for line in log if line.get("id") == found[1]]
    assert line["event"] == "refused"
    return dict(line)


async def test_every_stage(tmp_path: Path, capsys: Capsys) -> None:
    async with receiving(tmp_path, own_filters=[Refuses()]) as running:
        client = await running.client()
        await client.reply()
        helo = await client.say("EHLO helo.test")
        await client.say("EHLO mail.test")
        mail = await client.say(f"MAIL FROM:<{OUTSIDE}>")
        await client.say("EHLO rcpt.test")
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        rcpt = await client.say(f"RCPT TO:<{ADA}>")
        nobody = await client.say("RCPT TO:<nobody@example.test>")
        relay = await client.say("RCPT TO:<x@far.test>")
        await client.say("EHLO data.test")
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say("DATA")
        data = await client.say("Subject: x\r\n\r\n.")
        log = lines_of(capsys)
        assert [one[:9] for one in (helo, mail, rcpt, nobody, relay, data)] == [
            "550 5.7.1", "450 4.7.1", "550 5.7.1", "550 5.1.1", "550 5.7.1", "550 5.7.1",
        ]  # fmt: skip
        line = told(log, helo)
        assert (line["stage"], line["helo"], line["symbols"]) == ("helo", "helo.test", ["BAD_HELO"])
        assert line["peer"] == "127.0.0.1" and line["connection"]
        line = told(log, mail)
        assert (line["stage"], line["sender"], line["symbols"]) == ("mail", OUTSIDE, ["LATER"])
        assert (line["code"], line["status"], line["reason"]) == (450, "4.7.1", "later")
        line = told(log, rcpt)
        assert (line["stage"], line["recipient"], line["sender"]) == ("rcpt", ADA, OUTSIDE)
        assert told(log, nobody)["recipient"] == "nobody@example.test"
        assert told(log, relay)["reason"] == "Relaying denied"
        line = told(log, data)
        assert (line["stage"], line["symbols"]) == ("data", ["THAT"]) and line["message"]


async def test_errors_of_syntax_and_order_are_no_refusals(tmp_path: Path, capsys: Capsys) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.reply()
        for line in ("NONSENSE", "MAIL FROM:<a@b.test>", "EHLO", "DATA", "EHLO x", "MAIL FROM"):
            assert "(id " not in await client.say(line)
        log = lines_of(capsys)
        assert [line for line in log if line["event"] == "refused"] == []


async def test_refused_connections_flood_no_log(tmp_path: Path, capsys: Capsys) -> None:
    limits: dict[str, Any] = {"connections_per_address": 1}
    strangers: dict[str, Any] = {"local_networks": []}
    async with receiving(tmp_path, limits=limits, filters=strangers) as running:
        await (await running.client()).reply()
        answers = [await (await running.client()).reply() for _ in range(20)]
        log = lines_of(capsys)
        assert all(one.startswith("421 4.7.0 Too many connections") for one in answers)
        lines = [line for line in log if line["event"] == "refused"]
        assert len(lines) == sum("(id " in one for one in answers) == 6
        assert told(log, answers[0])["peer"] == "127.0.0.1"


def test_a_long_reason_leaves_room_for_the_id() -> None:
    long = with_id(reply(550, "5.7.1", "first", "ä" * 600), "1f.2")
    assert long.wire.endswith(b"(id 1f.2)\r\n")
    assert long.wire.startswith(b"550-5.7.1 first\r\n550 5.7.1 \xc3\xa4")
