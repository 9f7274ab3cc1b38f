"""The records of messages in data/history.db: written behind, many in a transaction, found again by
trace, refusal, Message-ID, queue id or local copy.

Invariants: nobody waits for a record; what waits in memory is bounded, and a kill takes the last
second of it; the table is bounded by age and by size.
"""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from config.clock import Clock
from config.logging import get_logger
from net.threads import Busy, Offload
from storage.errors import StoreError
from storage.explain_table import explain
from storage.explain_values import Happening, Kind, Recorded, pack, unpack
from storage.history_database import HistoryDatabase
from storage.small_database import reason_of
from storage.statements import MultiRow

FLUSH_SECONDS = 1.0
RETRY_SECONDS = 30.0
PRUNE_SECONDS = 900.0
PRUNE_PART = 0.05
"""Of the size: so much may be written before what is too much goes."""
MAX_WAITING = 10_000
"""Happenings in memory above which further ones are lost, and counted in the log."""
FOUND = 2_000
"""Rows of one message, and messages of one Message-ID, that are read."""
OVERHEAD = 250
"""Octets of a row beside its data, indexes included, about."""
_PIECE = 2_000
_HOUR = 3600
_HOURS = 500
"""In which a Message-ID is looked for at once."""
_SAMPLE = 500
_PUT = MultiRow(explain)


