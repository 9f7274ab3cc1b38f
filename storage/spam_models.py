"""The learned classifier's counts, site-wide and by account, and what was learned of which message.

Invariants: a message counts once and under one label, so that teaching it twice changes nothing and
another label first takes the former one back, feature by feature; lessons, counts and the watermark
of the journal go into one transaction. The site-wide model is guarded: see `_may_vote`, and
`several` of storage/spam_tables.py.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import BigInteger, bindparam, cast, delete, func, select, true, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.history_database import HistoryDatabase
from storage.spam_rows import Change, Record, read_records, write_changes, write_records
from storage.spam_tables import feature, followed, message, total
from storage.spam_values import NOTHING, SITE, Counts, Known, Label, Lesson, Rows, Totals
from storage.statements import Query, id_list
from storage.values import AccountId

FREE_VOTES = 25
"""Messages of each kind that any account may teach the site."""
TIMES_OTHERS = 4
"""Above that: so many times what other accounts taught it on average."""
DAY = 86_400.0
_f, _t = feature.c, total.c


def _counts(among: Any) -> Any:
    here = select(_f.owner, _f.feature, _f.spam, _f.ham)
    wanted = among(_f.feature, "features")
    site = here.where(_f.owner == int(SITE), wanted, _f.several == true())
    own = here.where(_f.owner == cast(bindparam("owner"), BigInteger), wanted)
    return union_all(site, own)


_ROWS = Query(_counts)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many features the site and an account may have, how many messages are remembered for an
    account, and for how many seconds those that were never learned.
    """

    site_features: int = 1_000_000
    account_features: int = 200_000
    messages: int = 10_000
    unlearned: float = 200 * DAY


@dataclass(slots=True)
class _Book:
    """One transaction's work for one owner."""

    owner: AccountId
    records: dict[bytes, Record]
    own: Totals
    site: Totals
    others: int
    """How many other accounts taught the site."""
    changes: Change = field(default_factory=dict)
    site_changes: Change = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taught:
    """What one `teach` changed: how many messages were learned or taken back, how many of those
    learned count site-wide, and the features whose counts are others now.
    """

    learned: int
    taken_back: int
    site: int
    features: frozenset[int]


