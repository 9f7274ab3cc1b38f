"""What users sent by HTTP, and what becomes of it: RFC 8621 §7 calls it EmailSubmission.

A row is made by the transaction that queues the message, and changes with the queue's rows. It is
kept for KEPT, the trace of one that is gone for as long again, so that clients hear of it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import bindparam, func, select

from config.clock import Clock
from storage import submission_rows
from storage.database import Database
from storage.errors import TooOld
from storage.queue_results import Submit
from storage.schema import submission as table
from storage.statements import Query
from storage.submission_rows import COLUMNS, submission_of
from storage.submission_values import Submission, SubmissionChanges
from storage.values import AccountId, QueueId

KEPT: Final = 30 * 86400.0
"""Seconds."""
_DAY: Final = 86400.0
_PIECE: Final = 500
_c = table.c
_MINE = _c.account == bindparam("account")
_STATE: Final = Query(lambda _: select(func.max(_c.changed)).where(_MINE))
_ALL: Final = Query(
    lambda _: select(*COLUMNS).where(_MINE, ~_c.destroyed).order_by(_c.id).limit(bindparam("most"))
)
_SOME: Final = Query(
    lambda among: select(*COLUMNS).where(_MINE, ~_c.destroyed, among(_c.id, "some"))
)
_UNDER: Final = Query(lambda _: select(*COLUMNS).where(_MINE, _c.key == bindparam("key")))
_CHANGED: Final = Query(
    lambda _: (
        select(_c.id, _c.changed, _c.made, _c.destroyed)
        .where(_MINE, _c.changed > bindparam("since"))
        .order_by(_c.changed)
        .limit(bindparam("most"))
    )
)


class Submissions:
    """Belongs to the store. `changed` is called in the loop when something of an account may have
    become of what it sent. Every call raises StoreUnavailable.
    """

    def __init__(self, database: Database, submit: Submit, clock: Clock) -> None:
        self._database, self._submit, self._clock = database, submit, clock
        self.changed: Callable[[AccountId], None] = lambda account: None

    async def state(self, account: AccountId) -> int:
        """Rises with each change; where nothing changed for long, by the day."""
        return self.state_at(await self.last(account))

    async def last(self, account: AccountId) -> int:
        """The number of the last change, 0 where there was none."""
        ((found,),) = await self._database.fetch(_STATE, account=account)
        return int(found or 0)

    def state_at(self, last: int) -> int:
        """The state once this was the last change."""
        return max(last, self._floor())

    async def all(self, account: AccountId, most: int) -> list[Submission]:
        """Up to `most`, the oldest first."""
        rows = await self._database.fetch(_ALL, account=account, most=most)
        return [submission_of(row) for row in rows]

    async def get(self, account: AccountId, ids: Sequence[QueueId]) -> dict[QueueId, Submission]:
        """Those that there are."""
        found = {}
        for start in range(0, len(ids), _PIECE):
            some = self._database.ids(sorted(set(ids[start : start + _PIECE])))
            for row in await self._database.fetch(_SOME, account=account, some=some):
                one = submission_of(row)
                found[one.id] = one
        return found

    async def under(self, account: AccountId, key: str) -> Submission | None:
        """The one with a key, without its recipients once it was destroyed."""
        rows = await self._database.fetch(_UNDER, account=account, key=key)
        return submission_of(rows[0]) if rows else None

    async def changes(self, account: AccountId, since: int, limit: int) -> SubmissionChanges:
        """At most `limit` ids, the oldest changes first. Raises TooOld."""
        state = await self.state(account)
        if not self._floor() <= since <= state:
            raise TooOld("what became of submissions is no longer known")
        rows = await self._database.fetch(_CHANGED, account=account, since=since, most=limit + 1)
        told, has_more = rows[:limit], len(rows) > limit
        until = told[-1][1] if has_more else max([state, *(row[1] for row in told)])
        new = {row[0] for row in told if row[2] > since}
        gone = tuple(QueueId(row[0]) for row in told if row[3])
        return SubmissionChanges(
            until,
            has_more,
            tuple(QueueId(row[0]) for row in told if not row[3] and row[0] in new),
            tuple(QueueId(row[0]) for row in told if not row[3] and row[0] not in new),
            tuple(one for one in gone if one not in new),
        )

    async def destroy(self, account: AccountId, id_: QueueId) -> bool:
        """Whether it was there. What is sent stays sent."""
        now = self._clock.now()
        gone = await self._submit(lambda conn: submission_rows.destroy(conn, account, id_, now))
        self.changed(account)
        return gone

    async def forget(self) -> None:
        """Those that are older than KEPT."""
        now = self._clock.now()
        before = now - KEPT - _DAY
        piece = partial(submission_rows.forget, before=before, now=now, most=_PIECE)
        while await self._submit(piece) >= _PIECE:
            pass

    def _floor(self) -> int:
        """From where on all changes are known."""
        return int((self._clock.now() - KEPT) // _DAY * _DAY) * 1_000_000
