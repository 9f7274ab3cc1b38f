"""Grades the spam filter on the site's own mail: what it said when the mail came, and what it would
say with the classifier and the weights of another configuration.

Truth is what users said of a message, else the folder where it lies: Junk is spam, all else but
Sent, Drafts and Trash is ham. A message that was learned is judged as if it had not been.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from config.symbols import SYMBOLS
from filters.spam.follower import READ
from filters.spam.grading import Tally
from filters.spam.learned import Learned
from filters.spam.result import BAYES, bayes
from filters.spam.signs import Place, place_of
from filters.spam.study import Study, study_judged
from net.threads import Offload
from storage.errors import MessageMissing
from storage.spam_values import Label
from storage.store import Store
from storage.values import AccountId, Mailbox

_LEFT_OUT: Final = frozenset({"\\drafts", "\\sent", "\\trash"})
PIECE: Final = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: weights in place of the table's, from which score on a message is junk, and
    whether the classifier takes part. `now` are the weights in place of the table's that mail is
    judged by at present.
    """

    weights: Mapping[str, float]
    tag_at: float
    learned: bool = True
    now: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Grade:
    """`then`: as it was judged when it came, of those that came through the filter; `now`: by the
    trial.
    """

    corrected: int = 0
    then: Tally = field(default_factory=Tally)
    now: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class Case:
    """One message with both verdicts."""

    at: float
    spam: bool
    corrected: bool
    then: bool | None
    now: bool


class Evaluation:
    """One for a command."""

    def __init__(
        self, store: Store, learned: Learned, offload: Offload, hostname: str, trial: Trial
    ) -> None:
        self._store, self._learned, self._offload = store, learned, offload
        self._hostname, self._trial = hostname, trial

    async def count(self, account: AccountId) -> int:
        """About how many messages there are to look at."""
        return sum(box.messages for box in await self._boxes(account))

    async def cases(self, account: AccountId, since: float) -> AsyncIterator[Case | None]:
        """The account's messages that came since then, None for each one passed over."""
        for box in await self._boxes(account):
            view = await self._store.view(account, box.id)
            uids = list(view.uids)
            view.release()
            for start in range(0, len(uids), PIECE):
                piece = uids[start : start + PIECE]
                for uid, internaldate, _ in await self._store.narrow(account, box.id, piece):
                    wanted = internaldate >= since
                    yield await self._case(account, box, uid, internaldate) if wanted else None

    async def _case(
        self, account: AccountId, box: Mailbox, uid: int, internaldate: float
    ) -> Case | None:
        blob = (await self._store.contents(account, box.id, [uid])).get(uid)
        if blob is None:
            return None
        try:
            data = await self._store.read_body(account, blob, box.id, uid, 0, READ)
        except MessageMissing:
            return None
        look = partial(study_judged, hostname=self._hostname, at=internaldate)
        found = await self._offload.process(look, data)
        label = (await self._learned.known(account, [found.key])).get(found.key)
        corrected = label is not None and label.learned is not Label.NONE
        spam = place_of(box.special_use, box.name) is Place.JUNK
        if label is not None and corrected:
            spam = label.learned is Label.SPAM
        then = None if found.told is None else found.told.junk
        return Case(internaldate, spam, corrected, then, await self._is_junk(account, found))

    async def _is_junk(self, account: AccountId, found: Study) -> bool:
        score = sum(self._weight(name, weight) for name, weight in _symbols(found))
        if self._trial.learned:
            probability = await self._learned.without(found.key, found.features, account)
            score += sum(one.weight for one in bayes(probability, self._trial.weights))
        return 0 < self._trial.tag_at <= round(score, 2)

    def _weight(self, name: str, told: float | None) -> float:
        """Of a symbol, with the part of its weight that it was told with; what a DNS list or a
        filter of one's own brought keeps what it had.
        """
        known = SYMBOLS.get(name)
        if known is None:
            return self._trial.weights.get(name, told or 0.0)
        weight = self._trial.weights.get(name, known.weight)
        whole = self._trial.now.get(name, known.weight)
        part = told / whole if told is not None and whole else 1.0
        return weight * part if 0 < part < 1 else weight

    async def _boxes(self, account: AccountId) -> list[Mailbox]:
        return [
            box
            for box in await self._store.mailboxes(account)
            if box.selectable and _use(box) not in _LEFT_OUT
        ]


class Grades:
    """Counts cases, by month and all of them under ""."""

    def __init__(self) -> None:
        self._known: dict[str, Grade] = defaultdict(Grade)

    def add(self, case: Case) -> None:
        """Counts a case."""
        for period in ("", datetime.fromtimestamp(case.at, UTC).strftime("%Y-%m")):
            grade = self._known[period]
            grade.corrected += case.corrected
            grade.now.add(case.spam, case.now)
            if case.then is not None:
                grade.then.add(case.spam, case.then)

    def by_period(self) -> dict[str, Grade]:
        """In order of time."""
        return dict(sorted(self._known.items()))


def _symbols(found: Study) -> list[tuple[str, float | None]]:
    if found.told is None:
        return [(name, None) for name in found.symbols]
    return [(name, weight) for name, weight in found.told.symbols if name not in BAYES]


def _use(box: Mailbox) -> str:
    return (box.special_use or f"\\{box.name}").casefold()
