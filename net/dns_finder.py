"""From a question to what DNS knows: out of memory, from a look-up under way, or by asking.

Answers are kept for their TTL, absent ones included; equal questions under way are asked once, and
a caller that gives up takes nothing from the others.
"""

import asyncio
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from net.dns_exchange import Exchange
from net.dns_memory import DnsMemory
from net.dns_message import MAX_CNAMES, MAX_TTL, Absent, Reading, Unusable, ask
from net.dns_names import is_loopback, name_text, parse_name
from net.dns_port import Address
from net.dns_records import Kind

# RFC 2308 §5: absence is kept for at most a few hours.
MAX_NEGATIVE_TTL = 10_800

# The name in lower case without a final dot, and the type.
Key = tuple[str, Kind[object]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a question came to, aliases followed; `failure` is set for what may pass.

    `values` are records as their Kind decodes them; `octets` is about what they hold in memory.
    """

    values: tuple[object, ...] = ()
    absent: Absent | None = None
    name: str = ""
    secure: bool = False
    ttl: int = 0
    failure: str = ""
    octets: int = 300


@dataclass(frozen=True, slots=True)
class _Search:
    """A look-up under way, and who waits for what comes of it."""

    task: asyncio.Task[None]
    callers: list[asyncio.Future[Known]]


class Finder:
    """For these name servers. `trusted`: their AD bit is believed."""

    def __init__(self, servers: Sequence[Address], *, lifetime: float) -> None:
        self.trusted = all(is_loopback(host) for host, _ in servers)
        self._exchange = Exchange(servers, lifetime=lifetime)
        self._lifetime = lifetime
        self._memory: DnsMemory[Known] = DnsMemory()
        self._under_way: dict[Key, _Search] = {}

    def remembered(self, key: Key) -> Known | None:
        """What is known without asking."""
        return self._memory.get(key, time.monotonic())

    async def find(self, key: Key) -> Known:
        """Asks, within the lifetime. Never raises."""
        try:
            name = parse_name(key[0])
        except ValueError:
            return Known(absent=Absent.NAME)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Known] = loop.create_future()
        search = self._under_way.get(key)
        if search is None:
            callers = [answer]
            task = loop.create_task(self._search(name, key, callers))
            self._under_way[key] = _Search(task, callers)
        else:
            search.callers.append(answer)
        return await answer

    async def _search(self, name: bytes, key: Key, callers: list[asyncio.Future[Known]]) -> None:
        known = Known(failure="the look-up was ended")
        try:
            known = await self._look_up(name, key)
        finally:
            del self._under_way[key]
            for one in callers:
                if not one.done():
                    one.set_result(known)

    async def _look_up(self, name: bytes, key: Key) -> Known:
        until = asyncio.get_running_loop().time() + self._lifetime
        try:
            known = await self._follow(name, key[1], until)
        except (Unusable, OSError, TimeoutError):
            return Known(failure="the name servers gave no usable answer")
        ttl = min(known.ttl, MAX_NEGATIVE_TTL) if known.absent else known.ttl
        if ttl > 0:
            self._memory.put(key, known, until=time.monotonic() + ttl, octets=known.octets)
        return known

    async def _follow(self, name: bytes, kind: Kind[object], until: float) -> Known:
        """Asks again where a server that does not recurse leaves an alias to us."""
        secure, ttl = self.trusted, MAX_TTL
        for _ in range(MAX_CNAMES):
            make = functools.partial(ask, name, kind, authentic=self.trusted)
            reading = await self._exchange.ask(make, until)
            secure, ttl = secure and reading.authentic, min(ttl, reading.ttl)
            name = reading.name
            if not reading.alias:
                return _known(reading, ttl, secure=secure)
        return Known(failure="too many aliases")


def _known(reading: Reading, ttl: int, *, secure: bool) -> Known:
    values = reading.records
    # a record is an object or two, and a name in it at most 255 octets however short it was sent
    octets = 300 + 400 * len(values) + reading.octets
    return Known(values, reading.absent, name_text(reading.name), secure, ttl, "", octets)
