"""The classifier taught and asked: by account and site-wide, taken back, after a stop and a kill,
and against an account that means ill.
"""

from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from filters.spam.extract import as_it_came, extract
from filters.spam.learned import ENOUGH, Learned
from net.threads import Offload
from storage.errors import StoreUnavailable
from storage.history_database import HistoryDatabase
from storage.spam_lessons import FREE_VOTES, TIMES_OTHERS, Bounds, Plan, SpamLessons
from storage.spam_values import SITE, Counts, Known, Label, Lesson
from storage.values import AccountId

ANN, BEN, CY, EVE = AccountId(11), AccountId(12), AccountId(13), AccountId(14)
HOST = "mx.example.test"


def mail(sender: str, subject: str, text: str, number: int = 0) -> "array[int]":
    data = (
        f"Received: from {sender.partition('@')[2]} (host [192.0.2.9]) by other.example.net; x\r\n"
        f"From: {sender}\r\nTo: user@example.test\r\nSubject: {subject} {number}\r\n"
        f"Message-ID: <{number}.{sender}>\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\n"
        f"\r\n{text}\r\n"
    ).encode()
    return extract(data, HOST)


def spam(number: int = 0) -> "array[int]":
    return mail(
        "win@casino.example", "You won", "claim your jackpot money now http://x.example", number
    )


def ham(number: int = 0) -> "array[int]":
    return mail(
        "tom@firm.example", "Minutes", "here are the minutes of the meeting on friday", number
    )


def notes(number: int = 0) -> "array[int]":
    return mail(
        "ivy@school.example", "Timetable", "the lessons of next week and the bus plan", number
    )


Maker = Callable[[int], "array[int]"]


def key_of(make: Maker, number: int) -> bytes:
    return f"{make.__name__}{number}".encode().ljust(16, b".")


@dataclass(slots=True)
class Desk:
    history: HistoryDatabase
    offload: Offload
    learned: Learned

    def lessons(self) -> SpamLessons:
        return SpamLessons(self.history, SystemClock())

    async def teach(
        self, owner: AccountId, label: Label, make: Maker, count: int, start: int = 0
    ) -> None:
        taught = [
            Lesson(key_of(make, number), Known(), label, make(number))
            for number in range(start, start + count)
        ]
        for first in range(0, count, 50):
            await self.learned.teach(owner, taught[first : first + 50])

    async def begin(self, *owners: AccountId) -> None:
        """Enough of both kinds, by each."""
        for owner in owners:
            await self.teach(owner, Label.SPAM, spam, ENOUGH)
            await self.teach(owner, Label.HAM, ham, ENOUGH)

    async def again(self) -> Learned:
        """As another process would see it."""
        made = Learned(self.lessons(), self.offload, get_logger("spam"))
        await made.start()
        return made

    async def ask(self, features: "array[int]", account: AccountId | None = None) -> float:
        found = await self.learned.probability(features, account)
        assert found is not None
        return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """On SQLite: tests/storage/test_spam_lessons.py has what PostgreSQL might do otherwise."""
    offload = Offload(processes=1)
    history = await HistoryDatabase.open("sqlite", tmp_path, offload)
    learned = Learned(SpamLessons(history, SystemClock()), offload, get_logger("spam"))
    await learned.start()
    yield Desk(history, offload, learned)
    await learned.stop()
    await history.close()
    offload.close()


async def test_it_says_nothing_before_it_knows_enough(desk: Desk) -> None:
    await desk.teach(SITE, Label.SPAM, spam, ENOUGH)
    await desk.teach(SITE, Label.HAM, ham, ENOUGH - 1)
    assert await desk.learned.probability(spam(99)) is None
    await desk.teach(SITE, Label.HAM, ham, 1, ENOUGH)
    assert await desk.ask(spam(99)) > 0.9
    assert await desk.ask(ham(99)) < 0.1
    assert await desk.learned.probability(array("I")) is None


async def test_what_was_learned_is_the_same_after_a_stop_and_after_a_kill(desk: Desk) -> None:
    await desk.begin(ANN, BEN)
    probes = [(spam(99), None), (ham(99), None), (spam(98), ANN), (notes(97), BEN)]
    before = [await desk.learned.probability(*probe) for probe in probes]
    killed = await desk.again()  # nothing was kept
    assert [await killed.probability(*probe) for probe in probes] == before
    await desk.learned.keep()
    kept = await desk.again()
    assert [await kept.probability(*probe) for probe in probes] == before
    assert killed._site.sums == kept._site.sums == desk.learned._site.sums
    assert killed._site.counting == kept._site.counting == desk.learned._site.counting
    for made in (killed, kept):
        await made.stop()


