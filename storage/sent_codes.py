"""How many verification codes left in the last day, by SMS or mail, whatever they were for.

Used inside the transactions of who keeps the codes. Invariant: what a peer is told to wait says
nothing of what others did.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_signup_tables import code_sent
from storage.sign_up_values import Bounds

DAY: Final = 86_400.0
_c = code_sent.c


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a code: `key` says for what, `target` where it goes; `peer` is the network that
    asks, `limited` whether it has a bound of its own.
    """

    key: str
    target: str
    peer: str
    limited: bool


async def seconds_to_wait(
    connection: AsyncConnection, asking: Asking, bounds: Bounds, now: float
) -> float:
    """How long this peer, or everybody, has to wait; 0 when it may ask."""
    await connection.execute(delete(code_sent).where(_c.at <= now - DAY))
    count = select(func.count()).select_from(code_sent)
    first = select(func.min(_c.at))
    if await _scalar(connection, count.where(_c.sent)) >= bounds.of_all:
        return await _scalar(connection, first.where(_c.sent)) + DAY - now
    mine = _c.peer == asking.peer
    if asking.limited and await _scalar(connection, count.where(mine)) >= bounds.of_peer:
        return await _scalar(connection, first.where(mine)) + DAY - now
    same = select(_c.at).where(mine, _c.key == asking.key, _c.target == asking.target)
    times = [row.at for row in await connection.execute(same.order_by(_c.at))]
    if len(times) >= bounds.of_name:
        return float(times[-bounds.of_name] + DAY - now)
    return float(times[-1] + bounds.pause * 2 ** (len(times) - 1) - now) if times else 0.0


async def has_room(connection: AsyncConnection, asking: Asking, bounds: Bounds) -> bool:
    """Whether the target may get one more."""
    sent = select(func.count()).select_from(code_sent).where(_c.target == asking.target, _c.sent)
    return await _scalar(connection, sent) < bounds.of_target


async def is_below(connection: AsyncConnection, key: str, most: int) -> bool:
    """Whether fewer than `most` left under a key, wherever to."""
    sent = select(func.count()).select_from(code_sent).where(_c.key == key, _c.sent)
    return await _scalar(connection, sent) < most


async def note(connection: AsyncConnection, asking: Asking, sent: bool, now: float) -> None:
    """One was asked for; `sent` is false where none left, though the answer was the same."""
    asked = {"key": asking.key, "target": asking.target, "peer": asking.peer}
    await connection.execute(insert(code_sent).values(**asked, sent=sent, at=now))


async def used(connection: AsyncConnection, key: str) -> None:
    """The code was right: no pause before the next one. The target's day counts it still."""
    await connection.execute(update(code_sent).where(_c.key == key).values(key=""))


async def _scalar(connection: AsyncConnection, query: Select[Any]) -> float:
    return float((await connection.execute(query)).scalar_one())
