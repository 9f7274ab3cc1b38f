"""Bounds of a request's head in octets and time, and of what a body has beside its octets (sizes of
chunks, trailers): uvicorn's protocol on httptools has none.

Octets are counted as they come, with or without a line's end. A head has MAX_HEAD of them and
SECONDS; a body may have as many beside it as it has itself, and MAX_HEAD more. A client that takes
nothing of an answer for STUCK seconds is cut off.
"""

import asyncio
from typing import Any, Final

MAX_HEAD: Final = 64 * 1024
SECONDS: float = 30.0
STUCK: float = 60.0
_TOO_LONG: Final = "431 Request Header Fields Too Large"  # RFC 6585 §5
_TOO_LATE: Final = "408 Request Timeout"


def bounded(protocol: Any) -> type[asyncio.Protocol]:
    """The protocol class with the bounds."""

    class Bounded(protocol):  # type: ignore[misc]
        _beside = 0
        _body = 0
        _begun = False
        _timer: asyncio.TimerHandle | None = None
        _stuck: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            self._moves()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._moves()
            self._stuck = self.loop.call_later(STUCK, self.transport.abort)

        def resume_writing(self) -> None:
            self._moves()
            super().resume_writing()

        def data_received(self, data: bytes) -> None:
            self._beside += len(data)
            super().data_received(data)
            if self._beside > MAX_HEAD + self._body:
                self._end(_TOO_LONG)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._begun = True
            self._wait()

        def on_headers_complete(self) -> None:
            self._wait_no_more()
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._beside -= len(body)
            self._body += len(body)
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._beside = self._body = 0
            super().on_message_complete()

        def _wait(self) -> None:
            self._wait_no_more()
            self._timer = self.loop.call_later(SECONDS, self._end, _TOO_LATE)

        def _wait_no_more(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _moves(self) -> None:
            if self._stuck is not None:
                self._stuck.cancel()
                self._stuck = None

        def _end(self, status: str) -> None:
            """Says so where no answer is under way."""
            if self.transport.is_closing():
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self.transport.abort()
                return
            if self._begun:
                head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                self.transport.write(head.encode())
            self.transport.close()

    return Bounded
