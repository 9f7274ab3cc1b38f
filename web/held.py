"""Connections that are handed on by uvicorn's protocol of HTTP: to a stream that the server writes
to for hours, and to a WebSocket.

A stream costs a transport and one object then, and no task. Invariant: what the connection counts
as is given back once, by whoever has it when it is lost.
"""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from starlette.types import Scope

from net.accepting import Name

CONNECTION: Final = "mailserver.connection"
"""The extension of ASGI by which an application reaches its connection: a weak reference."""
Release = Callable[[], None]


class Taker(Protocol):
    """Takes a connection over: an asyncio.Protocol."""

    def taken(self, transport: asyncio.Transport, release: Release) -> None:
        """`release` is to be called when the connection is lost."""


def hand_on(scope: Scope, taker: Taker) -> bool:
    """Gives the connection of a request away, whose answer was begun with chunks and has not ended;
    False where it is lost, or has further requests already.
    """
    protocol = scope["extensions"][CONNECTION]()
    return protocol is not None and protocol.hand_on(taker)


def holding(protocol: Any) -> type[asyncio.Protocol]:
    """uvicorn's protocol class with that extension."""

    class Holding(protocol):  # type: ignore[misc]
        announced: Name | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._me = weakref.ref(self)
            super().connection_made(transport)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.scope["extensions"] = {CONNECTION: self._me}

        def let_go(self) -> Release:
            """What the connection counts as is no longer this object's."""
            return lambda: None

        def hand_on(self, taker: Taker) -> bool:
            if self.transport.is_closing() or self.pipeline:
                return False
            self.cycle.response_complete = True  # as far as uvicorn is concerned
            self.connections.discard(self)
            self.parser = None
            self.flow.resume_reading()
            self.transport.set_protocol(taker)
            taker.taken(self.transport, self.let_go())
            return True

        def handle_websocket_upgrade(self) -> None:
            made: Any = self.ws_protocol_class
            release, client = self.let_go(), self.client

            def make(**arguments: Any) -> Any:
                upgraded = made(**arguments)
                upgraded.release, upgraded.announced = release, client
                return upgraded

            self.ws_protocol_class: Any = make
            super().handle_websocket_upgrade()
            self.parser = self.ws_protocol_class = None

    return cast(type[asyncio.Protocol], Holding)


def upgraded(protocol: Any) -> type[asyncio.Protocol]:
    """uvicorn's protocol class of WebSocket, for connections that `holding` upgrades."""

    class Upgraded(protocol):  # type: ignore[misc]
        release: Release
        announced: Name | None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.client = self.announced

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self.release()

    return cast(type[asyncio.Protocol], Upgraded)
