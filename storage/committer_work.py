"""The transaction of one group: all jobs together, or one by one in savepoints."""

from typing import Any

from sqlalchemy import Connection

from config.clock import Clock
from storage.committer_errors import WriterFenced, is_connection_lost, is_fatal, seen_by_client
from storage.errors import StoreError
from storage.job import Job
from storage.state import State
from storage.transaction import Tx
from storage.values import AccountId
from storage.writer_state import advance


class Work:
    """Its jobs, and what they did. `now` is the time that its files were named with. `unknown`:
    nobody can say whether it was committed.
    """

    def __init__(
        self,
        state: State,
        clock: Clock,
        now: float,
        epoch: int,
        sequence: int,
        jobs: list[Job[Any]],
    ) -> None:
        self._state, self._clock, self._now = state, clock, now
        self._epoch, self._sequence = epoch, sequence
        self._jobs = jobs
        self.txs: list[Tx] = []
        self.finished: dict[Job[Any], bool] = {}
        self.unknown = False

    def accounts(self) -> set[AccountId]:
        return {account for job in self._jobs for account in job.accounts}

    def clear(self) -> None:
        self.txs.clear()
        self.finished.clear()

    def together(self, conn: Connection) -> None:
        tx = self._begin(conn)
        for job in self._jobs:
            job.error = None
            try:
                self.finished[job] = job.apply(tx)
            except StoreError as error:
                job.error = error
        tx.finish()

    def one_by_one(self, conn: Connection) -> None:
        self._advance(conn)
        state = self._state
        for job in self._jobs:
            state.load(conn, job.accounts)
            tx = self._tx(conn)
            job.error = None
            try:
                with conn.begin_nested():
                    self.finished[job] = job.apply(tx)
                    tx.finish()
            except Exception as error:
                if is_fatal(error) or is_connection_lost(error):
                    raise
                job.error = seen_by_client(error)
                state.forget(job.accounts)
                state.load(conn, job.accounts)
            else:
                self.txs.append(tx)

    def _begin(self, conn: Connection) -> Tx:
        self._advance(conn)
        # A group that was rolled back has been forgotten: its accounts are read in here.
        self._state.load(conn, self.accounts())
        tx = self._tx(conn)
        self.txs.append(tx)
        return tx

    def _tx(self, conn: Connection) -> Tx:
        return Tx(conn, self._state, self._now, conn.dialect.name)

    def _advance(self, conn: Connection) -> None:
        now = self._clock.now()
        if not advance(conn, self._epoch, self._sequence, self._state.ids.last, now):
            raise WriterFenced("another writer has taken the database over")
