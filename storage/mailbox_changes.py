"""What became of an account's mailboxes since a modseq, as JMAP tells it (RFC 8621 §2.2)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from storage.changes import read_changes
from storage.database import Database
from storage.email_changes import MAX_ROWS, TooOld, bounds
from storage.schema import ChangeKind
from storage.values import AccountId, MailboxId

_PIECE: Final = 1_000
_OF_MESSAGES: Final = frozenset((ChangeKind.APPEND, ChangeKind.EXPUNGE, ChangeKind.FLAGS))


@dataclass(frozen=True, slots=True)
class MailboxesChanged:
    """Up to `modseq`. `counts_only`: of those updated nothing but numbers of messages changed."""

    modseq: int
    created: Sequence[MailboxId]
    updated: Sequence[MailboxId]
    destroyed: Sequence[MailboxId]
    counts_only: bool


async def mailboxes_changed(
    database: Database,
    account: AccountId,
    since: int,
    present: Callable[[], Awaitable[Sequence[MailboxId]]],
) -> MailboxesChanged:
    """`present` gives those that there are: it is asked after the journal, so that none of those
    told of is missing. Raises TooOld, NoSuchAccount.
    """
    now, _ = await bounds(database, account)
    kinds: dict[MailboxId, set[ChangeKind]] = {}
    after, rows = since, 0
    while page := await read_changes(database, account, after, _PIECE):
        for change in page:
            if change.mailbox:
                kinds.setdefault(change.mailbox, set()).add(change.kind)
        after = page[-1].modseq
        rows += len(page)
        if rows > MAX_ROWS:
            raise TooOld("too much has changed")
    _, floor = await bounds(database, account)
    if not floor <= since <= now:
        raise TooOld("the journal does not tell of it")
    there = set(await present())
    made = {box for box, found in kinds.items() if ChangeKind.CREATE in found}
    updated = [box for box in kinds if box in there and box not in made]
    return MailboxesChanged(
        now,
        [box for box in kinds if box in there and box in made],
        updated,
        [box for box in kinds if box not in there and box not in made],
        all(kinds[box] <= _OF_MESSAGES for box in updated),
    )
