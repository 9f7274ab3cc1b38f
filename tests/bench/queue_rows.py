"""A start on a queue of a million messages, of which none is due; ours alone.

The rows are bulk inserts into the index of a server of its own, which has no files for them.
"""

import time

from sqlalchemy import create_engine

from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.full_queue import fill
from tests.support.server import ServerProcess, configuration

COUNT = 1_000_000
DAY = 86_400.0


def _server(side: Side) -> ServerProcess:
    return ServerProcess(side.maildirs.parent / "queue", configuration())


def fill_queue(side: Side) -> None:
    """A server with so many messages in its queue, stopped."""
    server = _server(side)
    if not side.ours or server.data.exists():
        return
    server.start()
    server.stop()
    engine = create_engine(f"sqlite:///{server.data / 'index.db'}")
    with engine.begin() as connection:
        fill(connection, COUNT, now=time.time() + DAY)
    engine.dispose()


def start(side: Side) -> float:
    """Milliseconds from the start of the process until every listener accepts."""
    if not side.ours:
        return 0.0
    server = _server(side)
    begin = time.perf_counter()
    server.start()
    taken = time.perf_counter() - begin
    server.stop()
    return taken * 1000


ROWS = [Row("start on a queue of 1,000,000", "ms", start, limit=2000, prepare=fill_queue)]
