"""Limits of failed logins, asked before any hashing: by address, by account, by both.

Counters live in memory and are forgotten at a restart. Invariants: bounded; an attempt counts from
its beginning, so that a burst cannot pass before its first failure is known, and is taken back when
it was right. Addresses in filters.local_networks are not limited by address.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cachetools import TTLCache

from auth.networks import in_networks
from config.clock import Clock
from config.fields import Network
from net.limits import address_key


@dataclass(frozen=True, slots=True)
class Limits:
    """Failures allowed within `seconds` of the first one; `entries` counters are kept."""

    by_both: int = 10
    by_address: int = 100
    by_account: int = 100
    seconds: float = 300.0
    entries: int = 50_000


@dataclass(slots=True)
class _Count:
    """Changed in place, so that the window runs from the first failure, not from the last."""

    failures: int = 0


_DEFAULT = Limits()


class Throttle:
    """Failures of the last minutes."""

    def __init__(
        self, clock: Clock, unlimited: Sequence[Network] = (), limits: Limits = _DEFAULT
    ) -> None:
        self.unlimited = unlimited
        self._limits = limits
        self._counts: TTLCache[tuple[str, str], _Count] = TTLCache(
            limits.entries, limits.seconds, clock.monotonic
        )

    def admit(self, peer: str, user: str) -> bool:
        """Counts an attempt, unless one of its limits is reached already."""
        keys = self._keys(peer, user)
        for key, limit in keys:
            count = self._counts.get(key)
            if count is not None and count.failures >= limit:
                return False
        for key, _ in keys:
            count = self._counts.get(key)
            if count is None:
                count = self._counts[key] = _Count()
            count.failures += 1
        return True

    def forgive(self, peer: str, user: str) -> None:
        """Takes an admitted attempt back: it was right, or it was never tried."""
        for key, _ in self._keys(peer, user):
            count = self._counts.get(key)
            if count is not None and count.failures:
                count.failures -= 1

    def _keys(self, peer: str, user: str) -> list[tuple[tuple[str, str], int]]:
        keys = [(("", user), self._limits.by_account)]
        if not in_networks(peer, self.unlimited):
            network = address_key(peer)
            keys.append(((network, user), self._limits.by_both))
            keys.append(((network, ""), self._limits.by_address))
        return keys
