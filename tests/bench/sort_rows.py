"""SORT and THREAD of a mailbox of 10,000 messages that answer one another."""

import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.bench.imap_rows import connect, selected
from tests.bench.rows import Row
from tests.bench.sides import Side

TALK = b"Talk"
_COUNT = 10_000
_START = datetime(2026, 1, 1, tzinfo=UTC)


def _talk(chance: random.Random) -> list[bytes]:
    """Three of five messages answer one of the last 200; dates differ from the order of arrival."""
    made: list[bytes] = []
    references: list[list[int]] = []
    subjects: list[int] = []
    for number in range(_COUNT):
        answered = chance.randrange(max(0, number - 200), number) if number else 0
        reply = number > 0 and chance.random() < 0.6
        references.append([*references[answered][-20:], answered] if reply else [])
        subjects.append(subjects[answered] if reply else number)
        date = _START + timedelta(minutes=number) - timedelta(seconds=chance.randrange(7200))
        head = (
            f"From: Person {number % 50} <p{number % 50}@world.test>\r\nTo: <b1@bench.test>\r\n"
            f"Subject: {'Re: ' if reply else ''}Talk {subjects[-1]}\r\n"
            f"Date: {format_datetime(date)}\r\nMessage-ID: <talk.{number}@world.test>\r\n"
        )
        if reply:
            head += "References: " + "\r\n ".join(f"<talk.{n}@world.test>" for n in references[-1])
            head += "\r\n"
        made.append(head.encode() + b"\r\nWords.\r\n")
    return made


def fill(side: Side) -> None:
    """The mailbox, once a side."""
    client = connect(side)
    if b"* LIST" not in client.command(b'LIST "" ' + TALK):
        client.command(b"CREATE " + TALK)
        messages = _talk(random.Random(5256))
        for start in range(0, _COUNT, 200):
            literals = [b"{%d+}\r\n%b" % (len(m), m) for m in messages[start : start + 200]]
            client.command(b"APPEND %b %b" % (TALK, b" ".join(literals)))
    client.close()


def _median(side: Side, command: bytes) -> float:
    """Milliseconds of a command in an open mailbox; the first time is not counted."""
    client = selected(side, mailbox=TALK)
    client.command(command)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        client.command(command)
        times.append(time.perf_counter() - start)
    client.close()
    return statistics.median(times) * 1000


def _after_arrival(side: Side, command: bytes) -> float:
    """The same, with a message that arrived since the last time."""
    client = selected(side, mailbox=TALK)
    client.command(command)
    times = []
    for number in range(10):
        client.append(
            TALK, b"Subject: Re: Talk %d\r\nMessage-ID: <new.%d>\r\n\r\nNew.\r\n" % (number, number)
        )
        start = time.perf_counter()
        client.command(command)
        times.append(time.perf_counter() - start)
    client.command(b"STORE 10001:* +FLAGS.SILENT (\\Deleted)")
    client.command(b"EXPUNGE")
    client.close()
    return statistics.median(times) * 1000


_SORT = b"SORT (REVERSE DATE) UTF-8 ALL"
_THREAD = b"THREAD REFERENCES UTF-8 ALL"
ROWS = [
    Row(
        "SORT (REVERSE DATE) of 10,000",
        "ms",
        lambda s: _median(s, _SORT),
        at_most=0.5,
        prepare=fill,
    ),
    Row(
        "SORT (REVERSE DATE) after an arrival",
        "ms",
        lambda s: _after_arrival(s, _SORT),
        at_most=1,
        prepare=fill,
    ),
    Row(
        "SORT (SUBJECT) UNSEEN of 10,000",
        "ms",
        lambda s: _median(s, b"UID SORT (SUBJECT) UTF-8 UNSEEN"),
        at_most=1,
        prepare=fill,
    ),
    Row(
        "THREAD REFERENCES of 10,000",
        "ms",
        lambda s: _median(s, _THREAD),
        at_most=0.5,
        prepare=fill,
    ),
    Row(
        "THREAD REFERENCES after an arrival",
        "ms",
        lambda s: _after_arrival(s, _THREAD),
        at_most=2,
        prepare=fill,
    ),
]
