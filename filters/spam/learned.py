"""The classifier as the server asks and teaches it: site-wide, and by account on top of that.

Invariants: what is in memory is what the committed lessons add up to; one teaches at a time; a
judgement waits for no lesson, and for SQL only where an account is not in memory. Sums are stored
when they have rested a while and at the end; after a kill they are made again of the lessons.
"""

import asyncio
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Final

from config.logging import Logger
from filters.spam import model
from filters.spam.memory import Memory, Own, signed, to_its_end
from filters.spam.weights import Weights
from net.threads import Busy, Offload
from storage.errors import StoreError
from storage.spam_lessons import Plan, SpamLessons, Taught
from storage.spam_values import (
    NOTHING,
    RULES,
    SITE,
    Counts,
    Example,
    Known,
    Label,
    Lesson,
    Step,
    Totals,
)
from storage.values import AccountId

ENOUGH: Final = 15
"""Messages of each kind before the classifier says anything, of site and account together."""
PULL: Final = 0.5
"""How far one message of an account moves the site's margin (filters/spam/model.py) at most."""
FIRM: Final = 1.0
PULL_AGAINST: Final = 0.05
"""The same where what several accounts taught puts the margin beyond FIRM on the other side."""
KEEP_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 30.0
LESSONS_TO_FIT: Final = 10
"""And a twentieth of all: then the lessons are weighed together."""
MOST_TO_FIT: Final = 50_000
"""More are not: their features alone would take some 300 MiB."""
PIECE: Final = 50


