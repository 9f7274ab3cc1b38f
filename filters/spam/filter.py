"""The filter `spam`: a score of named symbols, and what is done about it.

Everything that takes time is beside the loop or bounded: one call that reads and judges, then the
questions to DNS and storage side by side.
"""

import asyncio
from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Protocol

from config.clock import Clock
from config.logging import get_logger
from config.settings import Settings
from filters.context import Context, Message
from filters.filter import Filter
from filters.greylist import triplet
from filters.spam.clear import ClearVerdicts
from filters.spam.judging import Job, Judgement, judge
from filters.spam.questions import Questions
from filters.spam.result import SpamResult, bayes
from filters.spam.rspamd import NOTHING, Rspamd
from filters.spam.rules.run import forgiven, scored, weight_of
from filters.spam.rules.transit import Transit
from filters.spam.standings import Standings
from filters.spam.status import status_fields
from filters.stranger import is_known
from filters.verdict import Action, Scored, Verdict, defer, reject
from net.threads import Offload, Pool
from storage.directory import Directory
from storage.seen import Kind as Seeing
from storage.seen import Sight
from storage.values import AccountId

# A message above this, and one that comes while so many are judged, goes to another process: a
# thread of this one would take the loop's time.
INLINE: Final = 64 * 1024
AT_ONCE: Final = 3
KEYWORD: Final = "$Junk"
_REFUSAL: Final = "This message looks like spam"


class Learned(Protocol):
    """What was learned of earlier mail (filters/spam/learned.py)."""

    async def probability(
        self, features: "array[int]", account: AccountId | None = None
    ) -> float | None: ...


