"""The DNS server of the tests in a thread of its own, for tests whose peers are processes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.dns_server import DnsServer, dns_server


@contextmanager
def dns_in_thread() -> Iterator[DnsServer]:
    """A running server; records may be set from the caller's thread."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    made: list[DnsServer] = []

    async def serve() -> None:
        async with dns_server() as server:
            made.append(server)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the DNS server did not start"
        yield made[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
