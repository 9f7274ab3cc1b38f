"""Asks what earlier mail says about a message, and counts the message for later ones.

Invariant: what a standing adds to a score never counts for a standing.
"""

from typing import Final

from config.clock import Clock
from config.settings import Settings
from filters.context import Context
from filters.spam.domains import registered
from filters.spam.fuzzy import MANY, Bulk
from filters.spam.judging import Judgement
from filters.spam.questions import is_proved
from filters.spam.reputation import judge_standings, lesson, subjects
from filters.spam.rules.mail import Found
from filters.stranger import is_known
from net.limits import network_key
from storage.errors import StoreError
from storage.reputation import Reputation, Subject

_FULL: Final = 3 * MANY


class Standings:
    """Of strangers alone: users and local networks have none."""

    def __init__(
        self, settings: Settings, reputation: Reputation | None, bulk: Bulk, clock: Clock
    ) -> None:
        self._limits = settings.spam
        self._reputation, self._bulk, self._clock = reputation, bulk, clock

    async def ask(self, context: Context, judgement: Judgement) -> tuple[Found, ...]:
        """What is known; nothing where storage has no answer."""
        if is_known(context):
            return ()
        many = self._many(context, judgement)
        wanted = _subjects(context, judgement)
        if self._reputation is None or not wanted:
            return many
        try:
            known = await self._reputation.of(wanted)
        except StoreError:
            return many
        return (*judge_standings(zip(wanted, known, strict=True)), *many)

    def count(self, context: Context, judgement: Judgement, score: float) -> None:
        """`score` without what `ask` gave."""
        if self._reputation is None or is_known(context):
            return
        good, bad = lesson(score, self._limits.tag_at, self._limits.reject_at)
        if good or bad:
            self._reputation.add(_subjects(context, judgement), good=good, bad=bad)

    def _many(self, context: Context, judgement: Judgement) -> tuple[Found, ...]:
        """The same text from many: one proved domain is one, however many servers it sends by."""
        author = judgement.author
        source = network_key(context.peer.address)
        if author and is_proved(author, tuple(context.results)):
            source = registered(author.rpartition("@")[2])
        count = self._bulk.networks(judgement.bands, source, self._clock.now())
        if count < MANY:
            return ()
        return (Found("FUZZY_BULK", f"from {count} networks", min(1.0, count / _FULL)),)


def _subjects(context: Context, judgement: Judgement) -> tuple[Subject, ...]:
    author = judgement.author
    proved = bool(author) and is_proved(author, tuple(context.results))
    return subjects(author, proved, network_key(context.peer.address), judgement.bands)
