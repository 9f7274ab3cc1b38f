"""Registrations of services in SQL, on both databases, and what processes tell each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from auth.audit import Audit
from auth.issuing import Issuer
from storage.directory import Directory
from storage.directory_values import AccountChange, NotAllowed
from storage.passkeys import NewPasskey
from storage.second_factors import GivenCode, Spent
from storage.service_endpoints import EXPIRY, ServiceEndpoint, ServiceEndpoints
from storage.shared_changes import SharedChanges
from storage.sign_up_values import Bounds
from storage.sms_factors import NewCode
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

    assert not await there.second_factors.is_on(made.id)
    await here.second_factors.begin(made.id, b"key")
    await here.second_factors.confirm(made.id, 1, [])
    assert await there.second_factors.is_on(made.id)
    await here.second_factors.remove(made.id)
    assert not await there.second_factors.is_on(made.id)
    await one.close()
    await two.close()


async def test_a_second_factor_that_was_taken_off_is_remembered_by_nobody(
    directories: tuple[Directory, Directory, MovedClock],
) -> None:
    here, there, _ = directories
    one, two = SharedChanges(here), SharedChanges(there)
    one.attach(two.heard)
    account = (await here.add_account("ada@example.test", "hash")).id
    new = NewPasskey(b"credential", b"key", 0, (), synced=False)
    code = NewCode(b"salt", b"code", "192.0.2.1", limited=False)

    async def totp_off() -> None:
        assert await here.second_factors.remove(account)

    async def totp_on() -> Callable[[], Awaitable[object]]:
        await here.second_factors.begin(account, b"key")
        await here.second_factors.confirm(account, 1, [b"recovery"])
        return totp_off

    async def passkey_on() -> Callable[[], Awaitable[object]]:
        made, _ = await here.passkeys.add(account, new, "phone", [b"recovery"])
        return lambda: here.passkeys.delete(account, made.id)

    async def sms_on() -> Callable[[], Awaitable[object]]:
        await here.sms_factors.begin(account, "+431234567", code, Bounds(of_all=9))
        await here.sms_factors.confirm(account, lambda salt: b"code", [b"recovery"])
        return lambda: here.sms_factors.remove(account)

    for switched_on in (totp_on, passkey_on, sms_on):
        assert not await there.second_factors.is_on(account)
        off = await switched_on()
        assert await there.second_factors.is_on(account)
        await off()
    assert not await there.second_factors.is_on(account)
    await one.close()
    await two.close()


async def no_keys(_address: str, _password: str) -> str:
    return ""


async def test_no_session_outlives_a_password_set_by_another_process(
    directories: tuple[Directory, Directory, MovedClock],
) -> None:
    """Also one that is opened before anything is heard of it, or at the same moment."""
    here, there, clock = directories
    issuer = Issuer(there, clock, Audit(there, clock), no_keys)
    await here.add_account("ada@example.test", "hash")
    for turn in range(10):
        account = await there.account("ada@example.test")
        assert account is not None
        await asyncio.gather(
            here.set_password("ada@example.test", f"hash {turn}"),
            issuer.open_session(account, "early"),
            return_exceptions=True,
        )
        with pytest.raises(NotAllowed):
            await issuer.open_session(account, "late")
        with pytest.raises(NotAllowed):
            await issuer.open_browser(account, "late")
        assert await here.credentials.of(account.id) == []
        await there.refresh()


async def test_a_code_is_taken_by_one_of_several_processes(
    directories: tuple[Directory, Directory, MovedClock],
) -> None:
    here, there, _ = directories
    account = (await here.add_account("ada@example.test", "hash")).id
    await here.second_factors.begin(account, b"key")
    await here.second_factors.confirm(account, 1, [])
    for step in range(2, 12):
        code = GivenCode(step, None)
        both = (one.second_factors.spend(account, code) for one in (here, there))
        found = [one.spent for one in await asyncio.gather(*both)]
        assert sorted(found, key=str) == [Spent.TAKEN, Spent.WRONG]


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
    await here.known_logins.forget_network(bob.id, "198.51.100.0/24")
    assert here.known_logins.networks(bob.id) == there.known_logins.networks(bob.id) == {}
    await here.blocks.delete(ip_network("192.0.2.0/24"))
    await two.settle()
    assert there.blocks.covering("192.0.2.9") is None
    two.heard(b"no event")
    two.heard(b'{"id":"x","what":"account","account":"a"}')
    await one.close()
    await two.close()
