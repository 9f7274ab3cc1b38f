"""What was seen of the world outside, and when: triplets of greylisting, addresses that our users
wrote to, domains that proved who they are.

Keys are hashes: of one size, and no list of who writes to whom. What a crash takes with it, of the
last second, is seen again.
Invariants: bounded by age and number in SQL, by number in memory; a reader sees what was put.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from hashlib import blake2b

from cachetools import LRUCache
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_schema import seen
from storage.write_behind import WriteBehind

DAY = 86_400.0
IN_MEMORY = 50_000
BATCH = 200


class Kind(IntEnum):
    """What a row is about."""

    TRIPLET = 1
    CORRESPONDENT = 2
    DOMAIN = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds without a sign after which a row goes, passed or not, and how many rows there may
    be.
    """

    passed: float
    unpassed: float
    rows: int


BOUNDS = {
    Kind.TRIPLET: Bounds(36 * DAY, 2 * DAY, 1_000_000),
    Kind.CORRESPONDENT: Bounds(366 * DAY, 366 * DAY, 500_000),
    Kind.DOMAIN: Bounds(92 * DAY, 92 * DAY, 200_000),
}


@dataclass(frozen=True, slots=True)
class Sight:
    """Times in seconds since 1970; `passed` is when it was first let through, None before."""

    first: float
    last: float
    passed: float | None = None


_Key = tuple[Kind, bytes]


class Seen(WriteBehind[_Key, Sight]):
    """Of two sights of one thing the later one counts."""

    log_of = "seen"
    not_written = "what was seen is not stored"
    flush_seconds = 1.0

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        super().__init__(database, clock)
        self._known: LRUCache[_Key, Sight | None] = LRUCache(IN_MEMORY)
        self.bounds = dict(BOUNDS)

    async def get(self, kind: Kind, *what: str) -> Sight | None:
        """The row, None when there is none or its time is over. Raises StoreUnavailable."""
        key = (kind, _hash(what))
        found = self._waiting.get(key)
        if found is None:
            if key not in self._known:
                loaded = await self._database.finish(self._load(key))
                self._known.setdefault(key, loaded)  # it may have been put meanwhile
            found = self._known.get(key)
        if found is None:
            return None
        bounds = self.bounds[kind]
        life = bounds.unpassed if found.passed is None else bounds.passed
        return found if self._clock.now() - found.last < life else None

    def put(self, kind: Kind, sight: Sight, *what: str) -> None:
        """Remembers at once, in SQL within about a second."""
        key = (kind, _hash(what))
        self._known[key] = sight
        self._put(key, sight)

    def met(self, kind: Kind, names: Iterable[str]) -> None:
        """Notes acquaintances: those noted within the last day cost nothing."""
        now = self._clock.now()
        for name in names:
            known = self._known.get((kind, _hash((name,))))
            if known is None or now - known.last > DAY:
                self.put(kind, Sight(now, now, now), name)

    async def prune(self) -> None:
        """Removes what is old, and the oldest of what is too much."""
        now = self._clock.now()
        async with self._database.writing() as connection:
            for kind, bounds in self.bounds.items():
                await _prune(connection, kind, bounds, now)

    async def _load(self, key: _Key) -> Sight | None:
        kind, digest = key
        query = select(seen.c.first, seen.c.last, seen.c.passed).where(
            seen.c.kind == int(kind), seen.c.key == digest
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else Sight(*row)

    async def _write(self, waiting: dict[_Key, Sight]) -> None:
        items = list(waiting.items())
        async with self._database.writing() as connection:
            for start in range(0, len(items), BATCH):
                await _replace(connection, items[start : start + BATCH])


async def _replace(connection: AsyncConnection, items: list[tuple[_Key, Sight]]) -> None:
    rows = [
        {
            "kind": int(kind),
            "key": digest,
            "first": sight.first,
            "last": sight.last,
            "passed": sight.passed,
        }
        for (kind, digest), sight in items
    ]
    await connection.execute(_upsert(connection.dialect.name), rows)


@cache
def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    made = postgresql.insert(seen) if dialect == "postgresql" else sqlite.insert(seen)
    fresh = {name: made.excluded[name] for name in ("first", "last", "passed")}
    return made.on_conflict_do_update(index_elements=[seen.c.kind, seen.c.key], set_=fresh)


async def _prune(connection: AsyncConnection, kind: Kind, bounds: Bounds, now: float) -> None:
    mine = seen.c.kind == int(kind)
    old = seen.c.last < now - bounds.passed
    never = seen.c.passed.is_(None) & (seen.c.last < now - bounds.unpassed)
    await connection.execute(delete(seen).where(mine, old | never))
    count = select(func.count()).select_from(seen).where(mine)
    if (await connection.execute(count)).scalar_one() <= bounds.rows:
        return
    newest = select(seen.c.last).where(mine).order_by(seen.c.last.desc())
    edge = (await connection.execute(newest.offset(bounds.rows).limit(1))).scalar_one()
    await connection.execute(delete(seen).where(mine, seen.c.last <= edge))


def _hash(what: Iterable[str]) -> bytes:
    text = "\0".join(what).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()
