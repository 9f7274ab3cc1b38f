"""What is gathered of a message: filters in their order, bounded, and without what floods bring."""

import sys
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import capture_logs

from filters.asked import MOST
from filters.context import Context, Kind, Message, Peer
from filters.envelope import Envelope
from filters.explain_words import told, visible
from filters.filter import Filter, Stage
from filters.pipeline import Pipeline
from filters.policy import Policy
from filters.record import REFUSED_BY_ADDRESS, REFUSED_IN_ALL, Recorder
from filters.verdict import ACCEPT, Action, Scored, Verdict
from storage.explain_values import Happening, Recorded, pack, unpack
from storage.explain_values import Kind as What
from storage.values import Content, Delivery, DeliveryResult, QueuedRecipient, QueueId
from tests.support.directories import MovedClock, make_settings

ESCAPE = "\x1b[31m"


class Kept:
    """Keeps what is to be written."""

    def __init__(self) -> None:
        self.rows: list[Happening] = []

    def put(self, happening: Happening) -> None:
        self.rows.append(happening)


class Says(Filter):
    """Says one thing at RCPT."""

    def __init__(self, name: str, said: Verdict | Exception) -> None:
        self.name, self._said = name, said

    async def rcpt(self, context: Context) -> Verdict:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


def recorded(row: Happening) -> Recorded:
    """As it is read again."""
    data = unpack(pack(row.make()))
    return Recorded(1, row.at, row.trace, row.kind, data, row.ident, row.message_id)


def refuse(recorder: Recorder, context: Context, number: int = 1) -> None:
    answer = (550, "5.7.1", f"no {ESCAPE}")
    more: dict[str, Any] = {"sender": "a@b.test", "recipient": "c@d.test", "symbols": ["BAD"]}
    recorder.refused(context, f"c.{number}", "rcpt", answer, **more)


async def test_each_filter_with_what_it_said_and_cost(tmp_path: Path) -> None:
    scored = Verdict(scored=(Scored("HEAVY", 2.5, "x"), Scored("LIGHT", -1.0)), symbols=("PLAIN",))
    filters = [
        Says("quiet", ACCEPT),
        Says("counts", scored),
        Says("broken", ValueError("a bug")),
        Says("left", ACCEPT),
        Says("junk", Verdict(Action.JUNK)),
    ]
    nothing: Any = None
    line = Pipeline(make_settings(tmp_path), nothing, structlog.get_logger(), filters=filters)
    context = Context(Kind.MX, Peer("192.0.2.1", 25), "c", policy=Policy(skip=frozenset({"left"})))
    with capture_logs():
        await line.run(Stage.RCPT, context)
    asked = context.asked["rcpt"]
    assert [one.filter for one in asked] == ["quiet", "counts", "broken", "left", "junk"]
    assert all(one.seconds > 0 for one in asked if not one.skipped)
    writer = Kept()
    refuse(Recorder(MovedClock(), writer), context)
    lines = [line.text for line in told(recorded(writer.rows[0]))]
    assert any(
        one.startswith("At RCPT counts found HEAVY +2.5 (x), LIGHT -1, PLAIN, in all 1.5 (")
        for one in lines
    )
    assert any(one.startswith("At RCPT broken failed: ValueError('a bug') (") for one in lines)
    assert "At RCPT left was left out by a policy" in lines
    assert any("junk found nothing: this belongs into Junk" in one for one in lines)
    assert any(one.startswith("At RCPT nothing was found by quiet ") for one in lines)
    assert all(char.isprintable() for one in lines for char in one)


async def test_what_is_gathered_of_many_recipients_is_bounded(tmp_path: Path) -> None:
    nothing: Any = None
    one = Says("one", Verdict(symbols=("HERE",)))
    line = Pipeline(make_settings(tmp_path), nothing, structlog.get_logger(), filters=[one])
    context = Context(Kind.MX, Peer("192.0.2.1"))
    for _ in range(MOST + 50):
        await line.run(Stage.RCPT, context)
    assert len(context.asked["rcpt"]) == MOST
    context.forget("rcpt")
    assert not context.asked and not context.told


def test_a_flood_of_refusals_is_counted_and_not_recorded() -> None:
    clock, writer = MovedClock(), Kept()
    recorder = Recorder(clock, writer)
    for number in range(1000):
        refuse(recorder, Context(Kind.MX, Peer("192.0.2.1"), "c"), number)
    assert len(writer.rows) == REFUSED_BY_ADDRESS
    refuse(recorder, Context(Kind.MX, Peer("192.0.2.2"), "d"))
    last = told(recorded(writer.rows[-1]))[-1].text
    assert f"{1000 - REFUSED_BY_ADDRESS} refusals before it were only counted" in last
    for number in range(5000):
        address = f"198.{number >> 14}.{number >> 8 & 63}.{number & 255}"
        refuse(recorder, Context(Kind.MX, Peer(address), "e"))
    assert len(writer.rows) <= REFUSED_IN_ALL
    clock.seconds += 61
    refuse(recorder, Context(Kind.MX, Peer("192.0.2.1"), "c"))
    assert writer.rows[-1].trace == "c"


def test_a_monstrous_header_is_cut() -> None:
    writer = Kept()
    context = Context(Kind.MX, Peer("192.0.2.1"), "c")
    header = b"Subject: " + b"x" * 200_000 + b"\r\nMessage-ID: <late@x.test>\r\n"
    context.message = Message(Content(1, b""), header)
    refuse(Recorder(MovedClock(), writer), context)
    row = writer.rows[0]
    assert row.message_id == "" and len(pack(row.make())) < 2_000
    assert row.kind is What.REFUSED


def test_what_waits_to_be_written_does_not_hold_the_message() -> None:
    writer, body = Kept(), bytes(100_000)
    before = sys.getrefcount(body)
    content = Content(len(body), b"", data=body)
    envelope = Envelope(Kind.MX, "a@b.test", (), "t", 1.0)
    job = Delivery(content, "a@b.test", 1.0, "t", queued=(QueuedRecipient("c@d.test"),))
    recorder, result = Recorder(MovedClock(), writer), DeliveryResult((), QueueId(7))
    answer = (250, "2.0.0", "Ok")
    recorder.message(envelope, Message(content, b""), ACCEPT, answer, [(job, result)])
    del content, job
    assert sys.getrefcount(body) == before
    data = recorded(writer.rows[0]).data
    assert (data["size"], data["queued"]) == (100_000, ["c@d.test"])


def test_nothing_is_gathered_where_nobody_writes() -> None:
    refuse(Recorder(MovedClock()), Context(Kind.MX, Peer("192.0.2.1"), "c"))


def test_what_peers_chose_does_not_steer_a_terminal() -> None:
    assert visible(f"a{ESCAPE}\r\nb\u202e") == "a?[31m??b?"
