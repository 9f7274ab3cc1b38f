"""The writer's one row: epoch (the fence), sequence of groups, last id given, clean or not."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, true, update

from storage.schema import writer_state
from storage.statements import Query

_ROW = writer_state.c.id == 1
_ADVANCE = Query(
    lambda _: (
        update(writer_state)
        .where(_ROW, writer_state.c.epoch == bindparam("e"))
        .values(
            sequence=bindparam("s"),
            last_blob=bindparam("b"),
            committed_at=bindparam("at"),
            clean=bindparam("ok"),
        )
        .returning(writer_state.c.sequence)
    )
)


@dataclass(frozen=True, slots=True)
class WriterState:
    """The row as a start finds it. `committed_at` is the time of the last group."""

    epoch: int
    sequence: int
    last_blob: int
    committed_at: float
    clean: bool


def read(conn: Connection) -> WriterState:
    """The row as it stands."""
    row = conn.execute(select(writer_state).where(_ROW)).one()
    return WriterState(row.epoch, row.sequence, row.last_blob, row.committed_at, bool(row.clean))


def take_over(conn: Connection) -> int:
    """A new epoch, which fences every other writer; the store counts as not cleanly closed."""
    conn.execute(
        update(writer_state).where(_ROW).values(epoch=writer_state.c.epoch + 1, clean=False)
    )
    return int(conn.execute(select(writer_state.c.epoch).where(_ROW)).scalar_one())


def advance(conn: Connection, epoch: int, sequence: int, last: int, now: float) -> bool:
    """Counts a group; False when the epoch is another's."""
    return bool(_ADVANCE.run(conn, e=epoch, s=sequence, b=last, at=now, ok=False))


def committed_sequence(conn: Connection) -> int:
    """The number of the last group that was committed."""
    return int(conn.execute(select(writer_state.c.sequence).where(_ROW)).scalar_one())


def close_cleanly(conn: Connection, epoch: int, now: float) -> None:
    """Marks a clean stop."""
    conn.execute(
        update(writer_state)
        .where(_ROW, writer_state.c.epoch == epoch)
        .values(clean=true(), committed_at=now)
    )