async def test_taking_back_leaves_no_trace(desk: Desk) -> None:
    await desk.begin(ANN, BEN)
    before = desk.learned._site.sums[:]
    own = (await desk.learned._own(ANN)).weights
    assert own is not None
    own_before = own.sums[:]
    await desk.teach(ANN, Label.SPAM, notes, 5)
    assert desk.learned._site.sums != before
    await desk.teach(ANN, Label.HAM, notes, 5)  # moved back
    assert await desk.ask(notes(3), ANN) < 0.5
    await desk.teach(ANN, Label.NONE, notes, 5)
    assert desk.learned._site.sums == before
    assert own.sums == own_before


async def test_an_account_decides_for_itself(desk: Desk) -> None:
    """What one calls spam and another reads with joy."""
    await desk.begin(ANN, BEN, CY)
    await desk.teach(ANN, Label.SPAM, notes, 3)
    assert await desk.ask(notes(9), ANN) > 0.8
    assert await desk.ask(notes(9), BEN) < 0.6
    assert await desk.ask(notes(9)) < 0.6


async def test_one_account_cannot_teach_the_site_what_nobody_confirms(desk: Desk) -> None:
    await desk.begin(SITE)
    unknown = await desk.ask(notes(99))
    await desk.teach(EVE, Label.SPAM, notes, 60)
    assert await desk.ask(notes(99), BEN) - unknown < 0.2
    assert await desk.ask(notes(99), EVE) >= await desk.ask(notes(99), BEN)
    before = await desk.ask(notes(99), CY)
    await desk.teach(BEN, Label.SPAM, notes, 5, 500)
    assert await desk.ask(notes(99), CY) > before + 0.2


async def test_one_account_cannot_turn_what_others_taught(desk: Desk) -> None:
    """Eve calls the firm's mail spam and the casino's ham, two hundred times each."""
    await desk.begin(ANN, BEN, CY)
    await desk.teach(EVE, Label.SPAM, ham, 200, 1_000)
    await desk.teach(EVE, Label.HAM, spam, 200, 1_000)
    totals = await desk.learned.totals()
    cap = max(FREE_VOTES, TIMES_OTHERS * ENOUGH + 1)
    assert totals.own.spam <= 3 * ENOUGH + cap
    for _ in range(2):  # one by one, and weighed together
        for account in (ANN, BEN, CY):
            assert await desk.ask(ham(99), account) < 0.5
            assert await desk.ask(spam(99), account) > 0.5
        await desk.learned.refit(SITE)
    assert await desk.ask(ham(99), EVE) > 0.4  # that is her own affair
    await desk.learned.forget(EVE)
    again = await desk.again()
    assert await again.probability(ham(99)) == await desk.learned.probability(ham(99))
    assert (await desk.learned.totals()).own == Counts(3 * ENOUGH, 3 * ENOUGH)
    await again.stop()


async def test_forgetting(desk: Desk) -> None:
    await desk.begin(ANN, BEN)
    await desk.learned.forget(ANN)
    again = await desk.again()
    assert again._site.sums == desk.learned._site.sums
    assert (await desk.learned.totals(ANN)).own.spam == 0
    await again.stop()
    await desk.learned.forget(SITE)
    assert not any(desk.learned._site.sums)
    assert await desk.learned.probability(spam(1), BEN) is not None  # by its own lessons
    assert await desk.learned.probability(spam(1)) is None


