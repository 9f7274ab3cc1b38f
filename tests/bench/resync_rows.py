"""A client that comes back: SELECT with QRESYNC of 100,000 messages, 100 of them changed."""

import re
import statistics
import time

from tests.bench.clients import Imap
from tests.bench.imap_rows import connect, fill, selected
from tests.bench.rows import Row
from tests.bench.sides import Side

LARGE = b"Large"
_COUNT = 100_000
_CHANGES = 100
_STEP = _COUNT // _CHANGES
_ROUNDS = 20


def fill_large(side: Side) -> None:
    """A hundred thousand messages in a mailbox of b1's, copies of those of `fill`; ours alone."""
    fill(side)
    client = selected(side)
    if side.ours and b"* LIST" not in client.command(b'LIST "" ' + LARGE):
        client.command(b"CREATE " + LARGE)
        for _ in range(_COUNT // 10_000):
            client.command(b"COPY 1:10000 " + LARGE)
    client.close()


def _standing(client: Imap) -> tuple[int, int]:
    answer = client.command(b"STATUS %b (UIDVALIDITY HIGHESTMODSEQ)" % LARGE)
    found = re.search(rb"UIDVALIDITY (\d+) HIGHESTMODSEQ (\d+)", answer)
    assert found is not None
    return int(found[1]), int(found[2])


def resync(side: Side) -> float:
    """Milliseconds, the median of some; nothing is measured on the peer."""
    if not side.ours:
        return 0.0
    client = connect(side)
    client.command(b"ENABLE QRESYNC")
    validity, modseq = _standing(client)
    client.command(b"SELECT " + LARGE)
    for number in range(1, _COUNT, _STEP):
        client.command(b"STORE %d +FLAGS.SILENT (\\Flagged)" % number)
        client.command(b"STORE %d -FLAGS.SILENT (\\Flagged)" % number)
    command = b"SELECT %b (QRESYNC (%d %d))" % (LARGE, validity, modseq)
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        answer = client.command(command)
        times.append((time.perf_counter() - start) * 1000)
        assert answer.count(b" FETCH (UID ") == _CHANGES
    client.close()
    return statistics.median(times)


ROWS = [
    Row(
        "QRESYNC of 100,000, 100 changed",
        "ms",
        resync,
        limit=5,
        prepare=fill_large,
    )
]
