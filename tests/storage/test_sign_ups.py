"""How often codes may leave, how long they are good, and invites: on SQLite and PostgreSQL."""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.directory import Directory
from storage.directory_values import Absent, NotAllowed
from storage.invites import Invites
from storage.sent_codes import DAY
from storage.sign_up_values import Applied, Bounds, Checked, NewSignUp, SignUp, SignUpId
from storage.sign_ups import SignUps
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

BOUNDS = Bounds(of_all=1000)
KIND = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(params=KIND)
async def directory(
    tmp_path: Path, clock: MovedClock, request: pytest.FixtureRequest
) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as database,
        open_directory(make_settings(tmp_path, database), clock) as opened,
    ):
        yield opened


@pytest.fixture
def sign_ups(directory: Directory, clock: MovedClock) -> SignUps:
    return SignUps(directory, clock)


def mac(salt: bytes, code: str) -> bytes:
    return hmac.digest(b"key", salt + code.encode(), "sha256")


def asks(
    name: str = "ann",
    target: str = "+431234567",
    peer: str = "192.0.2.1",
    code: str = "123456",
    limited: bool = True,
) -> NewSignUp:
    salt, key = os.urandom(16), f"{name}@example.test"
    kept = mac(salt, code)
    return NewSignUp(key, key, "", "hash", "", target, peer, limited, None, salt, kept)


async def check(sign_ups: SignUps, code: str, name: str = "ann") -> SignUp | Checked:
    return await sign_ups.check(f"{name}@example.test", lambda salt: mac(salt, code), BOUNDS)


async def test_pauses_grow_and_a_day_has_an_end(sign_ups: SignUps, clock: MovedClock) -> None:
    for pause in (30.0, 60.0, 120.0):
        assert await sign_ups.apply(asks(), BOUNDS) == Applied(sends=True)
        assert await sign_ups.apply(asks(), BOUNDS) == Applied(wait=pause)
        clock.seconds += pause
    assert (await sign_ups.apply(asks(), BOUNDS)).wait == 0
    assert await sign_ups.apply(asks(), BOUNDS) == Applied(wait=DAY - 210)
    clock.seconds += DAY - 210
    assert await sign_ups.apply(asks(), BOUNDS) == Applied(sends=True)


async def test_a_stranger_does_not_learn_who_asked_before(sign_ups: SignUps) -> None:
    assert await sign_ups.apply(asks(), BOUNDS) == Applied(sends=True)
    assert (await sign_ups.apply(asks(peer="192.0.2.2"), BOUNDS)).wait == 0
    assert (await sign_ups.apply(asks(peer="192.0.2.2"), BOUNDS)).wait == 30


async def test_a_number_gets_ten_codes_a_day(sign_ups: SignUps) -> None:
    found = [
        await sign_ups.apply(asks(f"name{number}", peer=f"192.0.2.{number}"), BOUNDS)
        for number in range(12)
    ]
    assert found == [Applied(sends=True)] * 10 + [Applied(sends=False)] * 2


async def test_an_address_gets_twenty_a_day(sign_ups: SignUps, clock: MovedClock) -> None:
    async def ask(number: int, limited: bool = True) -> Applied:
        new = asks(f"name{number}", f"+4312345{number:02}", limited=limited)
        return await sign_ups.apply(new, BOUNDS)

    assert all([(await ask(number)).sends for number in range(20)])
    clock.seconds += 60
    assert await ask(20) == Applied(wait=DAY - 60)
    assert (await ask(20, limited=False)).sends


async def test_all_have_an_end_together(sign_ups: SignUps) -> None:
    few = Bounds(of_all=2)
    for number in range(2):
        new = asks(f"name{number}", f"+43123450{number}", f"192.0.2.{number}")
        assert (await sign_ups.apply(new, few)).sends
    assert (await sign_ups.apply(asks("name2", "+431234599", "192.0.2.9"), few)).wait == DAY


async def test_a_code_is_good_for_ten_minutes(sign_ups: SignUps, clock: MovedClock) -> None:
    await sign_ups.apply(asks(), BOUNDS)
    clock.seconds += 599
    assert isinstance(await check(sign_ups, "123456"), SignUp)
    clock.seconds += 1
    assert await check(sign_ups, "123456") is Checked.EXPIRED
    assert await check(sign_ups, "123456", "nobody") is Checked.WRONG


async def test_tries_count_when_they_come_at_once(sign_ups: SignUps) -> None:
    await sign_ups.apply(asks(), BOUNDS)
    found = await asyncio.gather(*(check(sign_ups, f"{number:06}") for number in range(20)))
    assert found.count(Checked.WRONG) == 5
    assert found.count(Checked.EXPIRED) == 15
    assert await check(sign_ups, "123456") is Checked.EXPIRED


