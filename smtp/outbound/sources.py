"""The addresses that mail leaves from: pools, turns within a pool, and warm-up plans.

A message is counted before it is sent, and the count taken back when nobody took it: sessions side
by side don't send more than a plan allows. With `used_up = "wait"` a sender keeps to one address of
each family, and waits when that has sent its number.
"""

import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from zlib import crc32

from config.clock import Clock
from config.sections_sending import Outbound, Pool, SourceAddress, WarmUp
from net.happy_eyeballs import family_of
from net.local_address import can_bind

LOOK_AGAIN = 60.0
"""How long an address is left alone that this machine does not have."""


class UsedUp(Exception):
    """No address may be used before `until` (Unix seconds)."""

    def __init__(self, text: str, until: float) -> None:
        super().__init__(text)
        self.until = until


class Counts(Protocol):
    """storage.source_counts.SourceCounts."""

    @property
    def today(self) -> date: ...

    @property
    def tomorrow(self) -> float: ...

    def get(self, address: str, provider: str = "") -> int: ...

    def add(self, address: str, provider: str, messages: int) -> None: ...


class NoWay(Exception):
    """The pool has no address of a family that the peer has."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection may come from: an address and EHLO name by family; empty when the system
    chooses.
    """

    sources: Mapping[socket.AddressFamily, SourceAddress] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[socket.AddressFamily, str]:
        return {family: source.address for family, source in self.sources.items()}

    def reaches(self, address: str) -> bool:
        """Whether a peer's address can be connected to from here."""
        return not self.sources or family_of(address) in self.sources

    def source_for(self, address: str) -> SourceAddress | None:
        """By which a peer's address is connected to."""
        return self.sources.get(family_of(address))


ANY = Origin()


@dataclass(frozen=True, slots=True)
class Leave:
    """By which pool a message leaves, and whose it is."""

    pool: str = ""
    whose: str = ""


class Sources:
    """Of one configuration."""

    def __init__(self, settings: Outbound, counts: Counts | None, clock: Clock) -> None:
        self._clock = clock
        self._here: dict[str, tuple[bool, float]] = {}
        self._pools = {pool.name: pool for pool in settings.pool}
        self._counts = counts
        self._turns = dict.fromkeys(self._pools, 0)

    def choose(self, leave: Leave, host: str, addresses: Sequence[str]) -> Origin:
        """One source of each family that a host's addresses have. A pool that there is no more
        is any address. Raises UsedUp, NoWay.
        """
        name, whose = leave.pool, leave.whose
        pool = self._pools.get(name)
        if pool is None:
            return ANY
        turn = self._turns[name] = self._turns[name] + 1
        found: dict[socket.AddressFamily, SourceAddress] = {}
        here, ways = self._present(pool), 0
        for family in set(map(family_of, addresses)):
            mine = _kin(here, family)
            ways += len(mine)
            if pool.used_up == "wait":
                mine = _own(mine, whose)
            room = [one for one in mine if self._has_room(one, host)]
            if room:
                found[family] = room[turn % len(room)]
        if not here:
            raise UsedUp(
                f"this machine has no address of the pool {name}", self._clock.now() + LOOK_AGAIN
            )
        if not ways:
            raise NoWay(f"the pool {name} has no address that reaches {host}")
        if not found:
            text = f"the addresses of the pool {name} have sent what they may today"
            raise UsedUp(text, self._tomorrow())
        return Origin(found)

    def serves(self, leave: Leave, source: SourceAddress | None) -> bool:
        """Whether mail may go by a session that is open from that source."""
        pool = self._pools.get(leave.pool)
        if pool is None or source is None:
            return (pool is None) == (source is None)
        here = self._present(pool)
        mine = _kin(here, family_of(source.address))
        return source in (_own(mine, leave.whose) if pool.used_up == "wait" else mine)

    def take(self, source: SourceAddress | None, host: str) -> bool:
        """Counts one message, if it may be sent."""
        if source is None or self._counts is None:
            return True
        if not self._has_room(source, host):
            return False
        self.count(source, host, 1)
        return True

    def count(self, source: SourceAddress | None, host: str, messages: int) -> None:
        """Counts messages, or takes some back."""
        if source is not None and self._counts is not None and messages:
            self._counts.add(source.address, _counted(source.warm_up, host), messages)

    def _has_room(self, source: SourceAddress, host: str) -> bool:
        plan = source.warm_up
        if plan is None or self._counts is None:
            return True
        allowed = allowance(plan, self._counts.today)
        return allowed is None or self._counts.get(source.address, _counted(plan, host)) < allowed

    def _present(self, pool: Pool) -> list[SourceAddress]:
        """Its addresses that this machine has; asked again after a while."""
        now, found = self._clock.monotonic(), []
        for one in pool.source:
            known = self._here.get(one.address)
            if known is None or known[1] <= now:
                known = self._here[one.address] = can_bind(one.address), now + LOOK_AGAIN
            if known[0]:
                found.append(one)
        return found

    def _tomorrow(self) -> float:
        return self._clock.now() if self._counts is None else self._counts.tomorrow


def allowance(plan: WarmUp, today: date) -> int | None:
    """Messages that may be sent on a day; None is no limit."""
    days = (today - plan.start).days
    if days < 0:
        return 0
    most = plan.ceiling or _UNLIMITED
    # Compared by logarithm, since the power of a year is no number any more.
    if math.log(plan.messages) + days * math.log(plan.factor) >= math.log(most):
        return plan.ceiling or None
    return math.floor(plan.messages * plan.factor**days)


_UNLIMITED = 10**9


def provider_of(host: str) -> str:
    """Whose mail host it is: the last two labels of its name, or its address."""
    if host.startswith("[") or host.replace(".", "").isdigit():
        return host
    return ".".join(host.lower().rsplit(".", 2)[-2:])


def _counted(plan: WarmUp | None, host: str) -> str:
    return provider_of(host) if plan is not None and plan.per_provider else ""


def _kin(sources: Sequence[SourceAddress], family: socket.AddressFamily) -> list[SourceAddress]:
    return [one for one in sources if family_of(one.address) is family]


def _own(sources: Sequence[SourceAddress], whose: str) -> list[SourceAddress]:
    """The one that a sender keeps to."""
    return [sources[crc32(whose.encode()) % len(sources)]] if sources else []
