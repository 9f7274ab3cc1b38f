"""Searches over the Emails of an account: the one way for JMAP and REST.

A result is the order of all Emails that match, and the change up to which it is true. One that was
found before is brought up to date by what changed since, which costs little whatever its size.
"""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from net.pacing import Slices
from storage.database import Database
from storage.email_changes import Point, email_changes
from storage.errors import StoreUnavailable, TooOld
from storage.mail_query.conditions import MailQuery, octets_of
from storage.mail_query.evaluate import Evaluation
from storage.mail_query.filled import Filler
from storage.mail_query.table import Table
from storage.mail_query.tables import Scope, Tables
from storage.mail_query.texts import Covered, Texts
from storage.values import AccountId, BlobId

_FEW: Final = 2_000
"""Emails whose changes are put into an earlier result; with more it is found anew."""

SECONDS: Final = 60.0
"""A search that takes longer is given up; what it read of messages is known to the next one."""

_CHANGES: Final = 20_000
_BLOCK: Final = 20_000
_EACH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """Emails by blob, in order, as of the change `modseq` or a later one."""

    blobs: "array[int]"
    modseq: int


class MailSearch:
    """Of a store; results of `most` octets are kept to be brought up to date. The loop's thread
    only.
    """

    def __init__(self, database: Database, tables: Tables, texts: Texts, most: int) -> None:
        self._most = most
        self._database, self._tables = database, tables
        self._texts, self._filler = texts, Filler(texts)
        self._covered: WeakKeyDictionary[Table, Covered] = WeakKeyDictionary()
        self._last: OrderedDict[tuple[Scope, MailQuery], Found] = OrderedDict()
        self._octets = 0

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        self._tables.forget(account)
        for asked in [asked for asked in self._last if asked[0].account == account]:
            self._octets -= _octets(asked[1], self._last.pop(asked))

    async def find(self, scope: Scope, query: MailQuery) -> Found:
        """All Emails that match. Raises NoSuchAccount, StoreUnavailable."""
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._find(scope, query, self._last.get((scope, query)))
        except TimeoutError:
            raise StoreUnavailable("the search takes too long") from None
        before = self._last.pop((scope, query), None)
        self._octets -= 0 if before is None else _octets(query, before)
        self._last[scope, query] = found
        self._octets += _octets(query, found)
        while self._octets > self._most and len(self._last) > 1:
            (_, asked), gone = self._last.popitem(last=False)
            self._octets -= _octets(asked, gone)
        return found

    async def _find(self, scope: Scope, query: MailQuery, before: Found | None) -> Found:
        table = await self._tables.table(scope, threads=query.by_thread)
        modseq = table.modseq
        evaluation = self._evaluation(scope, table)
        if before is not None:
            renewed = await self._renewed(scope, table, evaluation, query, before)
            if renewed is not None:
                return Found(renewed, modseq)
        found = await evaluation.matching(query.condition, await evaluation.every())
        order = await evaluation.ordered(query, found)
        return Found(await evaluation.blobs(order), modseq)

    async def touched(self, scope: Scope, query: MailQuery, since: int) -> set[BlobId] | None:
        """Emails that may have come into the result, left it or moved since a modseq; more than
        these never. None where the journal does not reach back so far. Raises NoSuchAccount.
        """
        table = await self._tables.table(scope, threads=query.by_thread)
        changed = self._tables.changed(scope, since)
        threads: frozenset[int] = frozenset()
        if since > table.modseq:
            return None
        if changed is None:
            try:
                found = await email_changes(self._database, scope.account, Point(since), _CHANGES)
            except TooOld:
                return None
            if found.has_more:
                return None
            changed = {*found.created, *found.updated, *found.destroyed}
            threads = found.threads
        if query.by_thread:
            evaluation = self._evaluation(scope, table)
            changed |= await self._mates(evaluation, table, changed, threads)
        return changed

    def _evaluation(self, scope: Scope, table: Table) -> Evaluation:
        covered = self._covered.setdefault(table, Covered())
        return Evaluation(scope.account, table, covered, self._texts, self._filler)

    async def _mates(
        self,
        evaluation: Evaluation,
        table: Table,
        blobs: Collection[BlobId],
        threads: Collection[int] = (),
    ) -> set[BlobId]:
        """All Emails of the threads of these."""
        rows = table.rows
        places = [rows.place(blob) for blob in blobs]
        wanted = {rows.threads[at] for at in places if at >= 0}.union(threads) - {0}
        return {BlobId(rows.blobs[at]) for at in await evaluation.in_threads(wanted)}

    async def _renewed(
        self,
        scope: Scope,
        table: Table,
        evaluation: Evaluation,
        query: MailQuery,
        before: Found,
    ) -> "array[int] | None":
        """The earlier result with what changed since; None where that is too much."""
        turns = table.turns
        changed = self._tables.changed(scope, before.modseq)
        if changed is None or len(changed) > _FEW:
            return None
        if not changed:
            return before.blobs
        rows, touched = table.rows, set(changed)
        if query.by_thread:
            touched |= await self._mates(evaluation, table, changed)
        places = sorted(at for at in map(rows.place, touched) if at >= 0 and rows.boxes[at])
        matching = await evaluation.matching(query.condition, places)
        fresh = await evaluation.ordered(query, matching)
        kept = await _without(before.blobs, touched)
        precedes = await evaluation.precedes(query)
        found = await _merged(kept, [rows.blobs[at] for at in fresh], rows.place, precedes)
        # what was compared may have changed, and rows that moved show others a wrong place
        return found if table.turns == turns else None


def _octets(query: MailQuery, found: Found) -> int:
    """Of what is kept of a search, about."""
    return _EACH + octets_of(query.condition) + 8 * len(found.blobs)


async def _without(blobs: "array[int]", gone: set[BlobId]) -> "array[int]":
    kept, pause = array("q"), Slices()
    for start in range(0, len(blobs), _BLOCK):
        block = blobs[start : start + _BLOCK]
        if gone.isdisjoint(block):
            kept.extend(block)
        else:
            kept.extend([blob for blob in block if blob not in gone])
        await pause()
    return kept


async def _merged(
    kept: "array[int]",
    fresh: Sequence[int],
    place: Callable[[int], int],
    precedes: Callable[[int, int], bool],
) -> "array[int]":
    """Two results in one order as one."""
    found, done, pause = array("q"), 0, Slices()
    for blob in fresh:
        at, low, high = place(blob), done, len(kept)
        while low < high:
            middle = (low + high) // 2
            if precedes(at, place(kept[middle])):
                high = middle
            else:
                low = middle + 1
        found.extend(kept[done:low])
        found.append(blob)
        done = low
        await pause()
    found.extend(kept[done:])
    return found
