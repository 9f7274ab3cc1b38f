"""What is known of attachments of stored mail since they were read once: where they lie in their
message, their hash, and what the scanner said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select, update

from message.part_octets import Encoded
from storage.config_database import ConfigDatabase
from storage.config_drive_tables import drive_part
from storage.drive_values import State
from storage.values import AccountId, BlobId

_PAGE: Final = 1000
_p = drive_part.c


@dataclass(frozen=True, slots=True)
class Judged:
    """`finding` names what was found with the scanner's `signatures`."""

    state: State = State.PENDING
    finding: str = ""
    signatures: str = ""


@dataclass(frozen=True, slots=True)
class KnownPart:
    """`encoded` counts from the beginning of the message."""

    message: BlobId
    part: str
    encoded: Encoded
    content: str
    type: str
    judged: Judged = Judged()


class DriveParts:
    """Belongs to the directory's database. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    async def find(self, account: AccountId, message: BlobId, part: str) -> KnownPart | None:
        """None where it was never read."""
        found = await self._database.finish(self._find(account, [message]))
        return next((one for one in found if one.part == part), None)

    async def of(self, account: AccountId, messages: Sequence[BlobId]) -> list[KnownPart]:
        """All that are known of these messages."""
        return await self._database.finish(self._find(account, messages))

    async def _find(self, account: AccountId, messages: Sequence[BlobId]) -> list[KnownPart]:
        query = select(drive_part).where(_p.account == account, _p.message.in_(messages))
        async with self._database.reading() as at:
            rows = (await at.execute(query)).mappings().all()
        return [
            KnownPart(
                BlobId(row["message"]),
                row["part"],
                Encoded(row["offset"], row["length"], row["encoding"], row["size"], row["width"]),
                row["content"],
                row["type"],
                Judged(State(row["state"]), row["finding"], row["signatures"]),
            )
            for row in rows
        ]

    async def put(self, account: AccountId, known: KnownPart) -> None:
        """In the place of what was known."""
        await self._database.finish(self._put(account, known))

    async def _put(self, account: AccountId, known: KnownPart) -> None:
        one, judged = known.encoded, known.judged
        values = {
            "offset": one.offset,
            "length": one.length,
            "encoding": one.encoding,
            "width": one.width,
            "size": one.size,
            "content": known.content,
            "type": known.type,
            "state": judged.state.value,
            "finding": judged.finding,
            "signatures": judged.signatures,
        }
        key = {"account": account, "message": known.message, "part": known.part}
        mine = (_p.account == account, _p.message == known.message, _p.part == known.part)
        async with self._database.writing() as at:
            if not (await at.execute(update(drive_part).where(*mine).values(values))).rowcount:
                await at.execute(insert(drive_part).values(**key, **values))

    async def judge(self, account: AccountId, message: BlobId, part: str, judged: Judged) -> None:
        """What the scanner says of it."""
        await self._database.finish(self._judge(account, message, part, judged))

    async def _judge(self, account: AccountId, message: BlobId, part: str, judged: Judged) -> None:
        mine = (_p.account == account, _p.message == message, _p.part == part)
        values = {
            "state": judged.state.value,
            "finding": judged.finding,
            "signatures": judged.signatures,
        }
        async with self._database.writing() as at:
            await at.execute(update(drive_part).where(*mine).values(values))

    async def messages(self, account: AccountId, after: int = 0) -> list[BlobId]:
        """Messages of which something is known or linked, by number, at most a page of them."""
        return await self._database.finish(self._messages(account, after))

    async def _messages(self, account: AccountId, after: int) -> list[BlobId]:
        query = select(_p.message).where(_p.account == account, _p.message > after).distinct()
        async with self._database.reading() as at:
            rows = await at.execute(query.order_by(_p.message).limit(_PAGE))
            return [BlobId(row[0]) for row in rows]

    async def accounts(self) -> list[AccountId]:
        """Those of which something is known."""
        return await self._database.finish(self._accounts())

    async def _accounts(self) -> list[AccountId]:
        async with self._database.reading() as at:
            rows = await at.execute(select(_p.account).distinct())
            return [AccountId(row[0]) for row in rows]

    async def drop(self, account: AccountId, messages: Sequence[BlobId]) -> int:
        """Forgets parts of messages that are gone; how many."""
        return await self._database.finish(self._drop(account, messages))

    async def _drop(self, account: AccountId, messages: Sequence[BlobId]) -> int:
        gone = delete(drive_part).where(_p.account == account, _p.message.in_(messages))
        async with self._database.writing() as at:
            return (await at.execute(gone)).rowcount
