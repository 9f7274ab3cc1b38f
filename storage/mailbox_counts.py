"""Emails and threads of the mailboxes of an account, as JMAP counts them (RFC 8621 §2).

Copies with \\Deleted do not count, nor a second copy of a content in one mailbox; an Email is read
where any of its copies is. What is unread in the Trash alone makes no thread unread elsewhere, and
in the Trash nothing else does. Remembered until the next change of the account's mail. Between 2 ms
of work others run.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from net.pacing import Slices
from storage.mail_query.table import Table
from storage.mail_query.tables import Scope, Tables
from storage.values import AccountId, MailboxId, System

_CAPACITY: Final = 1_000
_BLOCK: Final = 5_000
_READ: Final = System.SEEN | System.DRAFT


@dataclass(slots=True)
class Counts:
    """Of one mailbox."""

    emails: int = 0
    unread_emails: int = 0
    threads: int = 0
    unread_threads: int = 0


@dataclass(slots=True)
class _Alike:
    """Emails that are in the same mailboxes."""

    emails: int = 0
    unread: int = 0
    threads: set[int] = field(default_factory=set)
    unread_threads: set[int] = field(default_factory=set)


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
    groups: defaultdict[int, _Alike] = defaultdict(_Alike)
    for start in range(0, len(rows), _BLOCK):
        end = min(start + _BLOCK, len(rows))
        read = [bool(flags.system & _READ) for flags in table.flags.values]
        columns = (rows.boxes[start:end], rows.flags[start:end], rows.threads[start:end])
        for held, flags, thread in zip(*columns, strict=True):
            group = groups[held]
            group.emails += 1
            group.threads.add(thread)
            if not read[flags]:
                group.unread += 1
                group.unread_threads.add(thread)
        await pause()
    of_box: defaultdict[MailboxId, list[_Alike]] = defaultdict(list)
    unread_here, unread_in_trash = set[int](), set[int]()
    for number, group in groups.items():
        boxes = table.boxes.values[number]
        for box in boxes:
            of_box[box].append(group)
        if trash in boxes:
            unread_in_trash |= group.unread_threads
        if boxes - {trash}:
            unread_here |= group.unread_threads
        await pause()
    found: dict[MailboxId, Counts] = {}
    for box, alike in of_box.items():
        threads = alike[0].threads if len(alike) == 1 else set().union(*(a.threads for a in alike))
        unread = unread_in_trash if box == trash else unread_here
        found[box] = Counts(
            sum(group.emails for group in alike),
            sum(group.unread for group in alike),
            len(threads),
            len(threads & unread),
        )
        await pause()
    return found
