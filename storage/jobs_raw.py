"""A function of a Connection as a job: how the queue, the mirror and repair write the index."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from storage.committer_errors import is_connection_lost, is_fatal, is_full
from storage.job import Job, Turn
from storage.transaction import Tx
from storage.values import AccountId

T = TypeVar("T")


class RawJob(Job[T]):
    """Runs in a savepoint of its own: whatever it raises undoes and fails it alone."""

    def __init__(self, work: Callable[[Connection], T], touches: Sequence[AccountId]) -> None:
        super().__init__(touches)
        self._work = work
        if touches:
            self.turn = Turn.SOLO

    def apply(self, tx: Tx) -> bool:
        tx.flush()
        try:
            with tx.conn.begin_nested():
                self.result = self._work(tx.conn)
        except Exception as error:
            if is_fatal(error) or is_connection_lost(error) or is_full(error):
                raise
            self.error = error
        else:
            tx.reload.update(self.accounts)
        return True