class Spam(Filter):
    """At DATA. Mail of users and of local networks is not held against its peer."""

    name = "spam"

    def __init__(
        self,
        settings: Settings,
        offload: Offload,
        clock: Clock,
        directory: Directory,
        questions: Questions,
        standings: Standings,
        learned: Learned | None = None,
        clear: ClearVerdicts | None = None,
    ) -> None:
        self._settings, self._delay = settings.spam, settings.greylist.delay
        self._weights, self._judging = dict(settings.spam.weights), 0
        self._offload, self._clock, self._directory = offload, clock, directory
        self._questions, self._standings, self._learned = questions, standings, learned
        self._clear = clear
        log = get_logger("rspamd")
        self._rspamd = Rspamd(settings.spam.rspamd, settings.hostname, offload, clock, log)

    async def data(self, context: Context) -> Verdict:
        message = context.message
        if message is None:
            return Verdict()
        told = context.symbols
        asking = self._rspamd.begin(context)
        try:
            judgement = await self._judge(message, self._transit(context, told))
            asked, standing, probability = await asyncio.gather(
                self._questions.ask(context, judgement),
                self._standings.ask(context, judgement),
                self._probability(judgement),
            )
            outside = NOTHING if asking is None else await asking
        finally:
            if asking is not None:
                asking.cancel()  # where something else failed
        found = scored((*judgement.found, *asked.found), self._weights)
        if is_known(context):
            found = forgiven(found, self._weights)
        others = (*asked.listed.scored, *outside.scored)
        own = _once((*found, *others, *self._weigh(told, context)))
        own = (*own, *bayes(probability, self._weights))
        before = tuple(one for verdict in context.verdicts for one in verdict.scored)
        junk_at = 0.0 if context.login is not None else self._settings.tag_at
        result = SpamResult(
            (*before, *own), judgement.features, probability, junk_at, not is_known(context)
        )
        self._standings.count(context, judgement, result.score)
        own = (*own, *scored(standing, self._weights))
        context.spam = result = replace(result, scored=(*before, *own))
        if self._clear is not None:
            self._clear.note(message, judgement.features, result)
        verdict = self._verdict(context, result, await self._is_early(context, result))
        named = (*verdict.symbols, *(one.name for one in own), *asked.listed.symbols)
        symbols = tuple(name for name in dict.fromkeys(named) if name not in told)
        verdict = replace(verdict, scored=own, symbols=symbols)
        return worse(worse(verdict, asked.listed), outside.verdict)

    def _transit(self, context: Context, told: Iterable[str]) -> Transit:
        peer = context.peer
        return Transit(
            now=self._clock.now(),
            sender=context.sender,
            recipients=tuple(one.address for one in context.recipients[:100]),
            helo=context.helo,
            address=peer.address,
            reverse=peer.reverse,
            symbols=frozenset(told),
            user=context.login is not None,
            local=is_known(context),
            smtputf8=context.smtputf8,
        )

    async def _judge(self, message: Message, transit: Transit) -> Judgement:
        content = message.content
        job = Job(transit, content.prefix, content.data or b"", content.path, content.start)
        self._judging += 1
        try:
            if content.path is None and content.size <= INLINE and self._judging <= AT_ONCE:
                return await self._offload.run(Pool.MIME, judge, job)
            return await self._offload.apart(judge, job)
        finally:
            self._judging -= 1

    async def _probability(self, judgement: Judgement) -> float | None:
        return await self._learned.probability(judgement.features) if self._learned else None

    def _weigh(self, told: Iterable[str], context: Context) -> tuple[Scored, ...]:
        """What other filters found and gave no weight, by the table."""
        weighed = {one.name for verdict in context.verdicts for one in verdict.scored}
        found = ((name, weight_of(name, self._weights)) for name in told if name not in weighed)
        return tuple(Scored(name, weight) for name, weight in found if weight)

    def _verdict(self, context: Context, result: SpamResult, early: bool) -> Verdict:
        """What is done about a score."""
        if self._is_refused(context, result.score):
            return reject(_REFUSAL, code=554)
        if context.login is not None:
            return Verdict()
        # mail of those we know stays as it is while nothing counts against it
        told = self._settings.header and (result.score > 0 or not is_known(context))
        said = Verdict(headers=status_fields(result) if told else ())
        if _reaches(result.score, self._settings.quarantine_at) and not _is_for_complaints(context):
            return replace(said, action=Action.QUARANTINE)
        if early:
            return defer(f"{_REFUSAL}, try again later", code=451, symbol="GREYLIST")
        if result.is_junk:
            return replace(said, action=Action.JUNK, keywords=frozenset({KEYWORD}))
        return said

    def _is_refused(self, context: Context, score: float) -> bool:
        if context.login is not None:
            return _reaches(score, self._settings.users_reject_at)
        return _reaches(score, self._settings.reject_at) and not _is_for_complaints(context)

    async def _is_early(self, context: Context, result: SpamResult) -> bool:
        """Whether a stranger has to come again with what looks like spam."""
        if not _reaches(result.score, self._settings.greylist_at) or is_known(context):
            return False
        first = context.recipients[0].address if context.recipients else ""
        what = ("spam", *triplet(context.peer.address, context.sender, first))
        now = self._clock.now()
        seen = self._directory.seen
        sight = await seen.get(Seeing.TRIPLET, *what)
        if sight is None:
            seen.put(Seeing.TRIPLET, Sight(now, now), *what)
            return True
        if now - sight.first < self._delay:
            return True
        seen.put(Seeing.TRIPLET, replace(sight, last=now, passed=now), *what)
        return False


def _reaches(score: float, limit: float) -> bool:
    """0 is no limit."""
    return 0 < limit <= score


def _is_for_complaints(context: Context) -> bool:
    """Those who hear about spam must be able to get it (RFC 5321 §4.5.1)."""
    names = {one.address.rpartition("@")[0].lower() for one in context.recipients}
    return not names.isdisjoint({"postmaster", "abuse"})


def _once(found: Iterable[Scored]) -> tuple[Scored, ...]:
    """Each symbol once, the first of them: two links on one list are no worse than one."""
    once: dict[str, Scored] = {}
    for one in found:
        once.setdefault(one.name, one)
    return tuple(once.values())


def worse(verdict: Verdict, listed: Verdict) -> Verdict:
    """What a list asks for is done where it is worse than what the score asks for."""
    if listed.action <= verdict.action:
        return verdict
    return replace(
        verdict,
        action=listed.action,
        code=listed.code,
        status=listed.status,
        text=listed.text,
    )
