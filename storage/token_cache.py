"""What tokens mean, remembered for a minute by the SHA-256 of each: a request costs no query.

Absences are remembered for some seconds, so that a flood of wrong tokens costs none either.
Invariants: bounded, what was not asked for the longest goes first; what is revoked goes at once,
with all else of its account; a look-up under way meanwhile is not remembered.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from config.clock import Clock
from storage.values import AccountId

SECONDS: Final = 60.0
ABSENT_SECONDS: Final = 5.0
ENTRIES: Final = 20_000
V = TypeVar("V")


class TokenCache(Generic[V]):
    """Keys are digests; `None` stands for a token that is good for nothing."""

    def __init__(self, clock: Clock, entries: int = ENTRIES) -> None:
        self._clock, self._most = clock, entries
        self._known: OrderedDict[bytes, tuple[V, AccountId, float]] = OrderedDict()
        self._absent: OrderedDict[bytes, float] = OrderedDict()
        self._of: dict[AccountId, set[bytes]] = {}
        self.generation = 0

    def get(self, digest: bytes) -> tuple[V | None] | None:
        """What is remembered, in a tuple of one; None when nothing is."""
        now = self._clock.monotonic()
        found = self._known.get(digest)
        if found is not None:
            if found[2] > now:
                self._known.move_to_end(digest)
                return (found[0],)
            self._drop(digest)
        until = self._absent.get(digest)
        if until is None:
            return None
        if until > now:
            return (None,)
        del self._absent[digest]
        return None

    def put(self, digest: bytes, value: V | None, account: AccountId, generation: int) -> bool:
        """Remembers what was looked up; False, and nothing remembered, when `generation` is no more
        that of before. `account` is not looked at where there is no value.
        """
        if generation != self.generation:
            return False
        now = self._clock.monotonic()
        if value is None:
            self._absent[digest] = now + ABSENT_SECONDS
            if len(self._absent) > self._most:
                self._absent.popitem(last=False)
            return True
        self._absent.pop(digest, None)
        self._known[digest] = (value, account, now + SECONDS)
        self._of.setdefault(account, set()).add(digest)
        if len(self._known) > self._most:
            self._drop(next(iter(self._known)))
        return True

    def forget(self, account: AccountId) -> None:
        """Drops all of an account."""
        self.generation += 1
        for digest in tuple(self._of.get(account, ())):
            self._drop(digest)

    def made(self, digest: bytes) -> None:
        """There is a token of this digest from here on."""
        self.generation += 1
        self._absent.pop(digest, None)

    def clear(self) -> None:
        """Drops everything."""
        self.generation += 1
        self._known.clear()
        self._absent.clear()
        self._of.clear()

    def __len__(self) -> int:
        return len(self._known) + len(self._absent)

    def _drop(self, digest: bytes) -> None:
        _, account, _ = self._known.pop(digest)
        mine = self._of[account]
        mine.discard(digest)
        if not mine:
            del self._of[account]
