"""Keys of requests on both databases: an answer is given again, a doubt stays one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.answers import ABANDONED, LIFE, Answers, Claim, Stored
from storage.directory import Directory
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

KEY, ASKED = b"k" * 32, b"a" * 32
MADE = Stored(201, {"etag": '"a"'}, b"{}")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(
    request: pytest.FixtureRequest, tmp_path: Path, clock: MovedClock
) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as database,
        open_directory(make_settings(tmp_path, database), clock) as opened,
    ):
        yield opened


async def opened(directory: Directory, clock: MovedClock) -> tuple[Answers, AccountId]:
    account = await directory.add_account("ada@example.test", "correct horse")
    return Answers(directory.database, clock), account.id


async def test_an_answer_is_given_again_for_a_day(directory: Directory, clock: MovedClock) -> None:
    answers, ada = await opened(directory, clock)
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE
    assert await answers.claim(ada, KEY, ASKED) is Claim.RUNNING
    await answers.store(ada, KEY, MADE)
    assert await answers.claim(ada, KEY, ASKED) == MADE
    assert await answers.claim(ada, KEY, b"other") is Claim.OTHER
    clock.seconds += LIFE + 1
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE


async def test_what_was_released_may_come_again(directory: Directory, clock: MovedClock) -> None:
    answers, ada = await opened(directory, clock)
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE
    await answers.release(ada, KEY)
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE


async def test_a_key_whose_process_died_stays_taken(
    directory: Directory, clock: MovedClock
) -> None:
    answers, ada = await opened(directory, clock)
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE
    clock.seconds += ABANDONED + 1
    assert await answers.claim(ada, KEY, ASKED) is Claim.BROKEN
    assert await answers.claim(ada, KEY, b"other") is Claim.OTHER
    clock.seconds += LIFE
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE


async def test_what_was_given_up_is_in_doubt_at_once(
    directory: Directory, clock: MovedClock
) -> None:
    answers, ada = await opened(directory, clock)
    assert await answers.claim(ada, KEY, ASKED) is Claim.MINE
    await answers.give_up(ada, KEY)
    assert await answers.claim(ada, KEY, ASKED) is Claim.BROKEN