class Learned(Memory):
    """`start` before it is asked; `stop` stores what is in memory."""

    def __init__(self, lessons: SpamLessons, offload: Offload, log: Logger) -> None:
        super().__init__(lessons, offload)
        self._log = log
        self._since_fit: Counter[AccountId] = Counter()
        self._task: asyncio.Task[None] | None = None

    # Judging.

    async def probability(
        self, features: "array[int]", account: AccountId | None = None
    ) -> float | None:
        """That a message is spam, by what the site has learned, or the account too; None where
        that is not enough, or not at hand.
        """
        own = None
        if account is not None:
            try:
                own = await self._own(account)
            except StoreError as error:
                self._log.warning("judged without the account's lessons", reason=str(error))
        if self._loaded is None or not features or not self._is_enough(own):
            return None
        return model.probability(self._loaded.margin(features) + _own_margin(own, features))

    async def has_taught(self, account: AccountId) -> bool:
        """Whether the account's own lessons change a judgement. Raises StoreError."""
        own = await self._own(account)
        return own.weights is not None and own.share > 0

    async def totals(self, owner: AccountId = SITE) -> Totals:
        """How much was learned."""
        return await self._lessons.totals(owner)

    async def without(self, key: bytes, features: "array[int]", account: AccountId) -> float | None:
        """As `probability`, as if this message had not been learned: for grading."""
        await self.ready()
        own = await self._own(account)
        if not features or not self._is_enough(own):
            return None
        margin = self._site.margin(features) + _own_margin(own, features)
        for owner in (SITE, RULES, account):
            example = await self._lessons.example(owner, key)
            if example is not None:
                margin -= self._part(example, own.share if owner == account else 0.0)
        return model.probability(margin)

    def _part(self, example: Example, share: float) -> float:
        """What a message's own lesson is of its margin; `share` of its owner's own sums counts."""
        count = len(example.features)
        total = self._site.confirmed(example.features) * signed(example.label, example.site_step)
        total += round(share * count) * signed(example.label, example.own_step)
        return total / (model.SCALE * sqrt(count)) if count else 0.0

    def _is_enough(self, own: Own | None) -> bool:
        counts = own.counts if own is not None else Counts()
        spam, ham = self._totals.own.spam + counts.spam, self._totals.own.ham + counts.ham
        return spam >= ENOUGH and ham >= ENOUGH

    # Learning: what filters/spam/follower.py needs.

    async def known(self, owner: AccountId, keys: list[bytes]) -> dict[bytes, Known]:
        """As SpamLessons.known."""
        return await self._lessons.known(owner, keys)

    async def watermark(self, account: AccountId) -> int | None:
        """As SpamLessons.watermark."""
        return await self._lessons.watermark(account)

    async def mark(self, marks: Mapping[AccountId, int]) -> None:
        """As SpamLessons.mark."""
        await self._lessons.mark(marks)

    async def teach(
        self, owner: AccountId, lessons: Sequence[Lesson], watermark: int | None = None
    ) -> list[Step]:
        """Learns and takes back, durably; what changed. Raises StoreError."""
        await self.ready()
        async with self._teaching:
            plan = await self._lessons.plan(owner, lessons, watermark)
            own = await self._own(owner) if owner != SITE and plan.steps else None
            await to_its_end(self._learn(plan, own))
        if owner not in (SITE, RULES) and plan.steps:
            await self._correct(plan.steps)
        return plan.steps

    async def _learn(self, plan: Plan, own: Own | None) -> None:
        try:
            await self._weigh(plan, own)
            await self._lessons.commit(plan)
        except BaseException:
            await self._forget_memory(plan.owner)
            raise
        self._took(plan, own)

    async def _correct(self, steps: list[Step]) -> None:
        """A user says otherwise than rules did: what they taught is taken back."""
        said = {step.key: step.after.label for step in steps}
        known = await self._lessons.known(RULES, list(said))
        wrong = [
            Lesson(key, NOTHING, Label.NONE)
            for key, one in known.items()
            if one.learned is not said[key]
        ]
        if wrong:
            await self.teach(RULES, wrong)

    async def refit(self, owner: AccountId) -> int:
        """Weighs all lessons of the site (SITE), or of an account, anew and together: better than
        one by one, above all where many of one kind came in a row. How many there are. What
        accounts have taught stands on the site's, and follows it. Raises StoreError, Busy.
        """
        await self.ready()
        count = await self._refit(owner)
        if owner == SITE:
            for account in await self._lessons.owners():
                began = asyncio.get_running_loop().time()
                await self._refit(account)
                await asyncio.sleep(asyncio.get_running_loop().time() - began)
        return count

    async def _refit(self, owner: AccountId) -> int:
        async with self._teaching:
            known = (await self._lessons.totals(owner)).own
            if known.spam + known.ham > MOST_TO_FIT:
                self._log.warning("too many lessons to be weighed together", account=int(owner))
                self._since_fit.pop(owner, None)
                return known.spam + known.ham
            taught: list[Taught] = []
            messages: list[tuple[array[int], bool]] = []
            of_site: list[float] = []
            async for page in self._lessons.examples(owner):
                for voter, key, example in page:
                    taught.append((voter, key))
                    messages.append((example.features, example.label is Label.SPAM))
                    reached = 0.0 if owner == SITE else self._site.margin(example.features)
                    of_site.append(reached)
            steps = await self._offload.apart(_fitted, (messages, of_site))
            await to_its_end(self._restep(owner, dict(zip(taught, steps, strict=True))))
        return len(taught)

    async def _restep(self, owner: AccountId, steps: Mapping[Taught, int]) -> None:
        try:
            await self._lessons.restep(owner, steps)
            self._since_fit.pop(owner, None)
        finally:
            if owner == SITE:
                await self._forget_memory(owner)
            else:
                self._forget_own(owner)

    async def refit_due(self) -> None:
        """What has changed much since it was weighed. Raises StoreError, Busy."""
        for owner, count in sorted(self._since_fit.items()):  # the site first
            known = self._totals.own if owner == SITE else (await self._own(owner)).counts
            enough = max(LESSONS_TO_FIT, (known.spam + known.ham) / 20)
            if count >= enough and owner in self._since_fit:
                await self.refit(owner)

    async def forget(self, owner: AccountId, *, gone: bool = False) -> None:
        """As SpamLessons.forget. Raises StoreError."""
        async with self._teaching:
            await to_its_end(self._forget(owner, gone))

    async def _forget(self, owner: AccountId, gone: bool) -> None:
        taught = (await self._lessons.totals(owner)).own != Counts()
        try:
            await self._lessons.forget(owner, gone=gone)
            self._since_fit.pop(owner, None)
        finally:
            if taught and self._loaded is not None:
                await self._forget_memory(owner)
            else:
                self._forget_own(owner)

    async def prune(self) -> None:
        """Keeps within the bounds of storage. Raises StoreError."""
        await self._lessons.prune()
        for owner, keys in (await self._lessons.excess()).items():
            for start in range(0, len(keys), PIECE):
                gone = [Lesson(key, NOTHING, Label.NONE) for key in keys[start : start + PIECE]]
                await self.teach(owner, gone)

    # Memory.

    async def start(self) -> None:
        """Reads the site's sums, or has them made of the lessons."""
        await self.ready()
        self.begin()

    def begin(self) -> None:
        """The same without waiting: nothing is judged before they are there. After a kill that may
        take seconds.
        """
        self._task = asyncio.create_task(self._keep_at_times(), name="spam sums")

    async def stop(self) -> None:
        """Stores sums that changed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        try:
            await self.keep()
        except StoreError as error:
            self._log.warning("sums are made anew at the next start", reason=str(error))

    async def _keep_at_times(self) -> None:
        while True:
            try:
                await self.ready()
                await asyncio.sleep(KEEP_SECONDS)
                await self.prune()
                await self.refit_due()
                await self.keep()
            except (StoreError, Busy) as error:
                self._log.warning("sums are not stored", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                self._log.exception("sums are not stored")
                await asyncio.sleep(RETRY_SECONDS)

    async def _weigh(self, plan: Plan, own: Own | None) -> None:
        """Takes back, weighs and learns each step in memory, in order."""
        if own is not None and own.weights is None:
            own.weights = Weights()
        for step in plan.steps:
            self._apply(plan.owner, own, step.before, -1)
            step.after = self._weighed(step.after, own)
            self._apply(plan.owner, own, step.after, 1)
            await asyncio.sleep(0)

    def _weighed(self, example: Example, own: Own | None) -> Example:
        """With its steps: of the site by all that it was taught, of the account by what the site
        gets wrong.
        """
        if example.label is Label.NONE:
            return example
        features, spam = example.features, example.label is Label.SPAM
        if example.site:
            example = replace(example, site_step=self._site_step(features, spam, own is None))
        if own is not None and own.weights is not None:
            reached = self._site.margin(features) + own.weights.margin(features)
            example = replace(example, own_step=model.step_at(len(features), reached, spam))
        return example

    def _site_step(self, features: "array[int]", spam: bool, by_administrator: bool) -> int:
        """An account moves the site by little, and by next to nothing against what several others
        have taught.
        """
        step = model.step_at(len(features), self._site.margin_of_all(features), spam)
        if by_administrator:
            return step
        margin = self._site.margin(features)
        against = margin < -FIRM if spam else margin > FIRM
        pull = PULL_AGAINST if against else PULL
        return min(step, max(1, round(pull * model.SCALE / sqrt(max(1, len(features))))))

    def _apply(self, owner: AccountId, own: Own | None, example: Example, sign: int) -> None:
        if example.site:  # a step of 0 confirms what others taught
            by = sign * signed(example.label, example.site_step)
            self._site.teach(example.features, by, int(owner))
        if example.own_step and own is not None and own.weights is not None:
            own.weights.add(example.features, sign * signed(example.label, example.own_step))

    def _took(self, plan: Plan, own: Own | None) -> None:
        if not plan.steps:
            return
        self._totals = replace(plan.site, voters=self._totals.voters)
        self._changed = True
        if any(step.before.site or step.after.site for step in plan.steps):
            self._since_fit[SITE] += len(plan.steps)
        if own is not None:
            own.counts, own.changed = plan.own.own, True
            self._accounts[plan.owner] = own
            self._changes += 1
            if plan.owner != RULES:
                self._since_fit[plan.owner] += len(plan.steps)


def _own_margin(own: Own | None, features: "array[int]") -> float:
    if own is None or own.weights is None or not own.share:
        return 0.0
    return own.share * own.weights.margin(features)


def _fitted(job: tuple[list[tuple["array[int]", bool]], list[float]]) -> list[int]:
    return model.fit_on(*job)
