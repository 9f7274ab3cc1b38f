"""Jobs that wait for the committer: a lane an account, taken round robin, into bounded groups.

Used by the writer's thread alone. A job whose pieces must not be mixed with others of its accounts
(Turn.RUN) blocks them until it is done; a SOLO job makes a group of its own.
"""

from collections import deque
from typing import Any

from storage.job import PIECE, Job, Turn
from storage.values import AccountId

MAX_MESSAGES = 256
MAX_BYTES = 16 * 1024 * 1024


class Lanes:
    """First come first served within an account, in turn between accounts."""

    def __init__(self) -> None:
        self._lanes: dict[AccountId | None, deque[Job[Any]]] = {}
        self._order: deque[AccountId | None] = deque()
        self._runs: dict[AccountId, Job[Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._order)

    def add(self, job: Job[Any]) -> None:
        """At the end of its account's lane (that of its first account)."""
        self._lane(job).append(job)

    def again(self, job: Job[Any]) -> None:
        """A job with pieces left: a run goes on before its account's others, another job behind."""
        lane = self._lane(job)
        if job.turn is Turn.RUN:
            lane.appendleft(job)
        else:
            lane.append(job)

    def finished(self, job: Job[Any]) -> None:
        """Lets the accounts of a run go on."""
        if job.turn is Turn.RUN:
            for account in job.accounts:
                self._runs.pop(account, None)

    def instead(self, cleaner: Job[Any]) -> None:
        """What cleans up behind a failed run takes its place: the accounts go on waiting."""
        self._lane(cleaner).appendleft(cleaner)
        self._runs.update(dict.fromkeys(cleaner.accounts, cleaner))

    def take(self) -> list[Job[Any]]:
        """The next group, one job a lane and round, up to the bounds of a group."""
        group: list[Job[Any]] = []
        messages = size = rows = 0
        skipped = 0
        while self._order and skipped < len(self._order):
            key = self._order.popleft()
            lane = self._lanes[key]
            job = lane[0]
            if group and (
                messages + job.messages > MAX_MESSAGES
                or size + job.size > MAX_BYTES
                or rows + min(job.rows, PIECE) > PIECE
                or job.turn is Turn.SOLO
            ):
                self._order.appendleft(key)
                break
            if self._blocked(job):
                self._order.append(key)
                skipped += 1
                continue
            skipped = 0
            lane.popleft()
            if lane:
                self._order.append(key)
            else:
                del self._lanes[key]
            group.append(job)
            messages, size = messages + job.messages, size + job.size
            rows += min(job.rows, PIECE)
            if job.turn is Turn.RUN:
                self._runs.update(dict.fromkeys(job.accounts, job))
            if job.turn is Turn.SOLO:
                break
        return group

    def drain(self) -> list[Job[Any]]:
        """Everything that waits, when nothing more is committed."""
        left = [job for lane in self._lanes.values() for job in lane]
        self._lanes.clear()
        self._order.clear()
        return left

    def _lane(self, job: Job[Any]) -> deque[Job[Any]]:
        key = job.accounts[0] if job.accounts else None
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = deque()
            self._order.append(key)
        return lane

    def _blocked(self, job: Job[Any]) -> bool:
        runs = self._runs
        return bool(runs) and any(runs.get(account, job) is not job for account in job.accounts)
