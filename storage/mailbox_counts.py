"""Emails and threads of the mailboxes of an account, as JMAP counts them (RFC 8621 §2).

Copies with \\Deleted do not count, nor a second copy of a content in one mailbox; an Email is read
where any of its copies is. What is unread in the Trash alone makes no thread unread elsewhere, and
in the Trash nothing else does. Remembered until the next change of the account's mail. Between 2 ms
of work others run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from net.pacing import Slices
from storage.mail_query.table import Table
from storage.mail_query.tables import Scope, Tables
from storage.values import AccountId, MailboxId, System

_CAPACITY: Final = 1_000
_BLOCK: Final = 10_000
_READ: Final = System.SEEN | System.DRAFT


@dataclass(slots=True)
class Counts:
    """Of one mailbox."""

    emails: int = 0
    unread_emails: int = 0
    threads: int = 0
    unread_threads: int = 0


@dataclass(slots=True)
class _Box:
    """What is found of a mailbox."""

    counts: Counts = field(default_factory=Counts)
    threads: set[int] = field(default_factory=set)


class MailboxCounts:
    """By account; the loop's thread only."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: LRUCache[AccountId, tuple[int, Mapping[MailboxId, Counts]]] = LRUCache(
            _CAPACITY
        )

    async def of(
        self, account: AccountId, modseq: int, trash: MailboxId | None
    ) -> Mapping[MailboxId, Counts]:
        """As of `modseq` or later; `trash` is the mailbox with the role."""
        known = self._known.get(account)
        if known is not None and known[0] == modseq:
            return known[1]
        table = await self._tables.table(Scope(account), threads=True)
        found = await counted(table, trash)
        self._known[account] = (modseq, found)
        return found


async def counted(table: Table, trash: MailboxId | None) -> dict[MailboxId, Counts]:
    """Of the mailboxes that have Emails."""
    rows, pause = table.rows, Slices()
    boxes: dict[MailboxId, _Box] = {}
    unread_here, unread_in_trash = set[int](), set[int]()
    for start in range(0, len(rows), _BLOCK):
        end = min(start + _BLOCK, len(rows))
        columns = (rows.boxes[start:end], rows.flags[start:end], rows.threads[start:end])
        for held, flags, thread in zip(*columns, strict=True):
            places = [boxes.setdefault(box, _Box()) for box in table.boxes.values[held]]
            for place in places:
                place.counts.emails += 1
                place.threads.add(thread)
            if table.flags.values[flags].system & _READ:
                continue
            for place in places:
                place.counts.unread_emails += 1
            _note_unread(table.boxes.values[held], trash, thread, unread_here, unread_in_trash)
        await pause()
    for box, found in boxes.items():
        found.counts.threads = len(found.threads)
        unread = unread_in_trash if box == trash else unread_here
        found.counts.unread_threads = len(found.threads & unread)
        await pause()
    return {box: found.counts for box, found in boxes.items()}


def _note_unread(
    boxes: Iterable[MailboxId],
    trash: MailboxId | None,
    thread: int,
    here: set[int],
    in_trash: set[int],
) -> None:
    for box in boxes:
        (in_trash if box == trash else here).add(thread)
