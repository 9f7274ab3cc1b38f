"""Codes by SMS as second factor and for forgotten passwords, what is used once, and who waits: on
SQLite and PostgreSQL.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from storage.directory import Directory
from storage.directory_values import Absent, Account, AccountChange, AlreadyExists, NotAllowed
from storage.factor_rows import PAUSE
from storage.factor_rows import TRIES as OF_FACTOR
from storage.resets import NewReset, Resets
from storage.second_factors import GivenCode, Spent, TakenAs
from storage.sent_codes import DAY
from storage.sign_up_values import LIFE, TRIES, Applied, Bounds, Checked
from storage.sms_factors import OF_ACCOUNT, NewCode
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

PHONE, OTHER = "+431234567", "+431234568"
BOUNDS = Bounds(of_all=1000, of_name=10, of_target=20)
Mac = Callable[[bytes], bytes]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(
    tmp_path: Path, clock: MovedClock, request: pytest.FixtureRequest
) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as database,
        open_directory(make_settings(tmp_path, database), clock) as opened,
    ):
        yield opened


@pytest.fixture
async def ada(directory: Directory) -> Account:
    return await directory.add_account("ada@example.test", "hash")


def mac(code: str) -> Mac:
    return lambda salt: hmac.digest(b"key", salt + code.encode(), "sha256")


def new(code: str = "123456", peer: str = "192.0.2.1") -> NewCode:
    salt = os.urandom(16)
    return NewCode(salt, mac(code)(salt), peer, True)


async def give(directory: Directory, ada: Account, code: str) -> TakenAs:
    return await directory.second_factors.spend(ada.id, GivenCode(None, None, mac(code)))


async def switch_on(directory: Directory, ada: Account) -> None:
    factors = directory.sms_factors
    assert await factors.begin(ada.id, PHONE, new("111111"), BOUNDS) == Applied(sends=True)
    assert await factors.confirm(ada.id, mac("111111"), [b"a" * 32])


async def test_a_phone_is_switched_on_and_off(directory: Directory, ada: Account) -> None:
    told: list[AccountChange] = []
    directory.on_change(told.append)
    factors, kinds = directory.sms_factors, directory.second_factors.kinds
    with pytest.raises(Absent):
        await factors.confirm(ada.id, mac("111111"), [])
    with pytest.raises(Absent):
        await factors.renew(ada.id, new(), BOUNDS)
    await factors.begin(ada.id, OTHER, new("999999"), BOUNDS)
    assert await kinds(ada.id) == () and not await directory.second_factors.is_on(ada.id)
    await switch_on(directory, ada)
    assert await kinds(ada.id) == ("sms", "recovery_code")
    assert await directory.second_factors.is_on(ada.id)
    assert [one.account for one in told] == [ada.id]
    found = await factors.of(ada.id)
    assert found is not None and found.phone == PHONE
    with pytest.raises(AlreadyExists):
        await factors.begin(ada.id, OTHER, new(), BOUNDS)
    assert await factors.remove(ada.id) and not await factors.remove(ada.id)
    assert await kinds(ada.id) == () and not await directory.second_factors.is_on(ada.id)


async def test_recovery_codes_come_with_the_first_factor(
    directory: Directory, ada: Account
) -> None:
    await directory.second_factors.begin(ada.id, b"k" * 20)
    await directory.second_factors.confirm(ada.id, 1, [b"t" * 32, b"u" * 32])
    await directory.sms_factors.begin(ada.id, PHONE, new("111111"), BOUNDS)
    assert not await directory.sms_factors.confirm(ada.id, mac("111111"), [b"a" * 32])
    assert await directory.second_factors.codes_left(ada.id) == 2
    assert await directory.second_factors.kinds(ada.id) == ("totp", "sms", "recovery_code")
    await directory.sms_factors.remove(ada.id)
    assert await directory.second_factors.codes_left(ada.id) == 2
    assert await directory.second_factors.remove(ada.id)
    assert await directory.second_factors.codes_left(ada.id) == 0


async def test_a_code_is_good_once_and_for_its_time(
    directory: Directory, ada: Account, clock: MovedClock
) -> None:
    await switch_on(directory, ada)
    assert (await give(directory, ada, "111111")).spent is Spent.WRONG, "it switched it on"
    await directory.sms_factors.renew(ada.id, new("222222"), BOUNDS)
    found = await asyncio.gather(*(give(directory, ada, "222222") for _ in range(4)))
    assert sorted(one.kind for one in found) == ["", "", "", "sms"]
    clock.seconds += PAUSE
    await directory.sms_factors.renew(ada.id, new("333333"), BOUNDS)
    clock.seconds += LIFE
    assert (await give(directory, ada, "333333")).spent is Spent.WRONG


async def test_five_wrong_codes_end_one_and_ten_all(
    directory: Directory, ada: Account, clock: MovedClock
) -> None:
    await switch_on(directory, ada)
    await directory.sms_factors.renew(ada.id, new("222222"), BOUNDS)
    for _ in range(TRIES):
        assert (await give(directory, ada, "000000")).spent is Spent.WRONG
    assert (await give(directory, ada, "222222")).spent is Spent.WRONG
    clock.seconds += 60
    assert (await directory.sms_factors.renew(ada.id, new("333333"), BOUNDS)).sends
    for _ in range(OF_FACTOR - TRIES - 1):
        await give(directory, ada, "000000")
    assert (await give(directory, ada, "333333")).spent is Spent.TOO_MANY


async def test_wrong_first_codes_end_it(directory: Directory, ada: Account) -> None:
    await directory.sms_factors.begin(ada.id, PHONE, new("111111"), BOUNDS)
    for _ in range(TRIES):
        with pytest.raises(NotAllowed):
            await directory.sms_factors.confirm(ada.id, mac("000000"), [])
    with pytest.raises(NotAllowed):
        await directory.sms_factors.confirm(ada.id, mac("111111"), [])
    assert not await directory.second_factors.is_on(ada.id)


async def test_pauses_grow_until_a_code_is_used(
    directory: Directory, ada: Account, clock: MovedClock
) -> None:
    await switch_on(directory, ada)
    for pause in (30.0, 60.0):
        assert (await directory.sms_factors.renew(ada.id, new("222222"), BOUNDS)).sends
        assert await directory.sms_factors.renew(ada.id, new(), BOUNDS) == Applied(wait=pause)
        clock.seconds += pause
    assert (await give(directory, ada, "222222")).spent is Spent.TAKEN
    assert (await directory.sms_factors.renew(ada.id, new("444444"), BOUNDS)).sends
    assert await directory.sms_factors.renew(ada.id, new(), BOUNDS) == Applied(wait=30.0)
    assert (await give(directory, ada, "444444")).spent is Spent.TAKEN, "the refused one is none"


async def test_an_account_costs_no_more_wherever_from(
    directory: Directory, ada: Account, clock: MovedClock
) -> None:
    factors = directory.sms_factors
    for number in range(OF_ACCOUNT):
        phone, peer = f"+4312345{number:02}", f"192.0.2.{number}"
        assert (await factors.begin(ada.id, phone, new(peer=peer), BOUNDS)).sends
    refused = await factors.begin(ada.id, OTHER, new(peer="198.51.100.1"), BOUNDS)
    assert refused == Applied(wait=3600.0)
    clock.seconds += DAY
    assert (await factors.begin(ada.id, OTHER, new(peer="198.51.100.1"), BOUNDS)).sends


async def test_a_number_gets_no_more_whoever_asks(
    directory: Directory, ada: Account, clock: MovedClock
) -> None:
    few = Bounds(of_all=1000, of_target=2)
    bob = await directory.add_account("bob@example.test", "hash")
    assert (await directory.sms_factors.begin(ada.id, PHONE, new(), few)).sends
    clock.seconds += 30
    assert (await directory.sms_factors.begin(bob.id, PHONE, new(), few)).sends
    clock.seconds += 30
    assert (await directory.sms_factors.begin(ada.id, PHONE, new(), few)).wait > 0


@pytest.fixture
def resets(directory: Directory, clock: MovedClock) -> Resets:
    return Resets(directory.database, clock)


def asks(target: str = PHONE, code: str = "123456", peer: str = "192.0.2.1") -> NewReset:
    salt = os.urandom(16)
    return NewReset("ada@example.test", target, peer, True, salt, mac(code)(salt))


async def checked(resets: Resets, code: str) -> Checked | None:
    return await resets.check("ada@example.test", mac(code))


async def test_a_reset_is_used_once(resets: Resets, clock: MovedClock) -> None:
    assert await checked(resets, "123456") is Checked.WRONG
    assert await resets.apply(asks(), BOUNDS) == Applied(sends=True)
    assert await resets.apply(asks(), BOUNDS) == Applied(wait=30.0)
    assert await checked(resets, "000000") is Checked.WRONG
    assert await checked(resets, "123456") is None
    used = await asyncio.gather(*(resets.use("ada@example.test") for _ in range(3)))
    assert sorted(used) == [False, False, True]
    assert await checked(resets, "123456") is Checked.WRONG
    clock.seconds += 60
    assert (await resets.apply(asks(code="222222"), BOUNDS)).sends
    clock.seconds += LIFE
    assert await checked(resets, "222222") is Checked.EXPIRED


@pytest.mark.parametrize("target", [PHONE, ""], ids=["known", "unknown"])
async def test_a_reset_is_answered_alike(resets: Resets, clock: MovedClock, target: str) -> None:
    for pause in (30.0, 60.0):
        applied = await resets.apply(asks(target), BOUNDS)
        assert (applied.sends, applied.wait) == (bool(target), 0)
        assert await resets.apply(asks(target), BOUNDS) == Applied(wait=pause)
        clock.seconds += pause
    found = [await checked(resets, "000000") for _ in range(TRIES + 1)]
    assert found == [Checked.WRONG] * TRIES + [Checked.EXPIRED]
    assert await checked(resets, "123456") is Checked.EXPIRED


async def test_what_is_used_once(directory: Directory, clock: MovedClock) -> None:
    found = await asyncio.gather(*(directory.spent.use(b"x", 60) for _ in range(4)))
    assert sorted(found) == [False, False, False, True]
    assert await directory.spent.is_used(b"x") and not await directory.spent.is_used(b"y")
    clock.seconds += 60
    assert await directory.spent.use(b"y", 60)
    assert not await directory.spent.is_used(b"x"), "nothing is kept for longer"
