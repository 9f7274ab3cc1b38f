"""The header list that Thunderbird asks for of every message it has not seen yet."""

import itertools
import time

from tests.bench.clients import message
from tests.bench.imap_rows import connect, fill, list_cpu, list_speed
from tests.bench.rows import Row
from tests.bench.sides import Side

_NAMES = (
    b"From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To"
    b" Content-Type Reply-To List-Post List-ID"
)
_LIST = b"(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (" + _NAMES + b")])"
_NEW = 1000
_numbers = itertools.count()


def first(side: Side) -> float:
    """Messages a second, of 1,000 that arrived since and nobody has asked for."""
    name = b"New%d" % next(_numbers)
    client = connect(side, 4)
    client.command(b"CREATE " + name)
    tags = []
    for number in range(_NEW):
        body = message(4096, number)
        tags.append(client.send(b"APPEND %b {%d+}\r\n%b" % (name, len(body), body)))
        if len(tags) == 200:
            client.finish(tags.pop())
            tags.clear()
    client.command(b"SELECT " + name)
    start = time.perf_counter()
    client.command(b"UID FETCH 1:* " + _LIST)
    seconds = time.perf_counter() - start
    client.close()
    return _NEW / seconds


ROWS = [
    Row(
        "Thunderbird's header list of 10,000, warm",
        "msg/s",
        lambda s: list_speed(s, _LIST),
        at_least=1,
        prepare=fill,
    ),
    Row(
        "Thunderbird's header list, server CPU",
        "us/msg",
        lambda s: list_cpu(s, _LIST),
        at_most=0.5,
        prepare=fill,
    ),
    Row("Thunderbird's header list of 1,000, first time", "msg/s", first, at_least=5),
]
