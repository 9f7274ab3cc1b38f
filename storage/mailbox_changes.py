"""What became of an account's mailboxes since a modseq, as JMAP tells it (RFC 8621 §2.2).

A thread is unread in each mailbox that has a message of it, wherever the unread one is: so a change
of a message is one of all of these.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from storage.changes import Change, read_changes
from storage.copies import contents
from storage.database import Database
from storage.email_changes import MAX_ROWS, bounds
from storage.emails import mailboxes_of, threads_of
from storage.errors import TooOld
from storage.schema import ChangeKind
from storage.values import AccountId, MailboxId

_PIECE: Final = 1_000
_MOST: Final = 2_000
"""Messages whose threads are followed; with more, any mailbox may have changed."""
_OF_MESSAGES: Final = frozenset((ChangeKind.APPEND, ChangeKind.EXPUNGE, ChangeKind.FLAGS))


@dataclass(frozen=True, slots=True)
class MailboxesChanged:
    """Up to `modseq`. `counts_only`: of those updated nothing but numbers of messages changed."""

    modseq: int
    created: Sequence[MailboxId]
    updated: Sequence[MailboxId]
    destroyed: Sequence[MailboxId]
    counts_only: bool


@dataclass(slots=True)
class _Messages:
    """Those that changed: places and, of what is gone, threads."""

    uids: dict[MailboxId, set[int]] = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)
    count: int = 0

    def note(self, change: Change) -> None:
        if change.kind not in _OF_MESSAGES or self.count > _MOST:
            return
        self.count += len(change.uids)
        if self.count > _MOST:
            return
        if change.kind is not ChangeKind.EXPUNGE:
            self.uids.setdefault(change.mailbox, set()).update(change.uids)
        elif change.ids is not None:
            self.threads.update(thread for thread in change.ids[1::2] if thread)

    async def mailboxes(
        self, database: Database, account: AccountId, there: set[MailboxId]
    ) -> set[MailboxId]:
        """Those that have messages of the threads, among `there`."""
        if self.count > _MOST:
            return there
        threads = set(self.threads)
        for box, uids in self.uids.items():
            held = await contents(database, account, box, sorted(uids))
            threads |= await threads_of(database, account, sorted(held.values()))
        return await mailboxes_of(database, account, sorted(threads)) & there


async def mailboxes_changed(
    database: Database,
    account: AccountId,
    since: int,
    present: Callable[[], Awaitable[Sequence[MailboxId]]],
) -> MailboxesChanged:
    """`present` gives those that there are: it is asked after the journal, so that none of those
    told of is missing, and gives messages their threads. Raises TooOld, NoSuchAccount.
    """
    now, _ = await bounds(database, account)
    kinds: dict[MailboxId, set[ChangeKind]] = {}
    messages = _Messages()
    after, rows = since, 0
    while page := await read_changes(database, account, after, _PIECE):
        for change in page:
            if change.mailbox:
                kinds.setdefault(change.mailbox, set()).add(change.kind)
            messages.note(change)
        after = page[-1].modseq
        rows += len(page)
        if rows > MAX_ROWS:
            raise TooOld("too much has changed")
    _, floor = await bounds(database, account)
    if not floor <= since <= now:
        raise TooOld("the journal does not tell of it")
    there = set(await present())
    for box in await messages.mailboxes(database, account, there):
        kinds.setdefault(box, set()).add(ChangeKind.FLAGS)
    made = {box for box, found in kinds.items() if ChangeKind.CREATE in found}
    updated = [box for box in kinds if box in there and box not in made]
    return MailboxesChanged(
        now,
        [box for box in kinds if box in there and box in made],
        updated,
        [box for box in kinds if box not in there and box not in made],
        all(kinds[box] <= _OF_MESSAGES for box in updated),
    )
