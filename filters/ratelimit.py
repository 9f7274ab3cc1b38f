"""Messages a minute by peer address and by account: GCRA, one number a key.

Peers in filters.local_networks are exempt. IPv6 peers count by /64.
"""

import ipaddress
from collections import OrderedDict

from config.clock import Clock
from filters.context import Context, Kind
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict, defer

_KEYS = 100_000
_REFUSED = defer("Too many messages, slow down", symbol="RATELIMIT")


class Gcra:
    """The generic cell rate algorithm: `rate` events a minute, bursts of `rate`.

    Bounded: the keys longest unseen are forgotten.
    """

    def __init__(self, rate: int, clock: Clock, *, keys: int = _KEYS) -> None:
        self._clock, self._keys = clock, keys
        self._gap = 60.0 / rate
        # a little more, since sums of floats come out above their product
        self._tolerance = 60.0 - self._gap + 1e-6
        self._due: OrderedDict[object, float] = OrderedDict()

    def take(self, key: object) -> bool:
        """Counts one event; False, and nothing counted, when it comes too early."""
        now = self._clock.monotonic()
        due = max(self._due.get(key, now), now)
        if due - now > self._tolerance:
            return False
        self._due[key] = due + self._gap
        self._due.move_to_end(key)
        if len(self._due) > self._keys:
            self._due.popitem(last=False)
        return True


def address_key(address: str) -> str:
    """What an address counts as: itself, or the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


class RateLimit(Filter):
    """Refuses MAIL with 450 4.7.1 when a peer or an account is too fast."""

    name = "ratelimit"

    def __init__(self, rate: int, clock: Clock) -> None:
        self._limit = Gcra(rate, clock)

    async def mail(self, context: Context) -> Verdict:
        if context.peer.local or context.kind is Kind.LMTP:
            return ACCEPT
        key: object = address_key(context.peer.address)
        if context.login is not None:
            key = context.login.account
        return ACCEPT if self._limit.take(key) else _REFUSED