class SpamModels:
    """Belongs to the history database."""

    def __init__(
        self, history: HistoryDatabase, clock: Clock, bounds: Bounds | None = None
    ) -> None:
        self._history, self._clock = history, clock
        self.bounds = bounds or Bounds()

    async def rows(self, owner: AccountId, features: Iterable[int]) -> tuple[Rows, Rows]:
        """The counts of the site, and of an account (none for SITE). One statement."""
        async with self._history.reading() as connection:
            dialect = connection.dialect
            wanted = id_list(dialect.name, features)
            params = {"owner": int(owner) or -1, "features": wanted}
            found: Any = await connection.exec_driver_sql(*_ROWS.text(dialect, params))
            site: dict[int, tuple[int, int]] = {}
            own: dict[int, tuple[int, int]] = {}
            for whose, number, spam, ham in found:
                (own if whose else site)[number] = (spam, ham)
        return site, own

    async def totals(self, owner: AccountId) -> Totals:
        """How much was learned."""
        async with self._history.reading() as connection:
            return await _totals(connection, owner)

    async def known(self, owner: AccountId, keys: Sequence[bytes]) -> dict[bytes, Known]:
        """What is remembered of messages; those never met are left out."""
        async with self._history.reading() as connection:
            found = await read_records(connection, owner, keys)
        return {key: record.known for key, record in found.items()}

    async def watermark(self, account: AccountId) -> int | None:
        """Up to which modseq the account's journal was followed; None before the first time."""
        query = select(followed.c.modseq).where(followed.c.account == account)
        async with self._history.reading() as connection:
            found: int | None = (await connection.execute(query)).scalar()
        return found

    async def mark(self, marks: Mapping[AccountId, int]) -> None:
        """Watermarks alone. Raises StoreError."""
        await self._history.finish(self._mark(marks))

    async def teach(
        self, owner: AccountId, lessons: Sequence[Lesson], watermark: int | None = None
    ) -> Taught:
        """All in one transaction, finished even if the caller is cancelled. Raises StoreError."""
        return await self._history.finish(self._teach(owner, lessons, watermark))

    async def forget(self, owner: AccountId) -> None:
        """Everything that was learned from an account, also what of it counts site-wide; SITE: the
        whole site-wide model, while accounts keep their own.
        """
        await self._history.finish(self._forget(owner))

    async def prune(self) -> int:
        """Removes rare old features above the bounds, and messages that are old or too many; how
        many rows went. Raises StoreError.
        """
        return await self._history.finish(self._prune())

    async def _mark(self, marks: Mapping[AccountId, int]) -> None:
        async with self._history.writing() as connection:
            await _follow(connection, marks)

    async def _teach(
        self, owner: AccountId, lessons: Sequence[Lesson], watermark: int | None
    ) -> Taught:
        async with self._history.writing() as connection:
            keys = list({lesson.key for lesson in lessons})
            records = await read_records(connection, owner, keys)
            own, site = await _totals(connection, owner), await _totals(connection, SITE)
            voted = own.site != Counts()
            book = _Book(owner, records, own, site, site.voters - voted)
            done = _entered(book, lessons)
            await self._write(connection, book, keys)
            if watermark is not None:
                await _follow(connection, {owner: watermark})
        return done

    async def _write(self, connection: AsyncConnection, book: _Book, keys: list[bytes]) -> None:
        day = int(self._clock.now() / DAY)
        if book.owner != SITE:
            await write_changes(connection, book.owner, book.owner, book.changes, day)
        await write_changes(connection, SITE, book.owner, book.site_changes, day)
        records = {key: book.records[key] for key in keys if key in book.records}
        await write_records(connection, book.owner, records, self._clock.now())
        if book.changes or book.site_changes:
            if book.owner != SITE:
                await _put_totals(connection, book.owner, book.own)
            await _put_totals(connection, SITE, book.site)

    async def _forget(self, owner: AccountId) -> None:
        async with self._history.writing() as connection:
            if owner == SITE:
                await connection.execute(delete(feature).where(_f.owner == SITE))
                await connection.execute(delete(total).where(_t.owner == SITE))
                await connection.execute(delete(message).where(message.c.owner == SITE))
                none = {"site_spam": 0, "site_ham": 0}
                await connection.execute(total.update().values(none))
                await connection.execute(message.update().values(site=False))
                return
            query = select(message.c.key).where(message.c.owner == owner, message.c.learned != 0)
            keys = [key for (key,) in await connection.execute(query)]
        for start in range(0, len(keys), 100):
            piece = [Lesson(key, NOTHING, Label.NONE) for key in keys[start : start + 100]]
            await self._teach(owner, piece, None)
        async with self._history.writing() as connection:
            await connection.execute(delete(feature).where(_f.owner == owner))
            await connection.execute(delete(total).where(_t.owner == owner))
            await connection.execute(delete(message).where(message.c.owner == owner))

    async def _prune(self) -> int:
        gone = 0
        async with self._history.writing() as connection:
            sizes = select(_f.owner, func.count()).group_by(_f.owner)
            for owner, count in (await connection.execute(sizes)).all():
                bounds = self.bounds
                room = bounds.account_features if owner else bounds.site_features
                gone += await _prune_features(connection, owner, count - room)
            old = message.c.at < self._clock.now() - self.bounds.unlearned
            done = await connection.execute(delete(message).where(old, message.c.learned == 0))
            gone += done.rowcount
            numbers = select(message.c.owner, func.count()).group_by(message.c.owner)
            for owner, count in (await connection.execute(numbers)).all():
                if count > self.bounds.messages:
                    gone += await _prune_messages(connection, owner, self.bounds.messages)
        return gone


def _entered(book: _Book, lessons: Sequence[Lesson]) -> Taught:
    learned = taken_back = site = 0
    for lesson in lessons:
        old = book.records.get(lesson.key, Record())
        label = old.known.learned if lesson.label is None else lesson.label
        record = replace(old, known=replace(lesson.known, learned=label))
        if label is not old.known.learned:
            taken_back += old.known.learned is not Label.NONE
            _count(book, old, -1)
            votes = label is not Label.NONE and _may_vote(book, label)
            features = array("I", sorted(set(lesson.features))) if label else array("I")
            record = replace(record, site=votes, features=features)
            _count(book, record, 1)
            learned += label is not Label.NONE
            site += votes
        book.records[lesson.key] = record
    return Taught(learned, taken_back, site, frozenset({*book.changes, *book.site_changes}))


