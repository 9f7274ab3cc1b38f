"""The streams that are open, by account: ended at once by whatever ends their login, and by the end
of the server.
"""

from collections.abc import Callable
from typing import Protocol

from auth.admission import Admission
from auth.login import Authenticator
from auth.login_values import Login
from storage.directory_values import AccountChange
from storage.values import AccountId


class Stream(Protocol):
    """An answer that goes on, or a WebSocket."""

    login: Login
    peer: str

    def end(self) -> None:
        """Ends soon; also one that has ended."""


class Streams:
    """They count as connections of their account, as those of other protocols do."""

    def __init__(self, authenticator: Authenticator, admission: Admission) -> None:
        self._admission = admission
        self._open: dict[AccountId, set[Stream]] = {}
        self._closed = False
        self._unsubscribe: Callable[[], None] = authenticator.on_revoke(self._revoked)

    def add(self, stream: Stream) -> bool:
        """False where there are too many of the account, or the server ends."""
        account = stream.login.account
        if self._closed or not self._admission.log_in(account, stream.peer):
            return False
        self._open.setdefault(account, set()).add(stream)
        if stream.login.by is not None:
            self._open.setdefault(stream.login.by, set()).add(stream)
        return True

    def discard(self, stream: Stream) -> None:
        """It has ended; also one that is not there."""
        account = stream.login.account
        if stream in self._open.get(account, ()):
            self._admission.log_out(account)
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
