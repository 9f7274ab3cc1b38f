"""The audit log: rows of config.db, written within a second, kept for `keep` seconds.

What equal events are counted together is said by auth/audit.py. What a kill takes with it, of the
last second, is not in the log. Invariants: bounded by age and number; nothing is ever changed but
count and time of the last event.
"""

from dataclasses import replace
from hashlib import blake2b
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from config.clock import Clock
from storage.audit_values import Entry, Kind
from storage.config_database import ConfigDatabase
from storage.config_defence_tables import audit
from storage.values import AccountId
from storage.write_behind import WriteBehind

DAY: Final = 86_400.0
MAX_ROWS: Final = 2_000_000
MAX_TEXT: Final = 300
_c = audit.c
_COLUMNS: Final = (
    *(_c.kind, _c.account, _c.name, _c.address, _c.protocol, _c.client, _c.credential),
    *(_c.detail, _c.first, _c.last, _c.count),
)


class AuditLog(WriteBehind[bytes, Entry]):
    """Belongs to the directory, whose database it uses."""

    log_of = "audit"
    not_written = "the audit log is not stored"
    flush_seconds = 0.5

    def __init__(self, database: ConfigDatabase, clock: Clock, keep: float) -> None:
        super().__init__(database, clock)
        self.keep = keep
        self.max_rows = MAX_ROWS

    def add(self, entry: Entry, span: object) -> None:
        """Counts an entry with those that are equal but for times and happened in the same
        `span`.
        """
        now = self._clock.now()
        made = replace(
            entry,
            client=_line(entry.client),
            detail=_line(entry.detail),
            first=now,
            last=now,
        )
        self._put(_key(made, span), made)

    async def listed(
        self, account: AccountId | None = None, *, since: float = 0.0, most: int = 1000
    ) -> list[Entry]:
        """The newest `most`, the newest first; of one account, or of all. Raises
        StoreUnavailable.
        """
        query = select(*_COLUMNS).where(_c.last >= since)
        if account is not None:
            query = query.where(_c.account == account)
        query = query.order_by(_c.last.desc(), _c.first.desc(), _c.key).limit(most)
        async with self._writing:
            if self._waiting:
                waiting, self._waiting = self._waiting, {}
                try:
                    await self._database.finish(self._write(waiting))
                except BaseException:
                    self._keep(waiting)
                    raise
            async with self._database.reading() as connection:
                return [_entry(*row) for row in await connection.execute(query)]

    async def prune(self) -> None:
        """Removes what is old, and the oldest of what is too much."""
        async with self._database.writing() as connection:
            old = _c.last < self._clock.now() - self.keep
            await connection.execute(delete(audit).where(old))
            count = select(func.count()).select_from(audit)
            if (await connection.execute(count)).scalar_one() <= self.max_rows:
                return
            newest = select(_c.last).order_by(_c.last.desc()).offset(self.max_rows).limit(1)
            edge = (await connection.execute(newest)).scalar_one()
            await connection.execute(delete(audit).where(_c.last <= edge))

    def _joined(self, earlier: Entry, later: Entry) -> Entry:
        return replace(
            earlier,
            first=min(earlier.first, later.first),
            last=max(earlier.last, later.last),
            count=earlier.count + later.count,
        )

    async def _write(self, waiting: dict[bytes, Entry]) -> None:
        async with self._database.writing() as connection:
            for key, entry in waiting.items():
                more = {"count": _c.count + entry.count, "last": entry.last}
                here = update(audit).where(_c.key == key).values(**more)
                if (await connection.execute(here)).rowcount:
                    continue
                values = {name: getattr(entry, name) for name in entry.__slots__}
                values |= {"key": key, "kind": entry.kind.value}
                await connection.execute(insert(audit).values(values))


def _entry(kind: str, account: int, *rest: object) -> Entry:
    return Entry(Kind(kind), AccountId(account), *rest)  # type: ignore[arg-type]


def _key(entry: Entry, span: object) -> bytes:
    parts = (entry.kind.value, entry.account, entry.name, entry.address, entry.protocol)
    whole = repr((*parts, entry.client, entry.credential, entry.detail, span))
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _line(text: str) -> str:
    """On one line, printable, of bounded length."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_TEXT]).strip()