async def test_a_commit_that_fails_teaches_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin(ANN)
    before = desk.learned._site.sums[:]

    async def fails(_plan: Plan) -> None:
        raise StoreUnavailable("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(desk.learned._lessons, "commit", fails)
        with pytest.raises(StoreUnavailable):
            await desk.teach(ANN, Label.SPAM, notes, 1)
    assert desk.learned._site.sums == before
    await desk.teach(ANN, Label.SPAM, notes, 1)
    assert desk.learned._site.sums != before


async def test_the_oldest_lessons_make_room(desk: Desk) -> None:
    await desk.begin(ANN)
    desk.learned._lessons.bounds = Bounds(learned=10)
    await desk.learned.prune()
    totals = await desk.learned.totals(ANN)
    assert totals.own.spam + totals.own.ham == 10
    again = await desk.again()
    assert again._site.sums == desk.learned._site.sums
    await again.stop()


async def test_grading_asks_as_if_the_message_were_unknown(desk: Desk) -> None:
    await desk.begin(ANN, BEN)
    unknown = await desk.learned.probability(notes(7), ANN)
    key = key_of(notes, 7)
    await desk.learned.teach(ANN, [Lesson(key, Known(), Label.SPAM, notes(7))])
    assert await desk.ask(notes(7), ANN) > 0.9
    assert await desk.learned.without(key, notes(7), ANN) == pytest.approx(unknown, abs=0.05)


def test_what_was_written_into_a_message_later_is_not_learned() -> None:
    came = b"Received: from a.example by b.example; x\r\nFrom: a@example.org\r\n\r\nHi\r\n"
    kept = (
        b"Return-Path: <a@example.org>\r\nAuthentication-Results: mx.example.test;\r\n spf=pass\r\n"
        b"X-Spam-Status: Yes, score=9\r\nX-Spam-Result: A=1\r\n"
        b"Received: from b.example (b.example [192.0.2.1])\r\n"
        b" by mx.example.test with ESMTP id 1; x\r\n"
        b"X-TUID: abc\r\nStatus: RO\r\n"
    )
    assert as_it_came(kept + came, HOST) == came
    assert as_it_came(came, HOST) == came
    assert extract(kept + came, HOST) == extract(came, HOST)
    assert extract(kept + came, "elsewhere.example") != extract(came, HOST)


async def test_lessons_are_weighed_anew_together(desk: Desk) -> None:
    """One kind after the other, as commands teach them; an account's stand on the site's."""
    await desk.begin(SITE)
    await desk.teach(ANN, Label.SPAM, notes, 6)
    await desk.teach(ANN, Label.HAM, ham, 6)
    assert await desk.learned.refit(SITE) == 2 * ENOUGH + 12
    assert await desk.learned.refit(ANN) == 12
    assert await desk.ask(spam(99)) > 0.9
    assert await desk.ask(ham(99)) < 0.1
    assert await desk.ask(notes(99), ANN) > 0.8
    again = await desk.again()
    assert again._site.sums == desk.learned._site.sums
    await again.stop()
    await desk.teach(SITE, Label.NONE, spam, ENOUGH)
    await desk.teach(SITE, Label.NONE, ham, ENOUGH)
    await desk.teach(ANN, Label.NONE, notes, 6)
    await desk.teach(ANN, Label.NONE, ham, 6)
    assert not any(desk.learned._site.sums)


async def test_what_changed_much_is_weighed_again_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[AccountId] = []
    refit = desk.learned.refit

    async def noted(owner: AccountId) -> int:
        fitted.append(owner)
        return await refit(owner)

    monkeypatch.setattr(desk.learned, "refit", noted)
    await desk.teach(ANN, Label.SPAM, spam, 9)
    await desk.learned.refit_due()
    assert fitted == []
    await desk.teach(ANN, Label.HAM, ham, 9)
    await desk.learned.refit_due()
    assert fitted == [SITE]  # and with it what accounts taught
    assert not desk.learned._since_fit
    await desk.learned.refit_due()
    assert fitted == [SITE]


COMMON = "the and you with this from have are will that was here for not all please"


def mixed(words: str, number: int) -> "array[int]":
    """Some of the words, and more that all mail has."""
    pick = Random(number)  # the same each time
    common = COMMON.split()
    text = " ".join(pick.sample(words.split(), 4) + pick.sample(common, 8))
    return mail("a@shared.example", "Hello", text, number)


async def test_one_kind_after_the_other_is_weighed_well(desk: Desk) -> None:
    bad = "casino jackpot pills cheap watches loan lottery miracle viagra bonus winner click"
    good = "minutes meeting friday report school invoice family holiday server patch review train"
    for label, words in ((Label.SPAM, bad), (Label.HAM, good)):
        lessons = [
            Lesson(f"{label}-{number}".encode().ljust(16), Known(), label, mixed(words, number))
            for number in range(60)
        ]
        await desk.learned.teach(SITE, lessons)

    async def caught() -> int:
        return sum([await desk.ask(mixed(bad, number)) > 0.5 for number in range(500, 540)])

    before = await caught()
    await desk.learned.refit(SITE)
    assert await caught() > max(before, 35)
    assert not any([await desk.ask(mixed(good, number)) > 0.5 for number in range(500, 540)])
