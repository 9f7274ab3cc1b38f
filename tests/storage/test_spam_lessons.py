"""What is learned of messages: once, taken back, guarded against one account, bounded; on SQLite
and PostgreSQL.
"""

from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.clock import SystemClock
from net.threads import Offload
from storage.history_database import HistoryDatabase
from storage.spam_lessons import FREE_VOTES, Bounds, SpamLessons
from storage.spam_values import SITE, Counts, Known, Label, Lesson, Step
from storage.values import AccountId
from tests.support.directories import own_database

ANN, BEN, CY = AccountId(11), AccountId(12), AccountId(13)
Shown = list[tuple[int, Label, list[int]]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def lessons(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SpamLessons]:
    async with own_database(request.param) as database:
        offload = Offload()
        history = await HistoryDatabase.open(database, tmp_path, offload)
        yield SpamLessons(history, SystemClock())
        await history.close()
        offload.close()


async def teach(
    lessons: SpamLessons, owner: AccountId, taught: list[Lesson], watermark: int | None = None
) -> list[Step]:
    """As filters/spam/learned.py does, with steps of 3 for the site and 5 for the owner."""
    plan = await lessons.plan(owner, taught, watermark)
    for step in plan.steps:
        if step.after.label:
            site = 3 if step.after.site else 0
            step.after = replace(step.after, site_step=site, own_step=5)
    await lessons.commit(plan)
    return plan.steps


def lesson(number: int, label: Label | None, *features: int) -> Lesson:
    return Lesson(number.to_bytes(16, "big"), Known(), label, array("I", features))


async def shown(lessons: SpamLessons, owner: AccountId) -> Shown:
    return [
        (voter, example.label, list(example.features))
        async for page in lessons.examples(owner)
        for voter, _, example in page
    ]


def told(steps: list[Step]) -> list[tuple[Label, Label]]:
    return [(step.before.label, step.after.label) for step in steps]


async def test_a_message_counts_once_and_under_its_last_label(lessons: SpamLessons) -> None:
    await teach(lessons, ANN, [lesson(0, Label.SPAM, 7, 8), lesson(9, Label.HAM, 8, 9)])
    before = await shown(lessons, ANN)
    assert before == [(ANN, Label.SPAM, [7, 8]), (ANN, Label.HAM, [8, 9])]
    first = await teach(lessons, ANN, [lesson(1, Label.SPAM, 8, 4_000_000_000)])
    assert told(first) == [(Label.NONE, Label.SPAM)]
    assert await teach(lessons, ANN, [lesson(1, Label.SPAM, 8, 4_000_000_000)]) == []
    assert (await lessons.totals(ANN)).own == Counts(2, 1)
    # what it is taken back with is what it was learned from, not what it has by then
    (turned,) = await teach(lessons, ANN, [lesson(1, Label.HAM, 5)])
    assert (turned.before.label, list(turned.before.features)) == (Label.SPAM, [8, 4_000_000_000])
    assert (turned.after.label, list(turned.after.features)) == (Label.HAM, [5])
    assert (await lessons.totals(ANN)).own == Counts(1, 2)
    assert told(await teach(lessons, ANN, [lesson(1, Label.NONE)])) == [(Label.HAM, Label.NONE)]
    assert await shown(lessons, ANN) == before
    assert (await lessons.totals(ANN)).own == Counts(1, 1)
    assert await lessons.known(ANN, [lesson(1, None).key]) == {}


async def test_what_is_remembered_stays_without_a_label(lessons: SpamLessons) -> None:
    key = lesson(1, None).key
    await teach(lessons, ANN, [Lesson(key, Known(in_junk=True), Label.SPAM, array("I", [1]))], 17)
    assert await lessons.watermark(ANN) == 17
    await teach(lessons, ANN, [Lesson(key, Known(in_junk=False, mark=Label.HAM))], 18)
    assert await lessons.known(ANN, [key]) == {key: Known(False, Label.HAM, Label.SPAM)}
    assert await lessons.watermark(ANN) == 18
    await lessons.mark({ANN: 20, BEN: 5})
    assert (await lessons.watermark(ANN), await lessons.watermark(BEN)) == (20, 5)
    assert await lessons.watermark(CY) is None
    assert await shown(lessons, ANN) == [(ANN, Label.SPAM, [1])]


async def test_the_site_has_what_counts_with_who_taught_it(lessons: SpamLessons) -> None:
    await teach(lessons, ANN, [lesson(1, Label.SPAM, 1)])
    await teach(lessons, BEN, [lesson(1, Label.HAM, 2)])
    await teach(lessons, SITE, [lesson(number, Label.HAM, 3) for number in range(250)])
    found = await shown(lessons, SITE)
    assert len(found) == 252
    assert found[-2:] == [(ANN, Label.SPAM, [1]), (BEN, Label.HAM, [2])]
    totals = await lessons.totals(SITE)
    assert (totals.own, totals.site, totals.voters) == (Counts(1, 251), Counts(1, 1), 2)


async def test_an_account_that_teaches_far_more_than_others_has_no_say(
    lessons: SpamLessons,
) -> None:
    for account in (BEN, CY):
        await teach(lessons, account, [lesson(n, Label.SPAM, 1) for n in range(20)])
    steps = await teach(lessons, ANN, [lesson(n, Label.SPAM, 1) for n in range(500)])
    assert sum(step.after.site for step in steps) == 30
    assert len(await shown(lessons, ANN)) == 500
    assert (await lessons.totals(SITE)).own == Counts(70, 0)
    await teach(lessons, ANN, [lesson(n, Label.NONE) for n in range(500)])
    assert (await lessons.totals(SITE)).own == Counts(40, 0)
    assert len(await shown(lessons, SITE)) == 40


async def test_a_lone_account_has_its_free_votes(lessons: SpamLessons) -> None:
    steps = await teach(lessons, ANN, [lesson(n, Label.HAM, 1) for n in range(50)])
    assert sum(step.after.site for step in steps) == FREE_VOTES


async def test_forgetting_an_account_leaves_what_others_taught(lessons: SpamLessons) -> None:
    await teach(lessons, BEN, [lesson(1, Label.SPAM, 1, 2)])
    await teach(lessons, ANN, [lesson(1, Label.SPAM, 1), lesson(2, Label.HAM, 2)], 9)
    await lessons.forget(ANN)
    assert await shown(lessons, SITE) == [(BEN, Label.SPAM, [1, 2])]
    assert await shown(lessons, ANN) == []
    assert (await lessons.totals(SITE)).own == Counts(1, 0)
    assert (await lessons.totals(ANN)).own == Counts()
    assert await lessons.watermark(ANN) == 9


async def test_forgetting_the_site_leaves_the_accounts(lessons: SpamLessons) -> None:
    await teach(lessons, SITE, [lesson(1, Label.SPAM, 1, 2)])
    await teach(lessons, ANN, [lesson(1, Label.SPAM, 1)])
    await lessons.forget(SITE)
    assert await shown(lessons, SITE) == []
    assert await shown(lessons, ANN) == [(ANN, Label.SPAM, [1])]
    # what was counted is not taken from what does not have it
    await teach(lessons, BEN, [lesson(1, Label.SPAM, 1)])
    await teach(lessons, ANN, [lesson(1, Label.NONE)])
    assert (await lessons.totals(SITE)).own == Counts(1, 0)


async def test_old_messages_go(lessons: SpamLessons) -> None:
    lessons.bounds = Bounds(learned=2, site=3, unlearned=1)
    for number in range(6):
        await teach(lessons, ANN, [lesson(number, Label.SPAM, number)])
        await teach(lessons, SITE, [lesson(number, Label.SPAM, number)])
        await teach(lessons, BEN, [Lesson(lesson(number, None).key, Known(in_junk=True))])
    keys = [lesson(number, None).key for number in range(6)]
    assert await lessons.excess() == {SITE: keys[:3], ANN: keys[:4]}
    await lessons.prune()
    assert await lessons.known(BEN, keys) == {keys[5]: Known(in_junk=True)}
    lessons.bounds = Bounds(unlearned_seconds=0.0)
    await lessons.prune()
    assert await lessons.known(BEN, keys) == {}
    assert len(await shown(lessons, ANN)) == 6
    assert await lessons.excess() == {}


async def test_neither_kind_drives_the_other_out(lessons: SpamLessons) -> None:
    """As commands teach: all of one kind, then all of the other."""
    lessons.bounds = Bounds(learned=4, site=6)
    for number in range(8):
        await teach(lessons, SITE, [lesson(number, Label.SPAM, number)])
    for number in range(8, 16):
        await teach(lessons, SITE, [lesson(number, Label.HAM, number)])
    await teach(lessons, ANN, [lesson(0, Label.SPAM, 1)])
    for number in range(1, 9):
        await teach(lessons, ANN, [lesson(number, Label.HAM, number)])
    keys = [lesson(number, None).key for number in range(16)]
    found = await lessons.excess()
    assert {owner: set(gone) for owner, gone in found.items()} == {
        SITE: {*keys[:5], *keys[8:13]},
        ANN: set(keys[1:6]),
    }


async def test_steps_are_kept_and_sums_only_while_they_are_true(lessons: SpamLessons) -> None:
    await teach(lessons, ANN, [lesson(1, Label.SPAM, 1), lesson(2, Label.HAM, 2)])
    example = await lessons.example(ANN, lesson(1, None).key)
    assert example is not None
    assert (example.label, example.site_step, example.own_step) == (Label.SPAM, 3, 5)
    for owner in (SITE, ANN, BEN):
        await lessons.keep_weights(owner, 1, b"sums")
        await lessons.keep_weights(owner, 1, b"newer sums")
        assert await lessons.weights(owner, 1) == b"newer sums"
        assert await lessons.weights(owner, 2) is None
    await teach(lessons, ANN, [Lesson(lesson(3, None).key, Known(in_junk=True))], 7)
    assert await lessons.weights(SITE, 1) == b"newer sums"  # nothing was learned
    await teach(lessons, ANN, [lesson(1, Label.NONE)])
    assert await lessons.weights(SITE, 1) is None
    assert await lessons.weights(ANN, 1) is None
    assert await lessons.weights(BEN, 1) == b"newer sums"
    assert await lessons.example(ANN, lesson(1, None).key) is None


async def test_an_account_that_is_gone_leaves_nothing(lessons: SpamLessons) -> None:
    seen = Lesson(lesson(2, None).key, Known(in_junk=True))
    await teach(lessons, ANN, [lesson(1, Label.SPAM, 1), seen], 9)
    await lessons.forget(ANN, gone=True)
    assert await lessons.known(ANN, [lesson(1, None).key, seen.key]) == {}
    assert await lessons.watermark(ANN) is None
    assert (await lessons.totals(SITE)).own == Counts()


async def test_steps_weighed_anew_take_the_place_of_the_old(lessons: SpamLessons) -> None:
    await teach(lessons, SITE, [lesson(1, Label.HAM, 1)])
    await teach(lessons, ANN, [lesson(1, Label.SPAM, 1), lesson(2, Label.HAM, 2)])
    keys = [lesson(number, None).key for number in (1, 2)]
    await lessons.keep_weights(SITE, 1, b"sums")
    await lessons.restep(SITE, {(ANN, keys[0]): 7, (ANN, keys[1]): 0, (SITE, keys[0]): 8})
    assert await lessons.weights(SITE, 1) is None
    await lessons.restep(ANN, {(ANN, keys[0]): 9})
    steps = {
        (voter, key): (example.site_step, example.own_step)
        async for page in lessons.examples(SITE)
        for voter, key, example in page
    }
    assert steps == {(ANN, keys[0]): (7, 9), (ANN, keys[1]): (0, 5), (SITE, keys[0]): (8, 5)}
    assert await lessons.owners() == [ANN]
