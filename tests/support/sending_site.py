"""A server that sends all mail to a sink beside it, for tests with blocking clients."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.directories import own_database
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.support.smtp_sink import Sink


@contextmanager
def running_sink() -> Iterator[Sink]:
    """In a thread of its own."""
    loop, sink = asyncio.new_event_loop(), Sink()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(sink.start(), loop).result(10)
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(sink.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def sending_site(
    folder: Path, kind: str, *accounts: str, extra: str = ""
) -> Iterator[tuple[ServerProcess, Sink]]:
    """On a database of its own, with accounts of PASSWORD."""
    with asyncio.Runner() as runner, running_sink() as sink:
        opened = own_database(kind)
        database = runner.run(opened.__aenter__())
        try:
            config = configuration(database=database, extra=sink.as_smarthost + extra)
            with ServerProcess(folder, config) as server:
                for address in accounts:
                    server.perform("account.add", address=address, password=PASSWORD)
                yield server, sink
        finally:
            runner.run(opened.__aexit__(None, None, None))
