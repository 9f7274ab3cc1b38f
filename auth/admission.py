"""May this address connect: the blocklist; connections at once and a minute, by address and
network.

One Admission serves all protocols, so that nobody gets each protocol's share.
Invariant: what `enter` and `log_in` let in is counted until `leave` and `log_out`, once.
"""

from collections import Counter
from collections.abc import Callable
from enum import Enum

from auth.networks import in_networks
from config.clock import Clock
from config.settings import Settings
from net.limits import MINUTE, AddressRate, OpenCount, address_key
from storage.blocks import Block, Blocks
from storage.cache.cache import Cache
from storage.values import AccountId


class Denied(Enum):
    """Why not; the value may be shown to the peer."""

    BLOCKED = "Your network is blocked"
    AT_ONCE = "Too many connections from your address"
    TOO_FAST = "Too many connections a minute from your address"


TOO_MANY_OF_ACCOUNT = "Too many connections of your account"


class Admission:
    """Addresses of filters.local_networks have no limits here, but they may be blocked."""

    def __init__(
        self, settings: Settings, clock: Clock, blocks: Blocks, cache: Cache | None = None
    ) -> None:
        limits = settings.limits
        self._cache = cache if cache is not None and cache.shared else None
        self._clock = clock
        self._settings, self._blocks = settings, blocks
        self._open = OpenCount()
        self._accounts: Counter[AccountId] = Counter()
        rates = (limits.connections_per_minute_per_address, limits.network_factor)
        self._rate, self._asked = AddressRate(*rates, clock), AddressRate(*rates, clock)

    def reload(self, settings: Settings) -> None:
        """Takes limits and networks of a changed configuration."""
        self._settings, limits = settings, settings.limits
        for rate in (self._rate, self._asked):
            rate.change(limits.connections_per_minute_per_address, limits.network_factor)

    def is_local(self, address: str) -> bool:
        """Whether the address is one of filters.local_networks."""
        return in_networks(address, self._settings.filters.local_networks)

    def is_proxy(self, address: str) -> bool:
        """Whether the address is one of http.trusted_proxies, which bring other people's."""
        return in_networks(address, self._settings.http.trusted_proxies)

    def enter(self, address: str) -> Denied | None:
        """Counts the connection, or says why it is refused."""
        if self._blocks.covering(address) is not None:
            return Denied.BLOCKED
        limits = self._settings.limits
        limit, factor = limits.connections_per_address, limits.network_factor
        if self.is_local(address):
            limit = factor = 0
        if not self._open.enter(address, limit, limit * factor):
            return Denied.AT_ONCE
        if limit and not self._rate.take(address):
            self._open.leave(address)
            return Denied.TOO_FAST
        return None

    def ask(self, address: str) -> bool:
        """Counts a request with a secret in it, of which one connection brings many; False when the
        address asks as often as it may connect, or is blocked.
        """
        if self._blocks.covering(address) is not None:
            return False
        return self.is_local(address) or self._asked.take(address)

    async def ask_everywhere(self, address: str) -> bool:
        """The same, with what other gateways counted in this minute where the cache is shared."""
        if not self.ask(address):
            return False
        most = self._settings.limits.connections_per_minute_per_address
        if self._cache is None or not most or self.is_local(address):
            return True
        minute = int(self._clock.now() // MINUTE)
        key = f"asked:{minute}:{address_key(address)}"
        count = await self._cache.incr(key, 1, 2 * MINUTE)
        return count is None or count <= most

    def log_in(self, account: AccountId, address: str) -> bool:
        """Counts a connection that has logged in; False when the account has too many."""
        limit = self._settings.limits.connections_per_account
        if limit and self._accounts[account] >= limit and not self.is_local(address):
            return False
        self._accounts[account] += 1
        return True

    def log_out(self, account: AccountId) -> None:
        """One less; to be called once for each that logged in."""
        self._accounts[account] -= 1
        if not self._accounts[account]:
            del self._accounts[account]

    def on_block(self, callback: Callable[[Block], None]) -> Callable[[], None]:
        """Calls back in the loop when a network is blocked; returns the unsubscriber."""
        return self._blocks.on_change(callback)

    def leave(self, address: str) -> None:
        """The connection is over."""
        self._open.leave(address)
