"""Codes and devices in both kinds of account database, as time passes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.credential_values import CredentialId
from storage.directory import Directory
from storage.oauth_codes import LIFE as CODE_LIFE
from storage.oauth_codes import OAuthCode, OAuthCodes, Replayed
from storage.oauth_devices import LIFE, OAuthDevice, OAuthDevices, Waiting
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

SESSION = CredentialId(5)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Directory, MovedClock, AccountId]]:
    clock = MovedClock()
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url), clock) as directory,
    ):
        account = await directory.add_account("ada@example.test", "hash")
        yield directory, clock, account.id


async def test_a_code_is_good_for_a_minute(
    site: tuple[Directory, MovedClock, AccountId],
) -> None:
    directory, clock, ada = site
    codes = OAuthCodes(directory.database, clock)
    code = OAuthCode(ada, SESSION, "c", "https://x.test/", "ch", ("openid",), "n", 12.5)
    await codes.add(b"a", code)
    await codes.add(b"b", code)
    assert await codes.take(b"a") == code
    assert await codes.bind(b"a", CredentialId(7))
    assert await codes.take(b"a") == Replayed(ada, CredentialId(7))
    assert await codes.take(b"c") is None
    clock.seconds += CODE_LIFE
    assert await codes.take(b"b") is None


async def test_a_code_that_comes_again_before_something_came_of_it(
    site: tuple[Directory, MovedClock, AccountId],
) -> None:
    directory, clock, ada = site
    codes = OAuthCodes(directory.database, clock)
    await codes.add(b"a", OAuthCode(ada, SESSION, "c", "r", "ch", (), "", 0.0))
    assert isinstance(await codes.take(b"a"), OAuthCode)
    assert await codes.take(b"a") == Replayed(ada, None)
    assert not await codes.bind(b"a", CredentialId(7))


async def test_a_device_waits_longer_when_it_asks_too_soon(
    site: tuple[Directory, MovedClock, AccountId],
) -> None:
    directory, clock, ada = site
    devices = OAuthDevices(directory.database, clock)
    await devices.add(b"d", b"u", OAuthDevice("c", ("openid",)), "192.0.2.1")
    assert await devices.ask(b"d", "other") is None
    assert await devices.ask(b"d", "c") is Waiting.PENDING
    clock.seconds += 5
    assert await devices.ask(b"d", "c") is Waiting.PENDING
    clock.seconds += 3
    assert await devices.ask(b"d", "c") is Waiting.TOO_SOON
    clock.seconds += 6
    assert await devices.ask(b"d", "c") is Waiting.TOO_SOON
    clock.seconds += 15
    assert await devices.ask(b"d", "c") is Waiting.PENDING
    assert await devices.answer(b"u", True, ada, SESSION, 3.5)
    assert not await devices.answer(b"u", False, ada, SESSION, 3.5)
    clock.seconds += 15
    assert await devices.ask(b"d", "c") == OAuthDevice("c", ("openid",), ada, SESSION, 3.5)
    assert await devices.ask(b"d", "c") is None


async def test_the_time_of_a_device_is_over(
    site: tuple[Directory, MovedClock, AccountId],
) -> None:
    directory, clock, ada = site
    devices = OAuthDevices(directory.database, clock)
    await devices.add(b"d", b"u", OAuthDevice("c", ()), "192.0.2.1")
    clock.seconds += LIFE
    assert await devices.of_user_code(b"u") is None
    assert not await devices.answer(b"u", True, ada, SESSION, 0.0)
    assert await devices.ask(b"d", "c") is Waiting.EXPIRED
