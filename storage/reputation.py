"""How good and how bad the mail of senders, domains and networks was, and bodies that came before:
counts that fade with time.

Keys are hashes: of one size, and no list of who writes to whom. What a crash takes with it, of the
last seconds, is not counted.
Invariants: bounded by age and number in SQL, by number in memory; a reader sees what was added;
`good` and `bad` halve in a half-life, so that what is old counts little and is removed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from hashlib import blake2b
from math import log2

from cachetools import LRUCache
from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.small_database import SmallDatabase
from storage.spam_tables import reputation
from storage.write_behind import WriteBehind

DAY = 86_400.0
IN_MEMORY = 50_000
BATCH = 200
FADED = 0.05
"""Below this nothing is left to say."""


class About(IntEnum):
    """What a standing is of."""

    SENDER = 1
    DOMAIN = 2
    NETWORK = 3
    BODY = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """Seconds in which a count of this kind halves, and how many rows there may be."""

    half_life: float
    rows: int


RULES = {
    About.SENDER: Rule(30 * DAY, 500_000),
    About.DOMAIN: Rule(30 * DAY, 200_000),
    About.NETWORK: Rule(14 * DAY, 200_000),
    About.BODY: Rule(3 * DAY, 500_000),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Messages that were good and bad, as they count at `at` (seconds since 1970)."""

    good: float = 0.0
    bad: float = 0.0
    at: float = 0.0

    @property
    def weight(self) -> float:
        """How much is known."""
        return self.good + self.bad

    @property
    def badness(self) -> float:
        """The share of the bad, from 0 to 1; towards a half where little is known."""
        return (self.bad + 0.5) / (self.weight + 1.0)

    def faded(self, now: float, half_life: float) -> "Standing":
        """As it counts later."""
        if now <= self.at:
            return self
        share: float = 0.5 ** ((now - self.at) / half_life)
        return Standing(self.good * share, self.bad * share, now)


NOTHING = Standing()
Subject = tuple[About, str]
"""A kind, and an address, a domain, a network in CIDR form, or the hash of a body."""
_Key = tuple[About, bytes]


class Reputation(WriteBehind[_Key, Standing]):
    """What waits is added to what SQL has."""

    log_of = "reputation"
    not_written = "reputation is not stored"
    flush_seconds = 5.0
    piece = 500  # who asks for what is not in memory waits for one

    def __init__(self, database: SmallDatabase, clock: Clock) -> None:
        super().__init__(database, clock)
        self._known: LRUCache[_Key, Standing] = LRUCache(IN_MEMORY)
        self.rules = dict(RULES)

    async def of(self, subjects: Sequence[Subject]) -> list[Standing]:
        """As they count at this moment, in order; one statement at most. Raises StoreError."""
        keys = [_key(subject) for subject in subjects]
        missing = [key for key in keys if key not in self._known]
        if missing:
            async with self._writing:  # nothing may come between the rows and what waits
                loaded = await self._database.finish(self._load(missing))
                for key in missing:
                    stored = loaded.get(key, NOTHING)
                    self._known[key] = self._joined_as(key, stored, self._waiting.get(key))
                found = {key: self._known[key] for key in keys if key in self._known}
        else:
            found = {key: self._known[key] for key in keys}
        now = self._clock.now()
        return [found.get(key, NOTHING).faded(now, self.rules[key[0]].half_life) for key in keys]

    def add(self, subjects: Iterable[Subject], *, good: float = 0.0, bad: float = 0.0) -> None:
        """Counts a message, or part of one; seen at once, in SQL within seconds."""
        more = Standing(good, bad, self._clock.now())
        for subject in subjects:
            key = _key(subject)
            if key in self._known:
                self._known[key] = self._joined_as(key, self._known[key], more)
            self._put_for(key, more)

    async def prune(self) -> None:
        """Removes what has faded, and the oldest of what is too much."""
        now = self._clock.now()
        async with self._database.writing() as connection:
            for about, rule in self.rules.items():
                await _prune(connection, about, rule, now)

    def _put_for(self, key: _Key, more: Standing) -> None:
        waiting = self._waiting.get(key)
        self._put(key, more if waiting is None else self._joined_as(key, waiting, more))

    def _joined_as(self, key: _Key, earlier: Standing, later: Standing | None) -> Standing:
        if later is None:
            return earlier
        at = max(earlier.at, later.at)
        half_life = self.rules[key[0]].half_life
        a, b = earlier.faded(at, half_life), later.faded(at, half_life)
        return Standing(a.good + b.good, a.bad + b.bad, at)

    def _keep(self, waiting: dict[_Key, Standing]) -> None:
        """What could not be written and what came meanwhile are added."""
        meanwhile, self._waiting = self._waiting, waiting
        for key, value in meanwhile.items():
            present = waiting.get(key)
            self._take(key, value if present is None else self._joined_as(key, present, value))

    async def _load(self, keys: Sequence[_Key]) -> dict[_Key, Standing]:
        async with self._database.reading() as connection:
            return await _read(connection, keys)

    async def _write(self, waiting: dict[_Key, Standing]) -> None:
        items = list(waiting.items())
        async with self._database.writing() as connection:
            for start in range(0, len(items), BATCH):
                piece = items[start : start + BATCH]
                stored = await _read(connection, [key for key, _ in piece])
                rows = [
                    _row(key, self._joined_as(key, stored.get(key, NOTHING), more))
                    for key, more in piece
                ]
                await connection.execute(_upsert(connection.dialect.name), rows)


def _row(key: _Key, standing: Standing) -> dict[str, object]:
    return {
        "about": int(key[0]),
        "key": key[1],
        "good": standing.good,
        "bad": standing.bad,
        "at": standing.at,
    }


async def _read(connection: AsyncConnection, keys: Sequence[_Key]) -> dict[_Key, Standing]:
    c = reputation.c
    wanted = [(int(about), digest) for about, digest in keys]
    query = select(c.about, c.key, c.good, c.bad, c.at).where(tuple_(c.about, c.key).in_(wanted))
    return {
        (About(about), bytes(digest)): Standing(good, bad, at)
        for about, digest, good, bad, at in await connection.execute(query)
    }


@cache
def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    made = postgresql.insert(reputation) if dialect == "postgresql" else sqlite.insert(reputation)
    fresh = {name: made.excluded[name] for name in ("good", "bad", "at")}
    return made.on_conflict_do_update(
        index_elements=[reputation.c.about, reputation.c.key], set_=fresh
    )


async def _prune(connection: AsyncConnection, about: About, rule: Rule, now: float) -> None:
    c = reputation.c
    mine = c.about == int(about)
    # so long after its last message a standing of 100 has faded; one of 1 some months earlier
    for weight in (1.0, 10.0, 100.0):
        age = rule.half_life * _halvings(weight)
        old = (c.at < now - age) & (c.good + c.bad <= weight)
        await connection.execute(delete(reputation).where(mine, old))
    count = select(func.count()).select_from(reputation).where(mine)
    if (await connection.execute(count)).scalar_one() <= rule.rows:
        return
    newest = select(c.at).where(mine).order_by(c.at.desc())
    edge = (await connection.execute(newest.offset(rule.rows).limit(1))).scalar_one()
    await connection.execute(delete(reputation).where(mine, c.at <= edge))


def _halvings(weight: float) -> float:
    return log2(weight / FADED)


def _key(subject: Subject) -> _Key:
    about, what = subject
    digest = blake2b(what.casefold().encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return about, digest
