"""What was learned of which message, by account and by the administrator: the classifier is made of
this, and can be made of it again.

Invariants: a message counts once and under one label, so that teaching it twice changes nothing and
another label first takes the former one back; lessons, totals and the watermark of the journal go
into one transaction. Not every lesson of an account counts site-wide: `_may_vote`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.history_database import HistoryDatabase
from storage.spam_rows import (
    EXAMPLE,
    Record,
    example_of,
    read_known,
    read_records,
    read_totals,
    write_marks,
    write_records,
    write_totals,
)
from storage.spam_tables import followed, message, total, weights
from storage.spam_values import (
    RULES,
    SITE,
    UNTAUGHT,
    Counts,
    Example,
    Known,
    Label,
    Lesson,
    Step,
    Totals,
)
from storage.values import AccountId

FREE_VOTES = 20
"""Messages of each kind that any account may teach the site."""
TIMES_OTHERS = 1.5
"""Above that: so many times what other accounts taught it on average."""
DAY = 86_400.0
PAGE = 100
_m, _t = message.c, total.c


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many learned messages are kept of an account, and of the administrator; how many others
    are remembered, and for how many seconds.
    """

    learned: int = 2_000
    site: int = 20_000
    unlearned: int = 10_000
    unlearned_seconds: float = 200 * DAY


Taught = tuple[AccountId, bytes]
"""Who taught a message, and its key."""


@dataclass(slots=True)
class Plan:
    """What is to be written for one owner, and the steps that are still to be weighed: the caller
    gives each its `site_step` and `own_step`, in order.
    """

    owner: AccountId
    records: dict[bytes, Record]
    own: Totals
    site: Totals
    others: int
    """How many other accounts taught the site."""
    watermark: int | None = None
    steps: list[Step] = field(default_factory=list)