class ExplainStore:
    """Belongs to whoever opens it, and is closed before the database is."""

    def __init__(
        self, database: HistoryDatabase, clock: Clock, offload: Offload, *, keep: float, size: int
    ) -> None:
        """`keep` in seconds, `size` in octets."""
        self._database, self._clock, self._offload = database, clock, offload
        self._keep, self._size = keep, size
        self._waiting: list[Happening] = []
        self._last: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._pruned = float("-inf")
        self._written = 0
        self._lost = 0

    def bound(self, keep: float, size: int) -> None:
        """Other bounds from here on; what is beyond them goes soon."""
        if (keep, size) != (self._keep, self._size):
            self._keep, self._size, self._pruned = keep, size, float("-inf")
            self._flush_soon()

    def put(self, happening: Happening) -> None:
        """In SQL within about a second."""
        if not self._keep:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._lost += 1
            return
        self._waiting.append(happening)
        self._flush_soon()

    async def close(self) -> None:
        """Writes what waits, after a write that is under way."""
        self._stop_timer()
        if self._flushing is not None:
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self.flush()
        self._stop_timer()

    async def flush(self) -> bool:
        """Writes what waits; whether that went well."""
        async with self._writing:
            waiting, self._waiting = self._waiting, []
            try:
                if waiting:
                    await self._database.finish(self._write(waiting))
                if self._is_due():
                    self._pruned, self._written = self._clock.monotonic(), 0
                    await self._database.finish(self.prune())
            except (StoreError, Busy) as error:
                room = MAX_WAITING - len(self._waiting)
                self._lost += max(0, len(waiting) - room)
                self._waiting = waiting[:room] + self._waiting
                get_logger("explain").warning("records are not written", reason=reason_of(error))
                return False
            if self._lost:
                get_logger("explain").warning("records were lost", count=self._lost)
                self._lost = 0
        return True

    def _is_due(self) -> bool:
        late = self._clock.monotonic() - self._pruned > PRUNE_SECONDS
        return late or self._written > PRUNE_PART * self._size

    async def prune(self) -> int:
        """Removes what is too old, then the oldest of what is too much; how many rows."""
        gone = 0
        before = self._clock.now() - self._keep
        while border := await self._border(before):
            async with self._database.writing() as connection:
                done = await connection.execute(delete(explain).where(explain.c.id <= border))
                gone += done.rowcount
            await asyncio.sleep(0)
        return gone

    async def of_trace(self, trace: str) -> list[Recorded]:
        """What happened to one message, in order of time: the first FOUND happenings."""
        found = await self._read(select(explain).where(explain.c.trace == trace))
        return sorted(found, key=lambda one: (one.at, one.id))

    async def traces(
        self, *, message_id: str = "", ident: str = "", queue: int | None = None
    ) -> list[str]:
        """The messages that a name leads to, the oldest first; of many the last."""
        c = explain.c
        await self.flush()
        if message_id:
            found = await self._named(message_id)
        elif ident:
            found = await self._last_of(c.ident == ident, c.ident != "")
        else:
            found = await self._last_of(c.queue == queue, c.queue.is_not(None))
        return list(dict.fromkeys(reversed(found)))

    async def _named(self, message_id: str) -> list[str]:
        """Those with that Message-ID, which is not empty, the newest first."""
        c, now, named = explain.c, self._clock.now(), _hash(message_id)
        last = int(now // _HOUR) + 1  # one more where the clock was set back
        first = int((now - self._keep) // _HOUR) - 1
        found: list[str] = []
        for end in range(last, first - 1, -_HOURS):
            hours = range(max(first, end - _HOURS + 1), end + 1)
            same = c.named == named, c.message_id == message_id
            found += await self._last_of(c.hour.in_(hours), *same)
            if len(found) >= FOUND:
                break
        return found[:FOUND]

    async def _last_of(self, *where: ColumnElement[bool]) -> list[str]:
        query = select(explain.c.trace).where(*where).order_by(explain.c.id.desc()).limit(FOUND)
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def trace_of(self, account: int, blob: int) -> str | None:
        """The message that a local copy was made of."""
        found = await self._read(
            select(explain).where(
                explain.c.account == account,
                explain.c.blob == blob,
                explain.c.account.is_not(None),
            )
        )
        return found[0].trace if found else None

    async def _read(self, query: Select[Any]) -> list[Recorded]:
        await self.flush()
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.order_by(explain.c.id).limit(FOUND))).all()
        return await self._offload.disk(_unpacked, [tuple(row) for row in rows])

    async def _write(self, waiting: Sequence[Happening]) -> None:
        packed = await self._offload.disk(_packed, waiting)
        async with self._database.writing() as connection:
            first = await connection.run_sync(self._next_id)
            rows = [(first + number, *row) for number, row in enumerate(packed)]
            await connection.run_sync(_put, rows)
        self._last = first + len(rows) - 1
        self._written += sum(len(row[-1]) + OVERHEAD for row in rows)

    def _next_id(self, connection: Connection) -> int:
        if self._last is None:
            last = connection.execute(select(func.max(explain.c.id))).scalar()
            self._last = int(last or 0)
        return self._last + 1

    async def _border(self, before: float) -> int:
        """The last row of the oldest piece that is to go; 0 for none."""
        async with self._database.reading() as connection:
            oldest = select(explain.c.id, explain.c.at).order_by(explain.c.id).limit(_PIECE)
            rows = (await connection.execute(oldest)).all()
            if not rows:
                return 0
            last = (await connection.execute(select(func.max(explain.c.id)))).scalar() or 0
            # from all of them, so that a few large ones that came last do not drive out the others
            step = (last - rows[0].id) // _SAMPLE + 1
            some = list(range(last, rows[0].id - 1, -step))
            sample = select(func.length(explain.c.data)).where(explain.c.id.in_(some))
            sizes: list[int] = [row[0] for row in (await connection.execute(sample)).all()]
        old: list[int] = [row.id for row in rows if row.at < before]
        each = sum(sizes) / len(sizes) + OVERHEAD
        most = int(self._size / each)
        surplus = last - most
        too_many: list[int] = [row.id for row in rows if row.id <= surplus]
        return max([0, *(old[-1:]), *(too_many[-1:])])

    def _flush_soon(self) -> None:
        if self._timer is None and self._flushing is None:
            self._flush_in(FLUSH_SECONDS)

    def _flush_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._start)

    def _start(self) -> None:
        self._timer = None
        self._flushing = asyncio.create_task(self._flush_and_go_on(), name="explain")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _flush_and_go_on(self) -> None:
        written = False
        try:
            written = await self.flush()
        finally:
            self._flushing = None
        if self._waiting and self._timer is None:
            self._flush_in(FLUSH_SECONDS if written else RETRY_SECONDS)


def _unpacked(rows: Sequence[tuple[Any, ...]]) -> list[Recorded]:
    return [
        Recorded(number, at, trace, Kind(kind), unpack(data), ident, message_id, *names)
        for number, at, _hour, trace, kind, ident, message_id, _named, *names, data in rows
    ]


def _packed(waiting: Sequence[Happening]) -> list[tuple[Any, ...]]:
    return [
        (
            *(one.at, int(one.at // _HOUR), one.trace, int(one.kind), one.ident, one.message_id),
            *(_hash(one.message_id), one.queue, one.account, one.blob, _data(one)),
        )
        for one in waiting
    ]


def _hash(message_id: str) -> int | None:
    if not message_id:
        return None
    name = message_id.encode("utf-8", "replace")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), signed=True)


def _data(one: Happening) -> bytes:
    """Of what a filter or a peer made unpackable at least the rest is kept, and the others'."""
    try:
        return pack(one.make())
    except Exception:
        get_logger("explain").exception("record not packed", message=one.trace)
        return pack({})


def _put(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    for text, params in _PUT.blocks(connection.dialect, rows):
        connection.exec_driver_sql(text, params)
