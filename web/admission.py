"""Connections of the http and https listeners under the limits that all protocols share.

`announced` is who a PROXY header names, set before the connection is made.

uvicorn accepts them itself: who is denied gets one answer and is closed, and uvicorn's protocol
never hears of it. A reverse proxy of http.trusted_proxies brings many people from one address.
"""

import asyncio
from functools import partial
from typing import Any, cast

from auth.admission import Admission, Denied
from storage.blocks import Block
from web.held import Release

_STATUS = {
    Denied.BLOCKED: "403 Forbidden",
    Denied.AT_ONCE: "429 Too Many Requests",
    Denied.TOO_FAST: "429 Too Many Requests",
}


class Open:
    """The transports of connections that were let in, with the addresses they are from."""

    def __init__(self) -> None:
        self._transports: dict[asyncio.Transport, str] = {}

    def add(self, transport: asyncio.Transport, address: str) -> None:
        self._transports[transport] = address

    def discard(self, transport: asyncio.Transport) -> None:
        self._transports.pop(transport, None)

    def end(self, block: Block) -> None:
        """Ends those of a network that was blocked."""
        for transport, address in list(self._transports.items()):
            if block.holds(address):
                transport.abort()


def guarded(protocol: Any, admission: Admission, opened: Open) -> type[asyncio.Protocol]:
    """web/held.py's protocol class with the question before and the count behind it."""

    class Guarded(protocol):  # type: ignore[misc]
        _counted: str | None = None
        _opened: asyncio.Transport | None = None
        _denied = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            name = self.announced or transport.get_extra_info("peername")
            address = str(name[0]) if isinstance(name, tuple) else ""
            if not admission.is_proxy(address):
                denied = admission.enter(address)
                if denied is not None:
                    _turn_away(cast(asyncio.Transport, transport), denied)
                    self._denied = True
                    return
                self._counted = address
                self._opened = cast(asyncio.Transport, transport)
                opened.add(self._opened, address)
            super().connection_made(transport)
            if self.announced is not None:
                self.client = self.announced

        def let_go(self) -> Release:
            counted, transport = self._counted, self._opened
            self._counted = self._opened = None
            return partial(_left, admission, opened, counted, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            self.let_go()()
            if not self._denied:
                super().connection_lost(exc)

    return Guarded


def _left(
    admission: Admission, opened: Open, counted: str | None, transport: asyncio.Transport | None
) -> None:
    if counted is not None:
        admission.leave(counted)
    if transport is not None:
        opened.discard(transport)


def _turn_away(transport: asyncio.Transport, denied: Denied) -> None:
    text = f"{denied.value}\n"
    transport.write(
        f"HTTP/1.1 {_STATUS[denied]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
    )
    transport.close()