async def test_a_right_code_is_taken_once(sign_ups: SignUps) -> None:
    """Who gives it at the same time gets nothing by it; it is good again when nothing came of it,
    with the tries that it had.
    """
    await sign_ups.apply(asks(), BOUNDS)
    assert await check(sign_ups, "000000") is Checked.WRONG
    found = await asyncio.gather(*(check(sign_ups, "123456") for _ in range(8)))
    (taken,) = [one for one in found if isinstance(one, SignUp)]
    assert found.count(Checked.WRONG) == 7
    assert await sign_ups.pending() == []
    await sign_ups.release(taken)
    assert [one.tries for one in await sign_ups.pending()] == [1]
    assert isinstance(await check(sign_ups, "123456"), SignUp)


async def test_accounts_that_are_being_made_count(sign_ups: SignUps) -> None:
    for name in ("ann", "ben"):
        assert (await sign_ups.apply(asks(name), BOUNDS)).sends
    one = Bounds(of_all=1000, accounts=1)
    found = [
        await sign_ups.check(f"{name}@example.test", lambda salt: mac(salt, "123456"), one)
        for name in ("ann", "ben")
    ]
    assert isinstance(found[0], SignUp)
    assert found[1] is Checked.EXPIRED


async def test_three_codes_of_a_name_are_good_at_once(sign_ups: SignUps) -> None:
    for number in range(4):
        new = asks(target=f"+43123450{number}", peer=f"192.0.2.{number}", code=f"00000{number}")
        assert (await sign_ups.apply(new, BOUNDS)).sends is (number < 3)
    assert await check(sign_ups, "000003") is Checked.WRONG
    found = await check(sign_ups, "000001")
    assert isinstance(found, SignUp)
    assert found.target == "+431234501"


async def test_where_an_account_was_reached_goes_with_it(
    directory: Directory, sign_ups: SignUps
) -> None:
    await sign_ups.apply(asks(), BOUNDS)
    found = await check(sign_ups, "123456")
    assert isinstance(found, SignUp)
    account = await directory.add_account(found.address, "hash")
    await sign_ups.settle(found, account.key, account.id)
    assert await check(sign_ups, "123456") is Checked.WRONG
    assert await sign_ups.target_of(account.id) == "+431234567"
    await directory.delete_account(found.address)
    assert await sign_ups.target_of(account.id) is None


async def test_a_number_makes_five_accounts(
    sign_ups: SignUps, directory: Directory, clock: MovedClock
) -> None:
    """The fifth ends codes that are under way; a deleted account makes room."""
    names = [f"name{number}" for number in range(7)]
    for name in names[:6]:
        assert (await sign_ups.apply(asks(name), BOUNDS)).sends
    for name in names[:5]:
        found = await check(sign_ups, "123456", name)
        assert isinstance(found, SignUp)
        account = await directory.add_account(found.address, "hash")
        await sign_ups.settle(found, account.key, account.id)
    assert await check(sign_ups, "123456", names[5]) is Checked.EXPIRED
    assert await sign_ups.apply(asks(names[6]), BOUNDS) == Applied(sends=False)
    assert (await sign_ups.apply(asks(names[6], "+431999"), BOUNDS)).sends
    await directory.delete_account(account.address)
    clock.seconds += 60
    assert (await sign_ups.apply(asks(names[6]), BOUNDS)).sends


async def test_an_invite_is_good_for_one_account(directory: Directory, clock: MovedClock) -> None:
    invites = Invites(directory.database, clock)
    made = await invites.add(b"digest", "for Ann", clock.now() + 60)
    assert await invites.usable(b"digest")
    ups = SignUps(directory, clock)
    ids = []
    for number in range(2):
        await ups.apply(asks(f"name{number}", f"+4312345{number:02}"), BOUNDS)
        found = await check(ups, "123456", f"name{number}")
        assert isinstance(found, SignUp)
        ids.append(found.id)
    taken = await asyncio.gather(*(invites.take(b"digest", one) for one in ids))
    assert sorted(taken) == [False, True]
    first = ids[taken.index(True)]
    assert await invites.take(b"digest", first)
    await invites.give_back(first)
    other = ids[taken.index(False)]
    assert await invites.take(b"digest", other)
    await invites.used(other, "ann@example.test")
    assert not await invites.usable(b"digest")
    assert not await invites.take(b"digest", other)
    assert [one.account for one in await invites.listed()] == ["ann@example.test"]
    await invites.remove(made.id)
    with pytest.raises(Absent):
        await invites.remove(made.id)


async def test_an_invite_ends(directory: Directory, clock: MovedClock) -> None:
    invites = Invites(directory.database, clock)
    with pytest.raises(NotAllowed):
        await invites.add(b"digest", "", clock.now())
    await invites.add(b"digest", "", clock.now() + 60)
    clock.seconds += 60
    assert not await invites.usable(b"digest")
    assert not await invites.take(b"digest", SignUpId(1))


async def test_who_is_gone_keeps_no_invite(directory: Directory, clock: MovedClock) -> None:
    invites = Invites(directory.database, clock)
    await invites.add(b"digest", "", clock.now() + DAY)
    assert await invites.take(b"digest", SignUpId(77))
    assert await invites.take(b"digest", SignUpId(78))
