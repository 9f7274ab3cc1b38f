"""Rates and numbers at once, counted by key: the arithmetic under the limits of every protocol.

Who is limited and what is said stands with the protocols. Invariants: pure arithmetic on a clock;
bounded, the keys longest unseen are forgotten; what is refused is not counted.
"""

from collections import Counter, OrderedDict
from collections.abc import Hashable
from functools import lru_cache
from ipaddress import IPv6Address

from config.clock import Clock

KEYS = 100_000
MINUTE = 60.0


class Gcra:
    """The generic cell rate algorithm: `rate` events in `seconds`, bursts of `rate`; one number a
    key. A rate of 0 limits nothing.
    """

    def __init__(
        self, rate: float, clock: Clock, *, seconds: float = MINUTE, keys: int = KEYS
    ) -> None:
        self._clock, self._keys = clock, keys
        self._due: OrderedDict[Hashable, float] = OrderedDict()
        self.change(rate, seconds)

    def change(self, rate: float, seconds: float = MINUTE) -> None:
        """Another rate from here on; what was counted stays counted."""
        self._gap = seconds / rate if rate else 0.0
        # a little more, since sums of floats come out above their product
        self._window = seconds + 1e-6

    def take(self, key: Hashable, cost: float = 1.0) -> bool:
        """Counts `cost` events; False, and nothing counted, when they come too early."""
        if not self._gap:
            return True
        now = self._clock.monotonic()
        due = self._due_of(key, now) + cost * self._gap
        if due - now > self._window:
            return False
        self._due[key] = due
        self._due.move_to_end(key)
        if len(self._due) > self._keys:
            self._due.popitem(last=False)
        return True

    def give_back(self, key: Hashable) -> None:
        """One event that was counted counts no more."""
        if key in self._due:
            self._due[key] -= self._gap

    def wait(self, key: Hashable, cost: float = 1.0) -> float:
        """Seconds until `cost` events may come; 0 when they may at once."""
        now = self._clock.monotonic()
        late = self._due_of(key, now) + cost * self._gap - now - self._window
        return max(0.0, late)

    def __len__(self) -> int:
        return len(self._due)

    def _due_of(self, key: Hashable, now: float) -> float:
        return max(self._due.get(key, now), now)


class AddressRate:
    """A rate by address and one, `factor` times as high, by the network that it lies in."""

    def __init__(
        self, rate: float, factor: float, clock: Clock, *, seconds: float = MINUTE, keys: int = KEYS
    ) -> None:
        self._seconds = seconds
        self._address = Gcra(rate, clock, seconds=seconds, keys=keys)
        self._network = Gcra(rate * factor, clock, seconds=seconds, keys=keys)

    def change(self, rate: float, factor: float) -> None:
        """Other rates from here on."""
        self._address.change(rate, self._seconds)
        self._network.change(rate * factor, self._seconds)

    def take(self, address: str, cost: float = 1.0) -> bool:
        """Counts against both, or against none."""
        if self._network.wait(network_key(address), cost):
            return False
        return self._address.take(address_key(address), cost) and self._network.take(
            network_key(address), cost
        )


class OpenCount:
    """How much is open at once by address and by network; a limit of 0 is none."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, address: str, limit: int, network_limit: int) -> bool:
        """Counts one more, unless one of the limits is reached."""
        key, network = address_key(address), network_key(address)
        if 0 < limit <= self._open[key] or 0 < network_limit <= self._open[network]:
            self._tidy(key, network)
            return False
        self._open[key] += 1
        self._open[network] += 1
        return True

    def leave(self, address: str) -> None:
        """One less; to be called once for each that entered."""
        key, network = address_key(address), network_key(address)
        self._open[key] -= 1
        self._open[network] -= 1
        self._tidy(key, network)

    def __len__(self) -> int:
        return len(self._open)

    def _tidy(self, *keys: str) -> None:
        for key in keys:
            if not self._open[key]:
                del self._open[key]


@lru_cache(4096)
def address_key(address: str) -> str:
    """What an address counts as: itself, or the /64 of an IPv6 one, which one customer has."""
    if ":" not in address:
        return address
    found = _ipv6(address)
    if found is None:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> 64 << 64))


@lru_cache(4096)
def network_key(address: str) -> str:
    """The network around an address: an IPv4 /24, an IPv6 /48, each with its length."""
    key = address_key(address)
    found = _ipv6(key) if ":" in key else None
    if found is not None:
        return f"{IPv6Address(int(found) >> 80 << 80)}/48"
    return f"{key.rpartition('.')[0]}.0/24"


def _ipv6(address: str) -> IPv6Address | None:
    try:
        return IPv6Address(address.partition("%")[0])
    except ValueError:
        return None
