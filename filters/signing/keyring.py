"""The DKIM keys of the domains served, loaded and ready to sign.

A domain gets its first two keys, RSA and Ed25519, when they are first needed; how they follow each
other is rotation.py's. Invariants: a key that signs is in the table; a loaded key is never loaded
again; of each algorithm at most one key of a domain signs.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from config.clock import Clock
from config.logging import Logger
from message.dkim_signing_key import Algorithm, KeyUnusable, SigningKey, generate, load_signing_key
from net.threads import Offload
from storage.directory_values import AlreadyExists
from storage.dkim_keys import DkimKeys, StoredKey

_LETTERS = {Algorithm.RSA: "r", Algorithm.ED25519: "e"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its history; `signing` is it loaded."""

    stored: StoredKey
    signing: SigningKey

    @property
    def in_use(self) -> bool:
        """Whether mail is signed with it."""
        return self.stored.used is not None and self.stored.retired is None

    @property
    def waiting(self) -> bool:
        """Made to follow the one in use."""
        return self.stored.used is None


class Keyring:
    """One a process."""

    def __init__(self, table: DkimKeys, clock: Clock, offload: Offload, log: Logger) -> None:
        self._table, self._clock, self._offload, self._log = table, clock, offload, log
        self._known: dict[str, tuple[Key, ...]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def signing(self, domain: str) -> tuple[SigningKey, ...]:
        """What a message of a served domain is signed with, RSA first. Raises StoreError, Busy."""
        keys = self._known.get(domain) or await self.keys(domain)
        found = [key.signing for key in keys if key.in_use]
        return tuple(found if len(found) < 2 else sorted(found, key=_order))

    async def keys(self, domain: str) -> tuple[Key, ...]:
        """All keys of a served domain, the newest first, RSA before Ed25519; the first ones are
        made. Raises StoreError, Busy.
        """
        async with self._locks.setdefault(domain, asyncio.Lock()):
            if domain not in self._known:
                stored = await self._table.of(domain)
                if not any(key.used is not None and key.retired is None for key in stored):
                    await self._make(domain, stored, used=self._clock.now())
                self._known[domain] = await self._load(domain)
            return self._known[domain]

    async def domains(self) -> list[str]:
        """Those that have keys."""
        return await self._table.domains()

    async def prepare(self, domain: str) -> None:
        """Makes the next keys, to be published before they are used."""
        async with self._locks.setdefault(domain, asyncio.Lock()):
            await self._make(domain, await self._table.of(domain), used=None)
            self._known.pop(domain, None)

    async def seen(self, key: Key) -> None:
        """DNS serves the key."""
        await self._change(key, seen=self._clock.now())

    async def use(self, key: Key) -> None:
        """Signs with this key from now on instead of the others of its algorithm."""
        now, domain = self._clock.now(), key.stored.domain
        async with self._locks.setdefault(domain, asyncio.Lock()):
            for other in await self._load(domain):
                if other.in_use and other.stored.algorithm == key.stored.algorithm:
                    await self._table.change(domain, other.stored.selector, retired=now)
            await self._table.change(domain, key.stored.selector, used=now)
            self._known.pop(domain, None)

    async def forget(self, domain: str, selector: str | None = None) -> None:
        """Removes one key, or all of a domain."""
        async with self._locks.setdefault(domain, asyncio.Lock()):
            await self._table.remove(domain, selector)
            self._known.pop(domain, None)

    async def _change(self, key: Key, **times: float) -> None:
        async with self._locks.setdefault(key.stored.domain, asyncio.Lock()):
            await self._table.change(key.stored.domain, key.stored.selector, **times)
            self._known.pop(key.stored.domain, None)

    async def _make(self, domain: str, there: Sequence[StoredKey], used: float | None) -> None:
        now, taken = self._clock.now(), {key.selector for key in there}
        made = []
        for algorithm in Algorithm:
            private = await self._offload.disk(generate, algorithm)
            selector = _selector(now, algorithm, taken)
            made.append(StoredKey(domain, selector, algorithm.value, private, now, None, used))
        try:
            await self._table.add(*made)
        except AlreadyExists:
            return  # another process was quicker: its keys are taken
        selectors = [key.selector for key in made]
        self._log.info("DKIM keys made", domain=domain, selectors=selectors, used=used is not None)

    async def _load(self, domain: str) -> tuple[Key, ...]:
        """Ready keys in the order of `keys`; one that cannot be read is left out."""
        loaded: list[Key] = []
        before = {key.stored.selector: key.signing for key in self._known.get(domain, ())}
        for stored in await self._table.of(domain):
            signing = before.get(stored.selector)
            try:
                if signing is None:
                    arguments = (stored.private, domain, stored.selector)
                    signing = await self._offload.disk(load_signing_key, *arguments)
            except KeyUnusable as error:
                self._log.error(
                    "DKIM key not usable", domain=domain, selector=stored.selector, why=str(error)
                )
                continue
            loaded.append(Key(stored, signing))
        loaded.sort(key=lambda key: (-key.stored.created, _order(key.signing)))
        return tuple(loaded)


def _order(key: SigningKey) -> int:
    return 0 if key.algorithm is Algorithm.RSA else 1


def _selector(now: float, algorithm: Algorithm, taken: set[str]) -> str:
    """The date and a letter for the algorithm, `20261128r`; with a number if that is taken."""
    base = f"{datetime.fromtimestamp(now, UTC):%Y%m%d}{_LETTERS[algorithm]}"
    names = (base, *(f"{base}{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)
