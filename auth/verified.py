"""Logins verified in the last ten minutes, so that a client's fifth connection costs no hash.

Nothing here leads back to a password: entries are keyed BLAKE2b (RFC 7693) of name, password and
stored hash, under a key that this process made up, and a changed hash makes them useless by itself.
"""

import os
from hashlib import blake2b
from typing import NewType

from cachetools import TTLCache

from config.clock import Clock
from storage.values import AccountId

Proof = NewType("Proof", bytes)
SECONDS = 600.0
CAPACITY = 20_000


class VerifiedLogins:
    """Bounded; the oldest use goes first."""

    def __init__(self, clock: Clock) -> None:
        self._key = os.urandom(32)
        self._now = clock.monotonic
        self._proofs: TTLCache[Proof, tuple[AccountId, float]] = TTLCache(
            CAPACITY, SECONDS, clock.monotonic
        )

    def proof(self, user: str, password: str, stored: str) -> Proof:
        """What stands for this attempt; equal attempts have equal proofs."""
        # Neither a stored hash nor an address key contains NUL.
        text = "\0".join((user, stored, password)).encode("utf-8", "surrogatepass")
        return Proof(blake2b(text, key=self._key, digest_size=32).digest())

    def __contains__(self, proof: Proof) -> bool:
        found = self._proofs.get(proof)
        return found is not None and self._now() < found[1]

    def add(self, proof: Proof, account: AccountId, seconds: float = SECONDS) -> None:
        """For ten minutes at most."""
        self._proofs[proof] = account, self._now() + seconds

    def forget(self, account: AccountId) -> None:
        """Drops every entry of an account."""
        for proof in [proof for proof, (owner, _) in self._proofs.items() if owner == account]:
            self._proofs.pop(proof, None)
