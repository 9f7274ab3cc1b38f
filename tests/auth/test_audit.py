"""The audit log: who logged in or failed to, and what was done to accounts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from auth.audit import FLOOD, Audit
from auth.caller import Caller, client_name
from auth.login import Authenticator
from auth.password import hash_password
from net.threads import Offload
from storage.audit_values import NOBODY, Entry, Kind
from storage.credential_values import Protocol
from storage.directory import Directory
from tests.support.directories import PASSWORD, MovedClock, make_settings, own_database

ADA = "ada@example.test"
Opened = Callable[[], AbstractAsyncContextManager[tuple[Directory, Authenticator, MovedClock]]]


@pytest.fixture(params=["sqlite", "postgresql"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens the same directory and its authenticator, again when asked again."""
    offload, clock = Offload(), MovedClock()
    async with own_database(request.param) as database:
        settings = make_settings(tmp_path, database)

        @asynccontextmanager
        async def open_() -> AsyncIterator[tuple[Directory, Authenticator, MovedClock]]:
            directory = await Directory.open(settings, clock, offload)
            authenticator = Authenticator(settings, directory, offload, clock)
            try:
                yield directory, authenticator, clock
            finally:
                await authenticator.close()
                await directory.close()

        yield open_
    offload.close()


def _told(entries: list[Entry]) -> list[tuple[str, str, int]]:
    return [(entry.kind.value, entry.address, entry.count) for entry in entries]


async def test_logins_and_failures_and_changes_survive_a_restart(opened: Opened) -> None:
    async with opened() as (directory, authenticator, clock):
        await directory.add_account("Ada@example.test", hash_password(PASSWORD, 4))
        for password in (PASSWORD, PASSWORD, "my own secret"):
            await authenticator.login(
                ADA, password, peer="192.0.2.1", protocol=Protocol.IMAP, client="Mutt\r\n2"
            )
        clock.seconds += 1
        await authenticator.login("my own secret", "x", peer="192.0.2.2", protocol=Protocol.SMTP)
        clock.seconds += 1
        await directory.set_password(ADA, hash_password("another", 4))
        account = await directory.account(ADA)
        assert account is not None
        clock.seconds += 1
        await directory.delete_account(ADA)
    async with opened() as (directory, _, _):
        entries = await directory.audit.listed()
        assert _told(entries[:3]) == [
            ("account deleted", "", 1),
            ("password changed", "", 1),
            ("login failed", "192.0.2.2", 1),
        ]
        assert sorted(_told(entries[3:])) == [
            ("account created", "", 1),
            ("login", "192.0.2.1", 2),
            ("login failed", "192.0.2.1", 1),
        ]
        assert entries[2].account == NOBODY and entries[2].name == ""
        login = next(entry for entry in entries if entry.kind is Kind.LOGIN)
        assert (login.name, login.client, login.protocol) == ("Ada@example.test", "Mutt  2", "imap")
        mine = await directory.audit.listed(account.id)
        assert {entry.name for entry in mine} == {"Ada@example.test"} and len(mine) == 5
        assert "secret" not in repr(entries)


async def test_what_is_counted_together(opened: Opened) -> None:
    async with opened() as (directory, authenticator, clock):
        for _ in range(3):
            authenticator.audit.record(Kind.LOGIN, NOBODY, address="192.0.2.1")
            authenticator.audit.record(Kind.REVOKED, NOBODY, credential="1")
            await directory.audit.listed()
        clock.seconds += 7200
        authenticator.audit.record(Kind.LOGIN, NOBODY, address="192.0.2.1")
        entries = await directory.audit.listed()
        assert sorted(_told(entries)) == [
            ("credential revoked", "", 1),
            ("credential revoked", "", 1),
            ("credential revoked", "", 1),
            ("login", "192.0.2.1", 1),
            ("login", "192.0.2.1", 3),
        ]
        assert len(await directory.audit.listed(since=clock.seconds)) == 1
        assert len(await directory.audit.listed(most=2)) == 2


async def test_a_flood_of_failures_takes_few_entries_and_loses_none(opened: Opened) -> None:
    async with opened() as (directory, authenticator, _):
        audit: Audit = authenticator.audit
        for number in range(6000):
            audit.record(
                Kind.FAILED, None, f"user{number}@example.test", address=f"10.0.0.{number % 200}"
            )
        entries = await directory.audit.listed()
        assert len(entries) < 600
        assert sum(entry.count for entry in entries) == 6000
        assert sum(entry.count for entry in entries if entry.detail == FLOOD) > 5000


async def test_old_entries_go_and_so_do_the_oldest_of_too_many(opened: Opened) -> None:
    async with opened() as (directory, authenticator, clock):
        log = directory.audit
        for number in range(20):
            authenticator.audit.record(Kind.REVOKED, NOBODY, detail=str(number))
            clock.seconds += 3600
        await log.listed()
        log.max_rows = 15
        await log.prune()
        assert [entry.detail for entry in await log.listed()] == [
            str(number) for number in range(19, 4, -1)
        ]
        log.keep = 6 * 3600.0
        await log.prune()
        assert [entry.detail for entry in await log.listed()] == [
            "19",
            "18",
            "17",
            "16",
            "15",
            "14",
        ]


async def test_a_client_with_a_new_name_each_time_does_not_fill_the_log(opened: Opened) -> None:
    async with opened() as (directory, authenticator, clock):
        ada = await directory.add_account(ADA, hash_password(PASSWORD, 4))
        for number in range(100):
            caller = Caller("192.0.2.1", Protocol.IMAP, client=f"Mutt {number}")
            authenticator.audit.client_named(ada.id, ADA, caller)
        entries = [one for one in await directory.audit.listed() if one.kind is Kind.CLIENT]
        assert len(entries) == 21
        assert sum(entry.count for entry in entries) == 100
        clock.seconds += 3601
        authenticator.audit.client_named(ada.id, ADA, caller)
        assert (await directory.audit.listed())[0].client == "Mutt 99"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Thunderbird", "140.1"), "Thunderbird 140.1"),
        ((None, None), ""),
        (("a\r\nb\x1b[31m\0", "\u202ex\t"), "a b [31m x"),
        (("x" * 1_000_000, "1"), "x" * 200),
        (("\ud800",), ""),
    ],
    ids=["usual", "none", "controls", "long", "surrogate"],
)
def test_names_of_clients_are_one_short_printable_line(
    parts: tuple[str | None, ...], name: str
) -> None:
    assert client_name(*parts) == name
