"""Registrations of services in SQL, on both databases, and what processes tell each other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from storage.directory import Directory
from storage.directory_values import AccountChange
from storage.service_endpoints import EXPIRY, ServiceEndpoint, ServiceEndpoints
from storage.shared_changes import SharedChanges
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

ONE = ServiceEndpoint("a", "auth", "1", "unix:/a", ("POST /login", "POST /logout"), 7, 1.0)


@pytest.fixture(params=["sqlite", "postgresql"])
async def directories(
    tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Directory, Directory, MovedClock]]:
    """Two processes' views of one database, and their clock."""
    async with own_database(request.param) as database:
        clock, settings = MovedClock(), make_settings(tmp_path, database)
        async with open_directory(settings, clock) as one, open_directory(settings, clock) as two:
            yield one, two, clock


async def test_registrations_are_seen_until_they_expire(
    directories: tuple[Directory, Directory, MovedClock],
) -> None:
    here, there, clock = directories
    writing = ServiceEndpoints(here.database, clock)
    reading = ServiceEndpoints(there.database, clock)
    await writing.register(ONE)
    assert await reading.listed("auth") == [replace(ONE, heartbeat=clock.now())]
    assert await reading.listed("mail") == []
    clock.seconds += EXPIRY - 1
    assert await writing.beat("a")
    clock.seconds += EXPIRY - 1
    assert [one.id for one in await reading.listed()] == ["a"]
    clock.seconds += 2
    assert await reading.listed() == []
    other = replace(ONE, id="b", routes=())
    await writing.register(other)
    assert not await writing.beat("a")
    assert [one.routes for one in await reading.listed()] == [()]
    await writing.withdraw("b")
    assert await reading.listed() == []


async def test_what_one_changes_the_other_does_not_remember(
    directories: tuple[Directory, Directory, MovedClock],
) -> None:
    here, there, _ = directories
    one, two = SharedChanges(here), SharedChanges(there)
    one.attach(two.heard)
    two.attach(one.heard)
    heard: list[AccountChange] = []
    there.on_change(heard.append)
    assert await there.account("ada@example.test") is None
    made = await here.add_account("ada@example.test", "hash")
    assert await there.account("ada@example.test") == made
    await here.set_password("ada@example.test", "another")
    found = await there.account("ada@example.test")
    assert found is not None
    assert found.password_hash == "another"
    assert [(one.kind.value, one.elsewhere) for one in heard] == [
        ("created", True),
        ("password", True),
    ]
    assert there.credentials.passwords(made.id) == 1
    await one.close()
    await two.close()


async def test_blocks_and_domains_of_another_process_come_into_force(
    directories: tuple[Directory, Directory, MovedClock],
) -> None:
    here, there, _ = directories
    one, two = SharedChanges(here), SharedChanges(there)
    one.attach(two.heard)
    ended: list[str] = []
    there.blocks.on_change(lambda block: ended.append(str(block.network)))
    await here.blocks.add(ip_network("192.0.2.0/24"))
    await here.add_domain("other.test")
    here.known_logins.note((await here.add_account("bob@other.test", "x")).id, "198.51.100.1")
    await two.settle()
    assert ended == ["192.0.2.0/24"]
    assert there.serves("other.test")
    bob = await there.account("bob@other.test")
    assert bob is not None
    assert there.known_logins.has(bob.id, "198.51.100.1")
    await here.blocks.delete(ip_network("192.0.2.0/24"))
    await two.settle()
    assert there.blocks.covering("192.0.2.9") is None
    two.heard(b"no event")
    two.heard(b'{"id":"x","what":"account","account":"a"}')
    await one.close()
    await two.close()
