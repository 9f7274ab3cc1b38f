"""The streams that are open, by account: ended at once by whatever ends their login, and by the end
of the server.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from auth.admission import Admission
from auth.login import Authenticator
from auth.login_values import Login
from config.clock import Clock
from storage.directory_values import AccountChange
from storage.values import AccountId

LONGEST: Final = 86400.0
"""Seconds until a stream of a login that ends some time is ended; it may come again."""


class Stream(Protocol):
    """An answer that goes on, or a WebSocket."""

    login: Login
    peer: str

    def end(self) -> None:
        """Ends soon; also one that has ended."""


class Streams:
    """They count as connections of their account, as those of other protocols do."""

    def __init__(self, authenticator: Authenticator, admission: Admission, clock: Clock) -> None:
        self._admission, self._clock = admission, clock
        self._open: dict[AccountId, set[Stream]] = {}
        self._timers: dict[Stream, asyncio.TimerHandle] = {}
        self._closed = False
        self._unsubscribe: Callable[[], None] = authenticator.on_revoke(self._revoked)

    def add(self, stream: Stream) -> bool:
        """False where there are too many of the account, or the server ends."""
        account = stream.login.account
        if self._closed or not self._admission.log_in(account, stream.peer):
            return False
        self._open.setdefault(account, set()).add(stream)
        if stream.login.grant.expires is not None:
            left = max(0.0, stream.login.grant.expires - self._clock.now())
            loop = asyncio.get_running_loop()
            self._timers[stream] = loop.call_later(min(left, LONGEST), stream.end)
        if stream.login.by is not None:
            self._open.setdefault(stream.login.by, set()).add(stream)
        return True

    def discard(self, stream: Stream) -> None:
        """It has ended; also one that is not there."""
        account = stream.login.account
        if stream in self._open.get(account, ()):
            self._admission.log_out(account)
        if (timer := self._timers.pop(stream, None)) is not None:
            timer.cancel()
        for one in {account, stream.login.by or account}:
            if (mine := self._open.get(one)) is not None:
                mine.discard(stream)
                if not mine:
                    del self._open[one]

    def close(self) -> None:
        """Ends all, and lets no more in."""
        self._closed = True
        self._unsubscribe()
        for stream in {one for some in self._open.values() for one in some}:
            stream.end()

    def _revoked(self, change: AccountChange) -> None:
        for stream in tuple(self._open.get(change.account, ())):
            if stream.login.ended_by(change):
                stream.end()
