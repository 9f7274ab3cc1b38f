"""The queue after a kill: leases end, what the logs say is finished is believed, lost files go.

The cost depends on what was being sent, not on the length of the queue; the sweep of files goes
on beside the serving.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from storage.queue_file import QueueFileDamaged, read_queue_file
from storage.queue_values import Result, State
from storage.schema import queue_message as message
from storage.schema import queue_recipient as recipient
from storage.schema import submission
from storage.submission_rows import learn
from storage.submission_values import Undo
from storage.values import QueueId

PIECE = 500
_LEASED = recipient.c.lease_until.is_not(None)
_OPEN = recipient.c.state <= int(State.HELD)


def leased(conn: Connection) -> dict[QueueId, str]:
    """Paths of messages with leased recipients."""
    ids = select(recipient.c.queue).where(_LEASED).distinct().scalar_subquery()
    rows = conn.execute(select(message.c.id, message.c.path).where(message.c.id.in_(ids)))
    return {QueueId(number): path for number, path in rows}


def finished(folder: Path, paths: Mapping[QueueId, str]) -> dict[QueueId, frozenset[int]]:
    """Positions that the files' logs call finished. Blocks on the disk."""
    found: dict[QueueId, frozenset[int]] = {}
    for queue, path in paths.items():
        try:
            done = read_queue_file(folder / path).finished
        except (QueueFileDamaged, OSError):
            continue
        if done:
            found[queue] = done
    return found


def end_leases(
    conn: Connection, known: Mapping[QueueId, frozenset[int]]
) -> tuple[int, list[QueueId]]:
    """Ends every lease: at start no other process can hold one, since store.lock is ours.

    How many there were, and the messages that are finished as a whole: their rows are gone.
    """
    done: list[QueueId] = []
    for queue, positions in known.items():
        mine = recipient.c.queue == queue
        conn.execute(
            update(recipient)
            .where(mine, recipient.c.position.in_(sorted(positions)), _OPEN)
            .values(state=int(State.DELIVERED), attempts=recipient.c.attempts + 1)
        )
        if conn.execute(select(recipient.c.queue).where(mine, _OPEN).limit(1)).first() is None:
            conn.execute(delete(recipient).where(mine))
            conn.execute(delete(message).where(message.c.id == queue))
            done.append(queue)
    finished = Result(State.DELIVERED, "")
    learn(conn, {queue: dict.fromkeys(places, finished) for queue, places in known.items()})
    ended = conn.execute(
        update(recipient).where(_LEASED).values(lease_until=None, lease_owner="")
    ).rowcount
    return ended, done


def known_among(conn: Connection, ids: Sequence[QueueId]) -> set[int]:
    """Those of up to PIECE ids that have rows."""
    return set(conn.execute(select(message.c.id).where(message.c.id.in_(ids))).scalars())


def taken_back(conn: Connection, ids: Sequence[QueueId]) -> set[int]:
    """Those of up to PIECE ids that their senders took back: a kill may have left their files."""
    canceled = submission.c.undo == int(Undo.CANCELED)
    query = select(submission.c.id).where(submission.c.id.in_(ids), canceled)
    return set(conn.execute(query).scalars())


class Sweep:
    """The files of a folder with ids up to `last`, in pieces. Blocks on the disk.

    Names that are not ours are never touched, and nothing unfinished is deleted.
    """

    def __init__(self, folder: Path, last: int) -> None:
        self._folder, self._last = folder, last
        self._ids = self._walk()

    def piece(self) -> list[QueueId]:
        """Some ids; none at the end."""
        return list(islice(self._ids, PIECE))

    def remove(self, ids: Sequence[int], gone: Collection[int] = ()) -> None:
        """Files without rows: finished ones and those in `gone` go, others are moved to
        data/orphans.
        """
        for number in ids:
            path = self._folder / f"{number}.msg"
            if number in gone or _is_finished(path):
                path.unlink(missing_ok=True)
                continue
            orphans = self._folder.parent / "orphans"
            orphans.mkdir(exist_ok=True)
            path.rename(orphans / f"queue.{path.name}")

    def _walk(self) -> Iterator[QueueId]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                stem, dot, _ = entry.name.rpartition(".msg")
                if dot and stem.isdecimal() and int(stem) <= self._last:
                    yield QueueId(int(stem))


def _is_finished(path: Path) -> bool:
    try:
        file = read_queue_file(path)
    except QueueFileDamaged:
        return False
    return len(file.finished) == len(file.envelope.recipients)
