"""The classifier's counts: taught once, taken back exactly, guarded against one account, bounded;
on SQLite and PostgreSQL.
"""

from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.clock import SystemClock
from net.threads import Offload
from storage.history_database import HistoryDatabase
from storage.spam_models import FREE_VOTES, Bounds, SpamModels
from storage.spam_values import NOTHING, SITE, Counts, Known, Label, Lesson
from storage.values import AccountId
from tests.support.directories import own_database

ANN, BEN, CY = AccountId(11), AccountId(12), AccountId(13)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def models(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SpamModels]:
    async with own_database(request.param) as database:
        offload = Offload()
        history = await HistoryDatabase.open(database, tmp_path, offload)
        yield SpamModels(history, SystemClock())
        await history.close()
        offload.close()


def lesson(number: int, label: Label | None, *features: int) -> Lesson:
    return Lesson(number.to_bytes(16, "big"), Known(), label, array("I", features))


async def test_a_message_counts_once_and_under_its_last_label(models: SpamModels) -> None:
    await models.teach(ANN, [lesson(0, Label.SPAM, 7, 8), lesson(9, Label.HAM, 8, 9)])
    before = await models.rows(ANN, [7, 8, 9, 10])
    assert before[1] == {7: (1, 0), 8: (1, 1), 9: (0, 1)}
    first = await models.teach(ANN, [lesson(1, Label.SPAM, 8, 4_000_000_000)])
    assert (first.learned, first.taken_back) == (1, 0)
    again = await models.teach(ANN, [lesson(1, Label.SPAM, 8, 4_000_000_000)])
    assert (again.learned, again.taken_back, again.features) == (0, 0, frozenset())
    _, own = await models.rows(ANN, [8, 4_000_000_000])
    assert own == {8: (2, 1), 4_000_000_000: (1, 0)}
    # the features of a later look may differ (another version): what was learned is taken back
    turned = await models.teach(ANN, [lesson(1, Label.HAM, 5)])
    assert (turned.learned, turned.taken_back) == (1, 1)
    _, own = await models.rows(ANN, [5, 7, 8, 9, 4_000_000_000])
    assert own == {**before[1], 5: (0, 1)}
    gone = await models.teach(ANN, [lesson(1, Label.NONE)])
    assert (gone.learned, gone.taken_back) == (0, 1)
    assert await models.rows(ANN, [5, 7, 8, 9, 4_000_000_000]) == before
    assert (await models.totals(ANN)).own == Counts(1, 1)
    assert await models.known(ANN, [lesson(1, None).key]) == {}


async def test_what_is_remembered_stays_without_a_label(models: SpamModels) -> None:
    key = lesson(1, None).key
    await models.teach(ANN, [Lesson(key, Known(in_junk=True), Label.SPAM, array("I", [1]))], 17)
    assert await models.watermark(ANN) == 17
    await models.teach(ANN, [Lesson(key, Known(in_junk=False, mark=Label.HAM))], 18)
    assert await models.known(ANN, [key]) == {key: Known(False, Label.HAM, Label.SPAM)}
    assert await models.watermark(ANN) == 18
    assert await models.watermark(BEN) is None
    assert (await models.rows(ANN, [1]))[1] == {1: (1, 0)}


async def test_a_feature_counts_site_wide_once_two_accounts_taught_it(models: SpamModels) -> None:
    await models.teach(ANN, [lesson(number, Label.SPAM, 1, 2) for number in range(5)])
    site, own = await models.rows(BEN, [1, 2])
    assert (site, own) == ({}, {})
    await models.teach(BEN, [lesson(1, Label.SPAM, 2, 3)])
    assert (await models.rows(CY, [1, 2, 3]))[0] == {2: (6, 0)}
    await models.teach(SITE, [lesson(1, Label.HAM, 3, 4)])
    assert (await models.rows(CY, [1, 2, 3, 4]))[0] == {2: (6, 0), 3: (1, 1), 4: (0, 1)}
    totals = await models.totals(SITE)
    assert (totals.own, totals.site, totals.voters) == (Counts(6, 1), Counts(6, 0), 2)


async def test_an_account_that_teaches_far_more_than_others_has_no_say(models: SpamModels) -> None:
    for account in (BEN, CY):
        await models.teach(account, [lesson(n, Label.SPAM, 1) for n in range(10)])
    done = await models.teach(ANN, [lesson(n, Label.SPAM, 1) for n in range(500)])
    assert (done.learned, done.site) == (500, 40)
    assert (await models.rows(ANN, [1])) == ({1: (60, 0)}, {1: (500, 0)})
    # what it takes back is what counted
    await models.teach(ANN, [lesson(n, Label.NONE) for n in range(500)])
    assert (await models.rows(ANN, [1])) == ({1: (20, 0)}, {})
    assert (await models.totals(SITE)).own == Counts(20, 0)


async def test_a_lone_account_has_its_free_votes(models: SpamModels) -> None:
    done = await models.teach(ANN, [lesson(n, Label.HAM, 1) for n in range(50)])
    assert (done.learned, done.site) == (50, FREE_VOTES)


async def test_forgetting_an_account_leaves_what_others_taught(models: SpamModels) -> None:
    await models.teach(BEN, [lesson(1, Label.SPAM, 1, 2)])
    await models.teach(ANN, [lesson(1, Label.SPAM, 1), lesson(2, Label.HAM, 2)])
    await models.forget(ANN)
    assert await models.rows(ANN, [1, 2]) == ({1: (1, 0), 2: (1, 0)}, {})
    assert (await models.totals(SITE)).own == Counts(1, 0)
    assert (await models.totals(ANN)).own == Counts()


async def test_forgetting_the_site_leaves_the_accounts(models: SpamModels) -> None:
    await models.teach(SITE, [lesson(1, Label.SPAM, 1, 2)])
    await models.teach(ANN, [lesson(1, Label.SPAM, 1)])
    await models.forget(SITE)
    assert await models.rows(ANN, [1, 2]) == ({}, {1: (1, 0)})
    # what was counted is not taken from a model that does not have it
    await models.teach(BEN, [lesson(1, Label.SPAM, 1)])
    await models.teach(SITE, [lesson(1, Label.SPAM, 1)])
    await models.teach(ANN, [lesson(1, Label.NONE)])
    assert (await models.rows(CY, [1]))[0] == {1: (2, 0)}


async def test_rare_old_features_and_old_messages_go(models: SpamModels) -> None:
    models.bounds = Bounds(site_features=3, account_features=2, messages=3)
    for number in range(6):
        await models.teach(ANN, [lesson(number, Label.SPAM, 1, 2, 100 + number)])
    seen = Lesson(b"never learned...", Known(in_junk=True))
    await models.teach(ANN, [seen])
    assert await models.prune() > 0
    _, own = await models.rows(ANN, [1, 2, *range(100, 106)])
    assert own == {1: (6, 0), 2: (6, 0)}
    kept = await models.known(ANN, [seen.key, *(lesson(n, None).key for n in range(6))])
    assert set(kept) == {seen.key, lesson(4, None).key, lesson(5, None).key}
    # taking back what was pruned leaves no count below nothing
    await models.teach(ANN, [lesson(5, Label.NONE), lesson(4, Label.NONE)])
    assert (await models.rows(ANN, [1, 104]))[1] == {1: (4, 0)}
    models.bounds = Bounds(unlearned=0.0)
    await models.prune()
    assert await models.known(ANN, [seen.key]) == {}
    assert seen.known != NOTHING
