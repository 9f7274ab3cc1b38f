"""A queue on a real SQLite file without the rest of the store, for tests of the sending side.

`Jobs.submit` runs one job at a time in its own transaction, as the committer does.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine

from net.threads import Offload
from storage.bus import Bus
from storage.queue import QueueStore
from storage.queue_batch import Wanted
from storage.queue_file import envelope_of, file_name, head
from storage.queue_jobs import insert, queued_rows
from storage.queue_values import Claim
from storage.schema import metadata
from storage.statements import Query
from storage.transport import TransportStore
from storage.values import Content, Delivery, QueueChanged, QueuedRecipient, QueueId

T = TypeVar("T")


class ManualClock:
    """Moves only when told to."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class QueueHarness:
    """Has what Outbound uses of a Store: `queue`, `transport`, `bus`, `submit`; and `put` to queue
    messages.
    """

    def __init__(self, data_dir: Path, clock: ManualClock, offload: Offload) -> None:
        self.folder = data_dir / "queue"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = clock
        self.bus = Bus()
        self.failing: list[Exception] = []
        self._engine: Engine = create_engine(
            f"sqlite:///{data_dir / 'index.db'}", connect_args={"check_same_thread": False}
        )
        metadata.create_all(self._engine)
        self._lock = asyncio.Lock()
        self.offload = offload
        self._last = 0
        self.queue = QueueStore(
            self.submit,
            self.read,
            self.folder,
            offload=offload,
            clock=clock,
            publish=self.bus.publish,
        )
        self.transport = TransportStore(self.submit)

    async def submit(self, job: Callable[[Connection], T]) -> T:
        async with self._lock:
            if self.failing:
                raise self.failing.pop()
            return await self.offload.disk(self._run, job)

    async def read(self, query: Query, **params: Any) -> list[tuple[Any, ...]]:
        return await self.submit(lambda conn: query.run(conn, **params))

    def _run(self, job: Callable[[Connection], T]) -> T:
        with self._engine.begin() as conn:
            return job(conn)

    async def put(
        self,
        *recipients: str | QueuedRecipient,
        sender: str = "me@example.test",
        data: bytes = b"Subject: hello\r\n\r\nHi.\r\n",
        **more: object,
    ) -> QueueId:
        """Queues one message the way a delivery does: file first, then rows."""
        delivery = Delivery(
            content=Content(len(data), b"", data=data),
            sender=sender,
            received_at=self.clock.now(),
            trace="trace",
            queued=_queued(recipients),
            **more,  # type: ignore[arg-type]
        )
        self._last = max(self._last + 1, int(self.clock.now() * 1_000_000))
        envelope = envelope_of(delivery, QueueId(self._last))
        path = self.folder / file_name(envelope.id)
        await self.offload.disk(path.write_bytes, head(envelope, len(data)) + data)
        handed = self.queue.handover.claim(envelope, delivery.content)
        claim = None if handed is None else handed[1]
        await self.submit(
            lambda conn: insert(conn, queued_rows(envelope, len(data), self.clock.now(), claim))
        )
        if handed is not None:
            self.queue.hand_over(*handed)
        else:
            self.bus.publish(QueueChanged())
        return envelope.id

    def close(self) -> None:
        self._engine.dispose()


def _queued(recipients: Sequence[str | QueuedRecipient]) -> tuple[QueuedRecipient, ...]:
    return tuple(r if isinstance(r, QueuedRecipient) else QueuedRecipient(r) for r in recipients)


async def claim_one(queue: QueueStore, domain: str | None = None) -> Claim | None:
    """Leases the longest waiting message for `domain` (None: of any)."""
    for due in (await queue.due()).lanes:
        if domain in (None, due.domain) and (
            claims := (await queue.claim([Wanted(due.domain, due.lane, 1)]))[0]
        ):
            await queue.give_back(claims[1:])
            return claims[0]
    return None
