"""Emails and threads of the mailboxes of an account, as JMAP counts them (RFC 8621 §2).

Copies with \\Deleted do not count, nor a second copy of a content in one mailbox. What is unread in
the Trash alone makes no thread unread elsewhere, and in the Trash nothing else does. Remembered
until the next change of the account's mail.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache
from sqlalchemy import bindparam, case, distinct, func, select

from storage.database import Database
from storage.schema import message
from storage.statements import Query
from storage.values import AccountId, MailboxId, System

_CAPACITY: Final = 1_000
_m = message.c
_READ: Final = int(System.SEEN | System.DRAFT)
_UNREAD = case((_m.flags.op("&")(_READ) == 0, _m.blob))
_COUNTS = Query(
    lambda _: (
        select(
            _m.mailbox,
            _m.thread,
            func.count(distinct(_m.blob)),
            func.count(distinct(_UNREAD)),
        )
        .where(
            _m.account == bindparam("account"),
            _m.flags.op("&")(int(System.DELETED)) == 0,
        )
        .group_by(_m.mailbox, _m.thread)
    )
)


@dataclass(slots=True)
class Counts:
    """Of one mailbox."""

    emails: int = 0
    unread_emails: int = 0
    threads: int = 0
    unread_threads: int = 0


class MailboxCounts:
    """By account; the loop's thread only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: LRUCache[AccountId, tuple[int, Mapping[MailboxId, Counts]]] = LRUCache(
            _CAPACITY
        )

    async def of(
        self, account: AccountId, modseq: int, trash: MailboxId | None
    ) -> Mapping[MailboxId, Counts]:
        """As of `modseq` or later; `trash` is the mailbox with the role. Every message must have
        its thread.
        """
        known = self._known.get(account)
        if known is not None and known[0] == modseq:
            return known[1]
        rows = await self._database.fetch(_COUNTS, account=account)
        found = _counted([(MailboxId(box), *rest) for box, *rest in rows], trash)
        self._known[account] = (modseq, found)
        return found


def _counted(
    rows: list[tuple[MailboxId, int, int, int]], trash: MailboxId | None
) -> dict[MailboxId, Counts]:
    counts: dict[MailboxId, Counts] = defaultdict(Counts)
    unread_here, unread_in_trash = set[int](), set[int]()
    for box, thread, emails, unread in rows:
        one = counts[box]
        one.emails += emails
        one.unread_emails += unread
        one.threads += 1
        if unread:
            (unread_in_trash if box == trash else unread_here).add(thread)
    for box, thread, _, _ in rows:
        if thread in (unread_in_trash if box == trash else unread_here):
            counts[box].unread_threads += 1
    return dict(counts)
