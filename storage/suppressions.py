"""The suppression list: addresses elsewhere, and whole domains, to which nothing is sent any more,
looked up in memory.

Entries come by command, and by themselves for an address whose mail host said again and again that
it does not exist (storage/failures.py). Invariants: one process writes; a change is committed, then
in force; a look-up runs no SQL; an entry whose time is over stops nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock, rfc3339
from storage.config_database import ConfigDatabase
from storage.config_schema import suppression
from storage.directory_names import address_key, address_of, catch_all_key
from storage.directory_values import Absent, AlreadyExists, NotAllowed
from storage.failures import Failures, Terms

MAX_ENTRIES = 100_000
MAX_REASON = 300


class Origin(StrEnum):
    """Who put an entry on the list."""

    COMMAND = "command"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Suppression:
    """`address` is "local@domain", or "@domain" for all of it; times in seconds since 1970, `until`
    None for ever.
    """

    address: str
    until: float | None = None
    reason: str = ""
    created: float = 0.0
    origin: Origin = Origin.COMMAND


class Suppressions:
    """Belongs to the directory, whose database it uses. Addresses compare without case."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._entries: dict[str, Suppression] = {}
        self._domains: Counter[str] = Counter()
        self._failures = Failures()

    async def load(self) -> None:
        """Reads what was kept."""
        c = suppression.c
        columns = select(c.key, c.address, c.until, c.reason, c.created, c.origin)
        async with self._database.reading() as connection:
            rows = (await connection.execute(columns)).all()
            await self._failures.load(connection)
        for key, address, until, reason, created, origin in rows:
            self._take(key, Suppression(address, until, reason, created, Origin(origin)))

    def covering(self, address: str) -> Suppression | None:
        """The entry that stops mail to an address, if any; its own before its domain's."""
        if not self._entries:
            return None
        key, domain = _key_of(address)
        for found in (self._entries.get(key), self._entries.get(f"@{domain}")):
            if found is not None and not self._is_over(found):
                return found
        return None

    def touches(self, domain: str) -> bool:
        """Whether there is an entry for a domain or an address in it."""
        return domain.lower() in self._domains

    def listed(self) -> list[Suppression]:
        """Those in force, by domain and address."""
        entries = [one for one in self._entries.values() if not self._is_over(one)]
        return sorted(entries, key=lambda one: one.address.lower().rpartition("@")[::-2])

    async def add(self, address: str, until: float | None = None, reason: str = "") -> Suppression:
        """An entry by hand, in the place of an automatic one. Raises AlreadyExists, NotAllowed (no
        address, a time that is over, too many).
        """
        now = self._clock.now()
        if until is not None and until <= now:
            raise NotAllowed(f"The time until which {address} shall be suppressed is over")
        key = catch_all_key(address)
        text = key or str(address_of(address))
        made = Suppression(text, until, reason[:MAX_REASON], now)
        return await self._database.finish(self._add(key or address_key(address), made))

    async def delete(self, address: str) -> Suppression:
        """Mail goes there again; what was counted against the address is forgotten. Raises Absent,
        NotAllowed.
        """
        key = catch_all_key(address) or address_key(address)
        return await self._database.finish(self._delete(key, address))

    async def learn(
        self, failed: Sequence[tuple[str, str]], worked: Iterable[str], terms: Terms
    ) -> list[Suppression]:
        """Takes addresses that do not exist, with the words of their host, and addresses that took
        mail; the entries that come of it. Raises StoreUnavailable.
        """
        refused = [(key, *one) for one in failed if (key := address_key(one[0]))]
        good = [key for key in map(address_key, worked) if key in self._failures]
        if not refused and not good:
            return []
        return await self._database.finish(self._learn(refused, good, terms))

    async def _add(self, key: str, made: Suppression) -> Suppression:
        present = self._entries.get(key)
        by_hand = present is not None and present.origin is Origin.COMMAND
        if present is not None and by_hand and not self._is_over(present):
            raise AlreadyExists(f"{made.address} is suppressed already")
        over = [one for one, entry in self._entries.items() if self._is_over(entry)]
        if len(self._entries) - len(over) >= MAX_ENTRIES:
            raise NotAllowed(f"There are {MAX_ENTRIES} entries; suppress whole domains instead")
        async with self._database.writing() as connection:
            await _remove(connection, {*over, key})
            await connection.execute(insert(suppression).values(_row(key, made)))
        for gone in over:
            self._drop(gone)
        self._take(key, made)
        return made

    async def _delete(self, key: str, address: str) -> Suppression:
        present = self._entries.get(key)
        if present is None:
            raise Absent(f"{address} is not suppressed")
        async with self._database.writing() as connection:
            await _remove(connection, (key,))
            await self._failures.forget(connection, (key,))
        self._drop(key)
        return present

    async def _learn(
        self, failed: Sequence[tuple[str, str, str]], worked: Sequence[str], terms: Terms
    ) -> list[Suppression]:
        now, made = self._clock.now(), dict[str, Suppression]()
        async with self._database.writing() as connection:
            await self._failures.forget(connection, worked)
            for key, address, words in failed:
                times = await self._failures.note(connection, key, now, terms)
                if len(times) >= terms.after and self._has_room(key, len(made)):
                    made[key] = _automatic(address, times, words, now, terms)
            await _remove(connection, made)
            for key, entry in made.items():
                await connection.execute(insert(suppression).values(_row(key, entry)))
        for key, entry in made.items():
            self._take(key, entry)
        return list(made.values())

    def _has_room(self, key: str, more: int) -> bool:
        present = self._entries.get(key)
        if present is not None:
            return self._is_over(present)
        return len(self._entries) + more < MAX_ENTRIES

    def _is_over(self, found: Suppression) -> bool:
        return found.until is not None and found.until <= self._clock.now()

    def _take(self, key: str, entry: Suppression) -> None:
        if key not in self._entries:
            self._domains[key.rpartition("@")[2]] += 1
        self._entries[key] = entry

    def _drop(self, key: str) -> None:
        domain = key.rpartition("@")[2]
        if self._entries.pop(key, None) is not None:
            self._domains[domain] -= 1
            if not self._domains[domain]:
                del self._domains[domain]


def _automatic(
    address: str, times: Sequence[float], words: str, now: float, terms: Terms
) -> Suppression:
    since = rfc3339(times[0])[:10]
    reason = f"its mail host said {len(times)} times since {since} that it does not exist: {words}"
    until = now + terms.keep if terms.keep else None
    return Suppression(address, until, reason[:MAX_REASON], now, Origin.AUTOMATIC)


def _row(key: str, entry: Suppression) -> dict[str, object]:
    return {
        "key": key,
        "address": entry.address,
        "until": entry.until,
        "reason": entry.reason,
        "created": entry.created,
        "origin": entry.origin.value,
    }


async def _remove(connection: AsyncConnection, keys: Iterable[str]) -> None:
    for key in keys:
        await connection.execute(delete(suppression).where(suppression.c.key == key))


def _key_of(address: str) -> tuple[str, str]:
    """The look-up key of an address of the queue, and its domain."""
    key = address_key(address) or address.casefold()
    return key, key.rpartition("@")[2]
