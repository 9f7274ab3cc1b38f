"""Stored messages, one by one, for operations that look at the past."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mailserver.services import Services
from storage.errors import MessageMissing
from storage.values import AccountId, Mailbox, MessageRow

PIECE = 1024**2


@dataclass(frozen=True, slots=True)
class Kept:
    """A message: its row, and its octets from the first on. `total`: how many are looked at."""

    row: MessageRow
    data: bytes
    total: int


async def last_messages(
    services: Services, account: AccountId, box: Mailbox, last: int, most: int | None = None
) -> AsyncIterator[Kept]:
    """The newest `last` messages of a mailbox, the oldest of them first; of each the first `most`
    octets.
    """
    store = services.store
    view = await store.view(account, box.id)
    try:
        uids = list(view.uids[-last:]) if last else []
    finally:
        view.release()
    async for rows in store.rows(account, box.id, uids):
        for row in rows:
            try:
                data = await _read(services, account, box, row, most)
            except MessageMissing:
                continue
            yield Kept(row, data, len(uids))


async def _read(
    services: Services, account: AccountId, box: Mailbox, row: MessageRow, most: int | None
) -> bytes:
    wanted = row.size if most is None else min(row.size, most)
    pieces, at = [], 0
    while at < wanted:
        size = min(PIECE, wanted - at)
        piece = await services.store.read_message(account, box.id, row, at, size)
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)
