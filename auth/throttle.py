"""How long an attempt to log in waits before it is looked at, and who waits behind whom.

Failures are counted by address, by network, by account and by address and account together, over
all protocols; they fade (half of them in half an hour). Each further failure of an address doubles
the pause between its attempts. What strangers do to an account delays strangers alone: an address
that logged in as this account before waits for its own failures only, and is looked at first.
Invariants: whoever knows the password gets in after the delay; counters are bounded and live in
memory; addresses of filters.local_networks are not limited by address. Who fails too often is
blocked by auth/blocking.py.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cachetools import TTLCache

from auth.networks import in_networks
from auth.scores import Scores
from config.clock import Clock
from config.fields import Network
from net.limits import address_key, network_key
from storage.known_logins import KnownLogins
from storage.values import AccountId

NAME: Final = 320
"""Characters of a user name that count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Failures without a delay (`free_...`); seconds of the longest delays and of the longest line
    before a next attempt of one address; attempts unverified at once, of one address at one account
    and of all that are delayed; `entries` counters of each kind.
    """

    free_address: float = 5.0
    free_network: float = 50.0
    free_account: float = 20.0
    free_known: float = 10.0
    longest_address: float = 16.0
    longest_account: float = 8.0
    line: float = 20.0
    at_once: int = 10
    held: int = 5_000
    half_life: float = 1_800.0
    entries: int = 50_000


_DEFAULT: Final = Limits()
_Pair = tuple[str, str]
_Key = TypeVar("_Key", str, _Pair)


class Attempt:
    """One that may be looked at; `right`, `wrong` or `void` is called once at its end."""

    __slots__ = ("_before", "_of", "_pair", "known", "local", "peer")

    def __init__(
        self, of: "Throttle", peer: str, pair: _Pair, known: bool, local: bool, before: int
    ) -> None:
        """`before`: how many of the address were under way already."""
        self._of, self._pair, self._before = of, pair, before
        self.peer, self.known, self.local = peer, known, local

    def rank(self) -> float:
        """Its place in the queue of hashes: the lower, the sooner. Those of one address stand
        behind one another, so that a flood of a few leaves a place to everybody else.
        """
        rank = self._of.rank(self._pair, self.peer, self.known, self.local)
        return rank + self._before if rank else rank

    def right(self) -> None:
        """The password was right."""
        self._of.ended(self._pair)
        self._of.pairs.clear(self._pair)

    def wrong(self) -> None:
        """It was not: a failure."""
        self._of.ended(self._pair)
        self._of.failed(self._pair, self.peer, self.known, self.local)

    def void(self) -> None:
        """It was never looked at."""
        self._of.ended(self._pair)


class Throttle:
    """Failures of the last hours. `on_failure` hears of each that counts against an address, with
    its score and that of the network around it, `tell` of its address, for other processes.
    """

    def __init__(self, clock: Clock, known: KnownLogins, limits: Limits = _DEFAULT) -> None:
        self.unlimited: Sequence[Network] = ()
        self.on_failure: Callable[[str, float, float], None] = lambda peer, address, network: None
        self.tell: Callable[[str], None] = lambda peer: None
        self.sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
        self._clock, self._known, self._limits = clock, known, limits
        self._addresses, self._networks, self._accounts, self.pairs = (
            Scores(clock, limits.half_life, limits.entries) for _ in range(4)
        )
        self._due: TTLCache[str | _Pair, float] = TTLCache(limits.entries, 120.0, clock.monotonic)
        self._pending: Counter[_Pair] = Counter()
        self._by_address: Counter[str] = Counter()
        self._held = 0

    @property
    def counters(self) -> int:
        """How many are in memory."""
        scores = (self._addresses, self._networks, self._accounts, self.pairs)
        others = len(self._due) + len(self._pending) + len(self._by_address)
        return sum(map(len, scores)) + others

    async def enter(self, peer: str, name: str, account: AccountId | None) -> Attempt | None:
        """Waits for as long as failures before this one say; None when too many wait already.
        `account` is the one that `name` means, if any.
        """
        pair = (address_key(peer), name[:NAME])
        local = in_networks(peer, self.unlimited)
        known = account is not None and self._known.has(account, peer)
        before = self._pending[pair] if local else self._by_address[pair[0]]
        attempt = Attempt(self, peer, pair, known, local, before)
        if self._pending[pair] >= self._limits.at_once:
            return None
        delay = self._delay(pair, peer, known, local)
        if delay is None or (delay and not known and self._held >= self._limits.held):
            return None
        self._pending[pair] += 1
        self._by_address[pair[0]] += 1
        if delay:
            await self._hold(attempt, delay)
        return attempt

    def rank(self, pair: _Pair, peer: str, known: bool, local: bool) -> float:
        """0 for whom nothing is held against, and for known ones."""
        own = self.pairs.of(pair)
        if known:
            return own if own > self._limits.free_known else 0.0
        around = 0.0 if local else self._networks.of(network_key(peer)) / 8
        address = own if local else self._addresses.of(pair[0])
        return 1.0 + max(own, address, around, self._accounts.of(pair[1]) / 8)

    def failed(self, pair: _Pair, peer: str, known: bool, local: bool) -> None:
        """Counts a failure."""
        self.pairs.add(pair)
        if not known:
            self._accounts.add(pair[1])
        if not local:
            address, network = self._addresses.add(pair[0]), self._networks.add(network_key(peer))
            self.on_failure(peer, address, network)
            self.tell(peer)

    def heard(self, failures: Mapping[str, int]) -> None:
        """Failures of addresses in other processes, which block where they must."""
        for peer, count in failures.items():
            if not in_networks(peer, self.unlimited):
                self._addresses.add(address_key(peer), count)
                self._networks.add(network_key(peer), count)

    def ended(self, pair: _Pair) -> None:
        """An attempt is no longer under way."""
        _less(self._pending, pair)
        _less(self._by_address, pair[0])

    def pardon(self, peer: str) -> None:
        """Forgets what an address did: it was punished otherwise."""
        self._addresses.clear(address_key(peer))

    async def _hold(self, attempt: Attempt, delay: float) -> None:
        self._held += 1
        try:
            await self.sleep(delay)
        except BaseException:
            attempt.void()
            raise
        finally:
            self._held -= 1

    def _delay(self, pair: _Pair, peer: str, known: bool, local: bool) -> float | None:
        """Seconds; None when the line is too long."""
        limits = self._limits
        if known:
            gap = _delay(self.pairs.of(pair), limits.free_known, limits.longest_address)
            return self._in_line(pair, gap)
        account = _delay(self._accounts.of(pair[1]), limits.free_account, limits.longest_account)
        if local:
            gap = _delay(self.pairs.of(pair), limits.free_known, limits.longest_address)
            line = self._in_line(pair, gap)
            return None if line is None else max(line, account)
        around = self._networks.of(network_key(peer))
        network = _delay(around, limits.free_network, limits.longest_account)
        gap = _delay(self._addresses.of(pair[0]), limits.free_address, limits.longest_address)
        line = self._in_line(pair[0], gap)
        return None if line is None else max(line, account, network)

    def _in_line(self, key: str | _Pair, gap: float) -> float | None:
        """One attempt every `gap` seconds, counted from the one before."""
        if not gap:
            return 0.0
        now = self._clock.monotonic()
        due = max(self._due.get(key, now), now)
        if due - now > self._limits.line:
            return None
        self._due[key] = due + gap
        return due - now


def _less(counted: "Counter[_Key]", key: _Key) -> None:
    """One fewer; what has none is not kept."""
    counted[key] -= 1
    if counted[key] <= 0:
        del counted[key]


def _delay(score: float, free: float, longest: float) -> float:
    """Nothing below `free` failures, then one second, doubled with each fifth of `free` more."""
    if score < free:
        return 0.0
    return float(min(longest, 2.0 ** min(16.0, (score - free) * 5 / free)))
