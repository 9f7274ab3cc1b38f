"""Timers of credentials whose time ends while they are in use."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auth.expiring import Expiring
from auth.grant import Grant
from storage.credential_values import CredentialId, CredentialKind
from storage.directory import Directory
from storage.directory_values import AccountChange, ChangeKind
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory

ADA, BOB = AccountId(1), AccountId(2)


def grant(number: int, expires: float | None, kind: str = "session") -> Grant:
    return Grant(CredentialId(number), CredentialKind(kind), expires=expires)


@dataclass
class Bench:
    expiring: Expiring
    directory: Directory
    clock: MovedClock
    ended: asyncio.Queue[CredentialId | None]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = MovedClock()
    async with open_directory(make_settings(tmp_path), clock) as directory:
        expiring = Expiring(directory.credentials, clock)
        made = Bench(expiring, directory, clock, asyncio.Queue())
        directory.on_change(lambda change: made.ended.put_nowait(change.credential))
        directory.on_change(expiring.ended)
        yield made
        expiring.close()


async def test_the_end_is_told_once(bench: Bench) -> None:
    bench.expiring.watch(ADA, grant(1, bench.clock.now()))
    bench.expiring.watch(ADA, grant(2, None))
    assert await bench.ended.get() == 1
    assert bench.ended.empty()
    assert len(bench.expiring) == 0


async def test_what_was_refreshed_goes_on(bench: Bench) -> None:
    end = bench.clock.now()
    bench.expiring.watch(ADA, grant(1, end))
    bench.expiring.watch(ADA, grant(1, end + 1000))
    bench.expiring.watch(ADA, grant(2, end))
    assert await bench.ended.get() == 2
    assert bench.ended.empty()
    assert len(bench.expiring) == 1


@pytest.mark.parametrize(
    ("change", "left"),
    [
        pytest.param(
            AccountChange(ADA, ChangeKind.CREDENTIAL, credential=CredentialId(1)), 3, id="revoked"
        ),
        pytest.param(AccountChange(ADA, ChangeKind.DELETED), 1, id="deleted"),
        pytest.param(AccountChange(ADA, ChangeKind.PASSWORD), 2, id="another password"),
        pytest.param(AccountChange(ADA, ChangeKind.SECOND_FACTOR), 4, id="a second factor"),
    ],
)
async def test_what_was_revoked_has_no_timer(
    bench: Bench, change: AccountChange, left: int
) -> None:
    end = bench.clock.now() + 1000
    for number, account, kind in (
        (1, ADA, "session"),
        (2, ADA, "oauth"),
        (3, ADA, "app-password"),
        (4, BOB, "session"),
    ):
        bench.expiring.watch(account, grant(number, end, kind))
    bench.expiring.ended(change)
    assert len(bench.expiring) == left
