"""What rules alone are sure of: learned as one more account, and taken back when a user objects."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from filters.context import Message
from filters.spam.clear import ClearVerdicts, clear
from filters.spam.extract import extract
from filters.spam.learned import Learned
from filters.spam.result import SpamResult
from filters.verdict import Scored
from net.threads import Offload
from storage.history_database import HistoryDatabase
from storage.spam_changes import key_of
from storage.spam_lessons import FREE_VOTES, SpamLessons
from storage.spam_values import NOTHING, RULES, Counts, Label, Lesson
from storage.values import AccountId
from tests.support.stores import content, message

ANN = AccountId(11)
SURE = SpamResult((Scored("BAD", 13.0),), stranger=True)


@dataclass(slots=True)
class Desk:
    learned: Learned
    clear: ClearVerdicts

    async def note(self, data: bytes, result: SpamResult = SURE) -> None:
        self.clear.note(Message(content(data), b""), extract(data, "mx"), result)
        await asyncio.gather(*self.clear._tasks)

    async def taught(self) -> Counts:
        return (await self.learned.totals(RULES)).own


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    offload = Offload()
    history = await HistoryDatabase.open("sqlite", tmp_path, offload)
    log = get_logger("spam")
    learned = Learned(SpamLessons(history, SystemClock()), offload, log)
    await learned.start()
    verdicts = ClearVerdicts(learned, offload, log)
    yield Desk(learned, verdicts)
    await verdicts.stop()
    await learned.stop()
    await history.close()
    offload.close()


def test_what_is_clear() -> None:
    opinion = Scored("BAYES_SPAM", 8.0)
    assert clear(SURE) is Label.SPAM
    assert clear(SpamResult((Scored("BAD", 11.0), opinion))) is Label.NONE
    good = Scored("KNOWN_CORRESPONDENT", -3.0)
    assert clear(SpamResult((good,))) is Label.NONE  # anybody can write a name into From
    assert clear(SpamResult((good, Scored("R_DKIM_ALLOW", -0.2)))) is Label.HAM
    assert clear(SpamResult((Scored("R_DKIM_ALLOW", -0.2),))) is Label.NONE


async def test_it_learns_once_and_a_user_knows_better(desk: Desk) -> None:
    data = message("cheap watches")
    await desk.note(data)
    await desk.note(data)
    assert await desk.taught() == Counts(1, 0)
    lesson = Lesson(key_of(data), NOTHING, Label.SPAM, extract(data, "mx"))
    await desk.learned.teach(ANN, [lesson])
    assert await desk.taught() == Counts(1, 0)
    ham = Lesson(lesson.key, NOTHING, Label.HAM, lesson.features)
    await desk.learned.teach(ANN, [ham])
    assert await desk.taught() == Counts()
    assert (await desk.learned.totals()).own == Counts(0, 1)


async def test_alone_it_moves_nothing_and_no_more_than_users_do(desk: Desk) -> None:
    for number in range(FREE_VOTES + 10):
        await desk.note(message(f"cheap watches, offer {number}"))
    assert await desk.taught() == Counts(FREE_VOTES + 10, 0)
    assert (await desk.learned.totals()).own == Counts(FREE_VOTES, 0)
    assert not any(desk.learned._site.counting)
    data = message("cheap watches of another shop")
    features = extract(data, "mx")
    await desk.learned.teach(ANN, [Lesson(key_of(data), NOTHING, Label.SPAM, features)])
    assert any(desk.learned._site.counting)


async def test_what_is_large_unclear_or_ours_is_passed_over(desk: Desk) -> None:
    data = message("cheap watches")
    await desk.note(data, SpamResult((Scored("BAD", 3.0),), stranger=True))
    await desk.note(data, replace(SURE, stranger=False))
    desk.clear.note(Message(content(data), b""), array("I"), SURE)
    assert not desk.clear._tasks
    assert await desk.taught() == Counts()
