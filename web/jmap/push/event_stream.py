"""One stream of events (RFC 8620 §7.3), written as the WHATWG's text/event-stream in chunks.

It holds no queue: what a slow client has not taken is one state a type. A client that took nothing
for a whole interval is gone.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final, Protocol

import orjson

from auth.login_values import Login
from storage.type_states import StatePoint, TypeChanges
from storage.values import AccountId
from web.held import Release
from web.jmap.push.hub import Boxes
from web.jmap.push.state_change import Pending, Types, of_types, state_change, states_for, text_of

SILENCE: Final = 300.0
"""Seconds after which a stream without pings gets a comment, to see that somebody is there."""
_BUFFER: Final = 4096
_RETRY: Final = (2_000, 8_000)
_END: Final = b"0\r\n\r\n"


class Gone(Protocol):
    """Lets go of a stream that has ended; may be called twice."""

    def __call__(self, stream: "EventStream") -> None: ...


class EventStream(asyncio.Protocol):
    """A listener of the hub, and the protocol of its connection once it was handed on. `ping` in
    seconds, 0 for none.
    """

    __slots__ = (
        *("_gone", "_paused", "_pending", "_ping", "_point", "_release", "_timer"),
        *("_transport", "_types", "ended", "login", "once", "peer"),
    )

    def __init__(
        self, login: Login, peer: str, types: Types, ping: int, *, once: bool, gone: Gone
    ) -> None:
        self.login, self.peer, self.ended = login, peer, False
        self._types, self._ping, self.once, self._gone = types, ping, once, gone
        self._pending = Pending()
        self._point = StatePoint(0, 0)
        self._paused = False
        self._release: Release | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def sees_all(self) -> bool:
        """As hub.Listener."""
        return not self.login.grant.folders

    def begin(self, point: StatePoint) -> bytes:
        """The first octets of the body: when to come again, and from where."""
        self._point = point
        least, most = _RETRY
        wait = least + secrets.randbelow(most - least)
        return f"retry: {wait}\nid: {text_of(point)}\n\n".encode()

    def heard(self, account: AccountId, changes: TypeChanges, boxes: Boxes) -> None:
        """As hub.Listener; told as soon as the client takes it."""
        self._point = changes.until
        self._pending.add(account, states_for(changes, boxes, self._types, self.login.grant))
        self._tell()

    def heard_shared(self, owner: AccountId, states: Mapping[str, str]) -> None:
        """As hub.Listener."""
        self._pending.add(owner, of_types(states, self._types))
        self._tell()

    def end(self) -> None:
        """Completes the answer and closes the connection."""
        if self._transport is not None and not self.ended:
            self._close(self._transport)
        self._finish()

    # The connection, once it is this object's.

    def taken(self, transport: asyncio.Transport, release: Release) -> None:
        """As held.Taker."""
        self._transport, self._release = transport, release
        transport.set_write_buffer_limits(_BUFFER)
        if self.ended:
            self._close(transport)
            return
        self._wait()
        self._tell()

    def data_received(self, data: bytes) -> None:
        """A request behind one whose answer does not end."""
        self.end()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()
        if self._release is not None:
            self._release()
            self._release = self._transport = None

    def _close(self, transport: asyncio.Transport) -> None:
        if self._paused:
            transport.abort()
            return
        transport.write(_END)
        transport.close()

    def _tell(self) -> None:
        if self._transport is None or self._paused or self.ended or not self._pending:
            return
        data = orjson.dumps(state_change(self._pending.taken()))
        self._write(b"id: %b\nevent: state\ndata: %b\n\n" % (text_of(self._point).encode(), data))
        if self.once:
            self.end()

    def _write(self, event: bytes) -> None:
        assert self._transport is not None
        self._wait()
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._ping or SILENCE, self._silent)

    def _silent(self) -> None:
        if self._paused and self._transport is not None:
            self._transport.abort()
        elif self._ping:
            self._write(b'event: ping\ndata: {"interval":%d}\n\n' % self._ping)
        else:
            self._write(b":\n\n")

    def _finish(self) -> None:
        self.ended = True
        self._pending.taken()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gone(self)
