"""The HTTPS server of the tests in a thread of its own, for tests whose peers are processes."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from tests.support.https_server import HttpsServer


@contextmanager
def https_in_thread(ca_file: Path, *names: str) -> Iterator[HttpsServer]:
    """A running server whose certificate has these names; its authority is in a file."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    ca.cert_pem.write_to_path(ca_file)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    web = HttpsServer()

    async def serve() -> None:
        await web.start(context)
        ready.set()
        await stop.wait()
        await web.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the HTTPS server did not start"
        yield web
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
