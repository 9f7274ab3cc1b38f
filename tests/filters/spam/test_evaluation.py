"""Mail graded again by what was written into it when it came, with the weights as they are and
with others.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from filters.spam.evaluation import Case, Evaluation, Grades, Trial
from filters.spam.grading import Rate
from filters.spam.learned import Learned
from net.threads import Offload
from storage.history_database import HistoryDatabase
from storage.spam_lessons import SpamLessons
from storage.store import Store
from tests.support.stores import ACCOUNT, StoreHome, deliver, message

TOLD = (
    b"X-Spam-Status: No, score=4.7 required=5\r\nX-Spam-Result: LISTED=4 (203.0.113.9), "
    b"SENDER_REPUTATION_SPAM=0.4 (ann), PHISHING=0.3\r\n"
)


@dataclass
class Site:
    store: Store
    learned: Learned
    offload: Offload

    async def is_junk(self, weights: dict[str, float], now: dict[str, float]) -> bool:
        trial = Trial({**now, **weights}, 5.0, now=now)
        evaluation = Evaluation(self.store, self.learned, self.offload, "mx.home.test", trial)
        (case,) = [case async for case in evaluation.cases(ACCOUNT, 0.0) if case is not None]
        assert case.then is False
        return case.now


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    home, offload = StoreHome(tmp_path, "sqlite"), Offload(processes=1)
    history = await HistoryDatabase.open("sqlite", tmp_path, offload)
    store = await home.open()
    await store.add_account(ACCOUNT)
    await deliver(store, TOLD + message())
    learned = Learned(SpamLessons(history, SystemClock()), offload, get_logger("spam"))
    await learned.start()
    yield Site(store, learned, offload)
    await learned.stop()
    await history.close()
    offload.close()
    await home.clean_up()


@pytest.mark.parametrize(
    ("weights", "now", "junk"),
    [
        ({}, {}, False),  # as it was judged: a tenth of PHISHING, of the standing what was known
        ({"PHISHING": 10.0}, {}, True),
        ({"PHISHING": 4.0}, {}, False),
        ({"PHISHING": 30.0}, {"PHISHING": 30.0}, False),  # a hundredth of it
        ({"LISTED": 5.0}, {}, True),
        ({"SENDER_REPUTATION_SPAM": 0.0}, {}, False),
    ],
    ids=["unchanged", "more", "a little more", "heavy already", "of a list", "none"],
)
async def test_what_counted_in_part_counts_in_part_again(
    site: Site, weights: dict[str, float], now: dict[str, float], junk: bool
) -> None:
    assert await site.is_junk(weights, now) is junk


def test_cases_are_counted_by_month_and_together() -> None:
    grades = Grades()
    october, november = 1_791_000_000.0, 1_795_860_000.0
    grades.add(Case(october, spam=True, corrected=True, then=None, now=False))
    grades.add(Case(november, spam=False, corrected=False, then=True, now=False))
    grades.add(Case(november, spam=True, corrected=False, then=True, now=True))
    found = grades.by_period()
    assert list(found) == ["", "2026-10", "2026-11"]
    assert (found[""].corrected, found["2026-11"].corrected) == (1, 0)
    assert found[""].now.false_negatives == Rate(1, 2)
    assert found["2026-11"].now.false_negatives == Rate(0, 1)
    assert found[""].then.false_positives == Rate(1, 1)
    assert found[""].then.false_negatives == Rate(0, 1)
