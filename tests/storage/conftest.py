"""The store of the tests, once on SQLite and once on PostgreSQL.

`store` has ACCOUNT and OTHER and no mirror; `home` opens and closes stores itself.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.store import Store
from tests.support.directories import own_database
from tests.support.stores import ACCOUNT, OTHER, StoreHome


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreHome]:
    async with own_database(request.param) as database:
        made = StoreHome(tmp_path, database)
        try:
            yield made
        finally:
            await made.clean_up()


@pytest.fixture
async def sqlite_home(tmp_path: Path) -> AsyncIterator[StoreHome]:
    made = StoreHome(tmp_path, "sqlite")
    try:
        yield made
    finally:
        await made.clean_up()


@pytest.fixture
async def store(home: StoreHome) -> Store:
    made = await home.open()
    await made.add_account(ACCOUNT)
    await made.add_account(OTHER)
    return made
