"""What is done to whole mailboxes: SELECT, and COPY, MOVE and EXPUNGE of 1,000 messages."""

import itertools
import statistics
import time

from tests.bench.clients import Imap
from tests.bench.imap_rows import BIG, connect, fill, selected
from tests.bench.rows import Row
from tests.bench.sides import Side

MILLION = b"Million"
_numbers = itertools.count(1)


def _milliseconds(client: Imap, command: bytes) -> float:
    start = time.perf_counter()
    client.command(command)
    return (time.perf_counter() - start) * 1000


def select(side: Side) -> float:
    """Milliseconds of a SELECT that was done before; median of 100."""
    client = selected(side)
    times = [_milliseconds(client, b"SELECT " + BIG) for _ in range(100)]
    client.close()
    return statistics.median(times)


def fill_million(side: Side) -> None:
    """A million messages in a mailbox of b1's, copies of those of `fill`; ours alone."""
    fill(side)
    client = selected(side)
    if not side.ours or b"* LIST" in client.command(b'LIST "" ' + MILLION):
        client.close()
        return
    client.command(b"CREATE " + MILLION)
    client.command(b"COPY 1:10000 " + MILLION)
    client.command(b"SELECT " + MILLION)
    have = 10_000
    while have < 1_000_000:
        more = min(have, 50_000, 1_000_000 - have)
        client.command(b"COPY 1:%d " % more + MILLION)
        have += more
    client.close()


def select_million(side: Side) -> float:
    """Milliseconds of SELECT; nothing is measured on the peer."""
    if not side.ours:
        return 0.0
    client = connect(side)
    taken = _milliseconds(client, b"SELECT " + MILLION)
    client.close()
    return taken


def _copied(side: Side) -> tuple[Imap, bytes, float]:
    """A connection that has 1,000 messages in a mailbox of its own; how long COPY took."""
    name = b"Thousand%d" % next(_numbers)
    client = selected(side)
    client.command(b"CREATE " + name)
    taken = _milliseconds(client, b"COPY 1:1000 " + name)
    client.command(b"SELECT " + name)
    return client, name, taken


def copy(side: Side) -> float:
    """Milliseconds of COPY."""
    client, name, taken = _copied(side)
    _drop(client, name)
    return taken


def move(side: Side) -> float:
    """Milliseconds of MOVE, of messages that were copied just before."""
    client, name, _ = _copied(side)
    target = b"Moved-" + name
    client.command(b"CREATE " + target)
    taken = _milliseconds(client, b"MOVE 1:1000 " + target)
    _drop(client, name, target)
    return taken


def expunge(side: Side) -> float:
    """Milliseconds of EXPUNGE, without those of STORE."""
    client, name, _ = _copied(side)
    client.command(b"STORE 1:1000 +FLAGS.SILENT (\\Deleted)")
    taken = _milliseconds(client, b"EXPUNGE")
    _drop(client, name)
    return taken


def _drop(client: Imap, *names: bytes) -> None:
    client.command(b"UNSELECT")
    for name in names:
        client.command(b"DELETE " + name)
    client.close()


ROWS = [
    Row("SELECT of 10,000, warm", "ms", select, at_most=1, prepare=fill),
    Row("COPY of 1,000", "ms", copy, at_most=1, prepare=fill),
    Row("MOVE of 1,000", "ms", move, at_most=1, prepare=fill),
    Row("EXPUNGE of 1,000", "ms", expunge, at_most=1, prepare=fill),
    Row("SELECT of a million, warm", "ms", select_million, limit=100, prepare=fill_million),
    Row(
        "SELECT of a million, after a start",
        "ms",
        select_million,
        limit=1500,
        prepare=fill_million,
        fresh=True,
    ),
]
