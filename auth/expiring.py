"""Ends the connections of credentials, and of access tokens of an outside provider, whose time is
over while they are open.

One timer a credential or token, set at its first login; the end is told as a revocation is.
"""

import asyncio

from config.clock import Clock
from storage.credential_values import CredentialId
from storage.credentials import Credentials
from storage.values import AccountId


class Expiring:
    """Close it before the loop ends."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._timers: dict[CredentialId, asyncio.TimerHandle] = {}

    def watch(self, account: AccountId, credential: CredentialId, until: float | None) -> None:
        """Somebody came in by it; `until` in seconds since 1970."""
        if until is not None and credential not in self._timers:
            self._set(account, credential, until)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _set(self, account: AccountId, credential: CredentialId, at: float) -> None:
        # the clock of the loop and that of the machine drift apart: looked at again when it is due
        seconds = max(0.0, at - self._clock.now()) + 0.01
        loop = asyncio.get_running_loop()
        self._timers[credential] = loop.call_later(seconds, self._due, account, credential, at)

    def _due(self, account: AccountId, credential: CredentialId, at: float) -> None:
        if self._clock.now() < at:
            self._set(account, credential, at)
            return
        del self._timers[credential]
        self._credentials.tell_end(account, credential)