def _may_vote(book: _Book, label: Label) -> bool:
    """Whether a message that an account teaches counts site-wide: an account that teaches far more
    than others do so for itself alone. The administrator always may.
    """
    if book.owner == SITE:
        return True
    mine = _of(book.own.site, label)
    if mine < FREE_VOTES:
        return True
    taught = _of(book.site.site, label) - mine
    return book.others > 0 and mine < TIMES_OTHERS * taught / book.others


def _count(book: _Book, record: Record, by: int) -> None:
    """Adds a learned message to the counts, or takes it from them."""
    label = record.known.learned
    if label is Label.NONE:
        return
    column = 0 if label is Label.SPAM else 1
    if book.owner != SITE:
        _add(book.changes, record.features, column, by)
        book.own = replace(book.own, own=_plus(book.own.own, label, by))
    if record.site:
        _add(book.site_changes, record.features, column, by)
        book.site = replace(book.site, own=_plus(book.site.own, label, by))
        if book.owner != SITE:
            book.own = replace(book.own, site=_plus(book.own.site, label, by))
            book.site = replace(book.site, site=_plus(book.site.site, label, by))


def _add(changes: Change, features: "array[int]", column: int, by: int) -> None:
    for number in features:
        changes.setdefault(number, [0, 0])[column] += by


def _of(counts: Counts, label: Label) -> int:
    return counts.spam if label is Label.SPAM else counts.ham


def _plus(counts: Counts, label: Label, by: int) -> Counts:
    if label is Label.SPAM:
        return Counts(max(0, counts.spam + by), counts.ham)
    return Counts(counts.spam, max(0, counts.ham + by))


async def _totals(connection: AsyncConnection, owner: AccountId) -> Totals:
    query = select(_t.spam, _t.ham, _t.site_spam, _t.site_ham).where(_t.owner == owner)
    row = (await connection.execute(query)).first()
    spam, ham, site_spam, site_ham = row or (0, 0, 0, 0)
    if owner != SITE:
        return Totals(Counts(spam, ham), Counts(site_spam, site_ham))
    votes = select(func.count(), func.sum(_t.site_spam), func.sum(_t.site_ham)).where(
        _t.owner != SITE, _t.site_spam + _t.site_ham > 0
    )
    voters, voted_spam, voted_ham = (await connection.execute(votes)).one()
    voted = Counts(int(voted_spam or 0), int(voted_ham or 0))
    return Totals(Counts(spam, ham), voted, voters)


async def _put_totals(connection: AsyncConnection, owner: AccountId, totals: Totals) -> None:
    postgres = connection.dialect.name == "postgresql"
    made = postgresql.insert(total) if postgres else sqlite.insert(total)
    votes = Counts() if owner == SITE else totals.site
    values = {
        "spam": totals.own.spam,
        "ham": totals.own.ham,
        "site_spam": votes.spam,
        "site_ham": votes.ham,
    }
    made = made.values(owner=owner, **values)
    await connection.execute(made.on_conflict_do_update(index_elements=[_t.owner], set_=values))


async def _follow(connection: AsyncConnection, marks: Mapping[AccountId, int]) -> None:
    postgres = connection.dialect.name == "postgresql"
    made = postgresql.insert(followed) if postgres else sqlite.insert(followed)
    made = made.on_conflict_do_update(
        index_elements=[followed.c.account], set_={"modseq": made.excluded.modseq}
    )
    rows = [{"account": account, "modseq": modseq} for account, modseq in marks.items()]
    await connection.execute(made, rows)


async def _prune_features(connection: AsyncConnection, owner: int, count: int) -> int:
    """The rarest ones, the oldest of them first."""
    if count <= 0:
        return 0
    rare = (
        select(_f.feature).where(_f.owner == owner).order_by(_f.spam + _f.ham, _f.day).limit(count)
    )
    gone = await connection.execute(delete(feature).where(_f.owner == owner, _f.feature.in_(rare)))
    return gone.rowcount


async def _prune_messages(connection: AsyncConnection, owner: int, keep: int) -> int:
    """What was learned of them stays learned, and can't be taken back."""
    newest = (
        select(message.c.at)
        .where(message.c.owner == owner)
        .order_by(message.c.at.desc())
        .offset(keep)
        .limit(1)
    )
    edge = (await connection.execute(newest)).scalar_one()
    gone = await connection.execute(
        delete(message).where(message.c.owner == owner, message.c.at <= edge)
    )
    return gone.rowcount