class SpamLessons:
    """Belongs to the history database."""

    def __init__(
        self, history: HistoryDatabase, clock: Clock, bounds: Bounds | None = None
    ) -> None:
        self._history, self._clock = history, clock
        self.bounds = bounds or Bounds()

    async def totals(self, owner: AccountId) -> Totals:
        """How much was learned."""
        async with self._history.reading() as connection:
            return await read_totals(connection, owner)

    async def owners(self) -> list[AccountId]:
        """Accounts that have taught something."""
        query = select(_t.owner).where(_t.owner > 0, _t.spam + _t.ham > 0)
        async with self._history.reading() as connection:
            return [AccountId(owner) for (owner,) in await connection.execute(query)]

    async def known(self, owner: AccountId, keys: Sequence[bytes]) -> dict[bytes, Known]:
        """What is remembered of messages; those never met are left out."""
        async with self._history.reading() as connection:
            return await read_known(connection, owner, keys)

    async def watermark(self, account: AccountId) -> int | None:
        """Up to which modseq the account's journal was followed; None before the first time."""
        query = select(followed.c.modseq).where(followed.c.account == account)
        async with self._history.reading() as connection:
            found: int | None = (await connection.execute(query)).scalar()
        return found

    async def examples(
        self, owner: AccountId
    ) -> AsyncIterator[list[tuple[AccountId, bytes, Example]]]:
        """What an account has learned, in order of keys; of SITE: all that counts site-wide, with
        who taught it.
        """
        mine = _m.site if owner == SITE else _m.owner == owner
        after = (int(RULES) - 1, b"")
        while True:
            query = (
                select(_m.owner, _m.key, *EXAMPLE)
                .where(mine, _m.learned != 0)
                .where((_m.owner > after[0]) | ((_m.owner == after[0]) & (_m.key > after[1])))
                .order_by(_m.owner, _m.key)
                .limit(PAGE)
            )
            async with self._history.reading() as connection:
                rows = (await connection.execute(query)).all()
            if not rows:
                return
            after = (rows[-1][0], bytes(rows[-1][1]))
            yield [(AccountId(voter), bytes(key), example_of(*rest)) for voter, key, *rest in rows]

    async def example(self, owner: AccountId, key: bytes) -> Example | None:
        """What was learned of one message."""
        async with self._history.reading() as connection:
            record = (await read_records(connection, owner, [key])).get(key)
        return None if record is None or not record.known.learned else record.example

    async def restep(self, owner: AccountId, steps: Mapping[Taught, int]) -> None:
        """Other steps for messages that are learned: those of the site for SITE, by whom they were
        taught and their keys; else the owner's own. Raises StoreError.
        """
        await self._history.finish(self._restep(owner, steps))

    async def mark(self, marks: Mapping[AccountId, int]) -> None:
        """Watermarks alone. Raises StoreError."""
        await self._history.finish(self._mark(marks))

    async def plan(
        self, owner: AccountId, lessons: Sequence[Lesson], watermark: int | None = None
    ) -> Plan:
        """What the lessons change, the last one of each message; written by `commit`, and nothing
        else may be planned in between. Raises StoreError.
        """
        keys = list({lesson.key for lesson in lessons})
        async with self._history.reading() as connection:
            records = await read_records(connection, owner, keys)
            own, site = await read_totals(connection, owner), await read_totals(connection, SITE)
        voted = owner != SITE and own.site != Counts()
        plan = Plan(owner, records, own, site, site.voters - voted, watermark)
        for lesson in {lesson.key: lesson for lesson in lessons}.values():
            _enter(plan, lesson)
        return plan

    async def commit(self, plan: Plan) -> None:
        """All in one transaction, finished even if the caller is cancelled. Raises StoreError."""
        await self._history.finish(self._commit(plan))

    async def weights(self, owner: AccountId, version: int) -> bytes | None:
        """The sums of all that was learned, if they were kept since the last lesson."""
        query = select(weights.c.data).where(weights.c.owner == owner, weights.c.version == version)
        async with self._history.reading() as connection:
            found = (await connection.execute(query)).scalar()
        return None if found is None else bytes(found)

    async def keep_weights(self, owner: AccountId, version: int, data: bytes) -> None:
        """They must be of all that is committed. Raises StoreError."""
        await self._history.finish(self._keep_weights(owner, version, data))

    async def forget(self, owner: AccountId, *, gone: bool = False) -> None:
        """Everything that was learned from an account; SITE: what the administrator taught, and
        that what accounts taught counts site-wide. Who follows a journal goes on from there, unless
        the account is `gone`.
        """
        await self._history.finish(self._forget(owner, gone))

    async def prune(self) -> None:
        """Forgets unlearned messages that are old or too many. Raises StoreError."""
        await self._history.finish(self._prune())

    async def excess(self) -> dict[AccountId, list[bytes]]:
        """The oldest of learned messages where there are too many: to be taken back. Neither kind
        makes the other one go below half of the bound.
        """
        found: dict[AccountId, list[bytes]] = {}
        sizes = (
            select(_m.owner, _m.learned, func.count())
            .where(_m.learned != 0)
            .group_by(_m.owner, _m.learned)
        )
        async with self._history.reading() as connection:
            counts: dict[int, dict[int, int]] = {}
            for owner, learned, count in await connection.execute(sizes):
                counts.setdefault(owner, {})[learned] = count
            for owner, of in counts.items():
                bound = self.bounds.learned if owner else self.bounds.site
                for learned, count in of.items():
                    many = count - max(bound // 2, bound - (sum(of.values()) - count))
                    if many > 0:
                        oldest = (
                            select(_m.key)
                            .where(_m.owner == owner, _m.learned == learned)
                            .order_by(_m.at)
                            .limit(many)
                        )
                        keys = [bytes(key) for (key,) in await connection.execute(oldest)]
                        found.setdefault(AccountId(owner), []).extend(keys)
        return found

    async def _mark(self, marks: Mapping[AccountId, int]) -> None:
        async with self._history.writing() as connection:
            await write_marks(connection, marks)

    async def _restep(self, owner: AccountId, steps: Mapping[Taught, int]) -> None:
        column = _m.site_step if owner == SITE else _m.own_step
        change = (
            update(message)
            .where(_m.owner == bindparam("voter"), _m.key == bindparam("which"))
            .values({column: bindparam("step")})
        )
        rows = [
            {"voter": voter, "which": key, "step": step} for (voter, key), step in steps.items()
        ]
        async with self._history.writing() as connection:
            await connection.execute(delete(weights).where(weights.c.owner == owner))
            if rows:
                await connection.execute(change, rows)

    async def _keep_weights(self, owner: AccountId, version: int, data: bytes) -> None:
        async with self._history.writing() as connection:
            await connection.execute(delete(weights).where(weights.c.owner == owner))
            row = {"owner": owner, "version": version, "data": data}
            await connection.execute(weights.insert().values(row))

    async def _commit(self, plan: Plan) -> None:
        for step in plan.steps:
            plan.records[step.key] = replace(plan.records[step.key], example=step.after)
        async with self._history.writing() as connection:
            await write_records(connection, plan.owner, plan.records, self._clock.now())
            if plan.steps:
                stale = weights.c.owner.in_((plan.owner, SITE))
                await connection.execute(delete(weights).where(stale))
                await write_totals(connection, SITE, plan.site)
                if plan.owner != SITE:
                    await write_totals(connection, plan.owner, plan.own)
            if plan.watermark is not None:
                await write_marks(connection, {plan.owner: plan.watermark})

    async def _forget(self, owner: AccountId, gone: bool) -> None:
        async with self._history.writing() as connection:
            own, site = await read_totals(connection, owner), await read_totals(connection, SITE)
            what = (_m.owner == owner,) if gone else (_m.owner == owner, _m.learned != 0)
            await connection.execute(delete(message).where(*what))
            await connection.execute(delete(weights).where(weights.c.owner.in_((owner, SITE))))
            if gone:
                await connection.execute(delete(followed).where(followed.c.account == owner))
            if owner != SITE:
                await connection.execute(delete(total).where(_t.owner == owner))
                await write_totals(connection, SITE, replace(site, own=_less(site.own, own.site)))
                return
            await connection.execute(update(message).values(site=False, site_step=0))
            await connection.execute(update(total).values(site_spam=0, site_ham=0))
            await write_totals(connection, SITE, Totals())

    async def _prune(self) -> None:
        bounds = self.bounds
        async with self._history.writing() as connection:
            old = _m.at < self._clock.now() - bounds.unlearned_seconds
            await connection.execute(delete(message).where(old, _m.learned == 0))
            sizes = select(_m.owner, func.count()).where(_m.learned == 0).group_by(_m.owner)
            for owner, count in (await connection.execute(sizes)).all():
                if count > bounds.unlearned:
                    await _drop_oldest(connection, owner, bounds.unlearned)


def _enter(plan: Plan, lesson: Lesson) -> None:
    old = plan.records.get(lesson.key, Record())
    label = old.example.label if lesson.label is None else lesson.label
    example = old.example
    if label is not old.example.label:
        _count(plan, old.example, -1)
        example = UNTAUGHT
        if label is not Label.NONE:
            example = Example(label, lesson.features, _may_vote(plan, label))
        _count(plan, example, 1)
        plan.steps.append(Step(lesson.key, old.example, example))
    plan.records[lesson.key] = Record(replace(lesson.known, learned=label), example)


def _may_vote(plan: Plan, label: Label) -> bool:
    """Whether a message that an account teaches counts site-wide: an account that teaches far more
    than others do so for itself alone. The administrator always may.
    """
    if plan.owner == SITE:
        return True
    mine = _of(plan.own.site, label)
    if mine < FREE_VOTES:
        return True
    taught = _of(plan.site.site, label) - mine
    return plan.others > 0 and mine < TIMES_OTHERS * taught / plan.others


def _count(plan: Plan, example: Example, by: int) -> None:
    """Adds a learned message to the totals, or takes it from them."""
    label = example.label
    if label is Label.NONE:
        return
    if plan.owner != SITE:
        plan.own = replace(plan.own, own=_plus(plan.own.own, label, by))
    if example.site:
        plan.site = replace(plan.site, own=_plus(plan.site.own, label, by))
        if plan.owner != SITE:
            plan.own = replace(plan.own, site=_plus(plan.own.site, label, by))
            plan.site = replace(plan.site, site=_plus(plan.site.site, label, by))


def _of(counts: Counts, label: Label) -> int:
    return counts.spam if label is Label.SPAM else counts.ham


def _plus(counts: Counts, label: Label, by: int) -> Counts:
    if label is Label.SPAM:
        return Counts(max(0, counts.spam + by), counts.ham)
    return Counts(counts.spam, max(0, counts.ham + by))


def _less(counts: Counts, gone: Counts) -> Counts:
    return Counts(max(0, counts.spam - gone.spam), max(0, counts.ham - gone.ham))


async def _drop_oldest(connection: AsyncConnection, owner: int, keep: int) -> None:
    mine = (_m.owner == owner, _m.learned == 0)
    newest = select(_m.at).where(*mine).order_by(_m.at.desc()).offset(keep).limit(1)
    edge = (await connection.execute(newest)).scalar_one()
    await connection.execute(delete(message).where(*mine, _m.at <= edge))
