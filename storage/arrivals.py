"""Who brought a message into its mailbox, by the journal."""

from typing import Final

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.schema import ChangeKind, Origin, journal
from storage.statements import Query
from storage.values import AccountId, MailboxId

_j = journal.c
_NAME: Final = Query(
    lambda _: select(_j.name).where(
        _j.account == bindparam("account"),
        _j.modseq == bindparam("modseq"),
        _j.mailbox == bindparam("mailbox"),
        _j.kind == int(ChangeKind.APPEND),
    )
)


async def brought_by(
    database: Database, account: AccountId, mailbox: MailboxId, modseq: int
) -> Origin | None:
    """Of a message whose modseq is still that with which it came; None for another, and where the
    journal does not reach back so far.
    """
    rows = await database.fetch(_NAME, account=account, modseq=modseq, mailbox=mailbox)
    return Origin(rows[0][0]) if rows else None
