"""Ends the connections of credentials whose time is over while they are open.

One timer a credential, set at its first login; the end is told as a revocation is.
"""

import asyncio

from config.clock import Clock
from storage.credential_values import Credential, CredentialId
from storage.credentials import Credentials


class Expiring:
    """Close it before the loop ends."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock
        self._timers: dict[CredentialId, asyncio.TimerHandle] = {}

    def watch(self, credential: Credential) -> None:
        """Somebody came in by it."""
        if credential.expires is not None and credential.id not in self._timers:
            self._set(credential, credential.expires)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _set(self, credential: Credential, at: float) -> None:
        # the clock of the loop and that of the machine drift apart: looked at again when it is due
        seconds = max(0.0, at - self._clock.now()) + 0.01
        loop = asyncio.get_running_loop()
        self._timers[credential.id] = loop.call_later(seconds, self._due, credential, at)

    def _due(self, credential: Credential, at: float) -> None:
        if self._clock.now() < at:
            self._set(credential, at)
            return
        del self._timers[credential.id]
        self._credentials.tell_end(credential)
