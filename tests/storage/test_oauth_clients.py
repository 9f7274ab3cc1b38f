"""Programs that may ask for OAuth tokens, in both kinds of account database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage import oauth_clients
from storage.directory import Directory
from storage.directory_values import NotAllowed
from storage.oauth_clients import UNUSED, OAuthClient, OAuthClients
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database


@dataclass
class Site:
    clients: OAuthClients
    clock: MovedClock
    ada: AccountId

    async def add(self, number: str, *, registered: bool = True) -> OAuthClient:
        return await self.clients.add(
            OAuthClient(number, number, (), ("openid",), registered=registered)
        )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    clock = MovedClock()
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url), clock) as directory,
    ):
        yield await _site(directory, clock)


async def _site(directory: Directory, clock: MovedClock) -> Site:
    ada = await directory.add_account("ada@example.test", "hash")
    return Site(OAuthClients(directory.database, clock), clock, ada.id)


async def test_who_registers_many_takes_no_place_of_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth_clients, "MAX_REGISTERED", 2)
    await site.add("used")
    await site.clients.allow(site.ada, "used", ("openid",))
    site.clock.seconds += 1
    await site.add("unused")
    with pytest.raises(NotAllowed):
        await site.add("early")
    await site.add("of the administrator", registered=False)
    site.clock.seconds += UNUSED + 1
    await site.add("late")
    with pytest.raises(NotAllowed):
        await site.add("later")
    found = [one.id for one in await site.clients.listed()]
    assert found == ["used", "of the administrator", "late"]
