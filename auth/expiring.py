"""Ends the connections of credentials, and of access tokens of an outside provider, whose time is
over while they are open.

One timer a credential or token, set at its first login, and anew when a login finds another end;
the end is told as a revocation is. What was revoked has none.
"""

import asyncio
from dataclasses import dataclass

from auth.grant import Grant
from config.clock import Clock
from storage.credential_values import CredentialId, CredentialKind
from storage.credentials import Credentials
from storage.directory_values import AccountChange
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class _Watched:
    account: AccountId
    kind: CredentialKind | None
    end: float
    timer: asyncio.TimerHandle


class Expiring:
    """Close it before the loop ends."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._watched: dict[CredentialId, _Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, account: AccountId, grant: Grant) -> None:
        """Somebody came in by the grant's credential, if it has one."""
        number, end = grant.credential, grant.expires
        if number is None:
            return
        before = self._watched.get(number)
        if before is None or before.end != end:
            self._drop(number)
            if end is not None:
                self._set(number, account, grant.kind, end)

    def ended(self, change: AccountChange) -> None:
        """What the change ended needs no timer."""
        if change.credential is not None:
            self._drop(change.credential)
            return
        for number, one in tuple(self._watched.items()):
            if change.ends(one.account, number, one.kind):
                self._drop(number)

    def close(self) -> None:
        for number in tuple(self._watched):
            self._drop(number)

    def _drop(self, number: CredentialId) -> None:
        watched = self._watched.pop(number, None)
        if watched is not None:
            watched.timer.cancel()

    def _set(
        self, number: CredentialId, account: AccountId, kind: CredentialKind | None, end: float
    ) -> None:
        # the clock of the loop and that of the machine drift apart: looked at again when it is due
        seconds = max(0.0, end - self._clock.now()) + 0.01
        timer = asyncio.get_running_loop().call_later(seconds, self._due, number)
        self._watched[number] = _Watched(account, kind, end, timer)

    def _due(self, number: CredentialId) -> None:
        watched = self._watched[number]
        if self._clock.now() < watched.end:
            self._set(number, watched.account, watched.kind, watched.end)
            return
        self._drop(number)
        self._credentials.tell_end(watched.account, number)
