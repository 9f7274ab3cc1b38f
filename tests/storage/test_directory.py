"""The directory on real databases: who an address leads to, what is refused, what costs SQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from net.threads import Offload
from storage import directory_rows
from storage.config_database import ConfigDatabase
from storage.directory import Directory
from storage.directory_values import (
    Absent,
    Account,
    AccountChange,
    Alias,
    AlreadyExists,
    ChangeKind,
    NotAllowed,
    Resolution,
    Source,
    Status,
)
from storage.small_database import DatabaseUnusable
from tests.support.directories import make_settings, open_directory, own_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with own_database(request.param) as database:
        settings = make_settings(tmp_path, database, domains=["example.test", "example.org"])
        async with open_directory(settings) as opened:
            yield opened


@contextmanager
def counted(directory: Directory) -> Iterator[list[str]]:
    """The statements that run inside."""
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = directory.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)


async def add(directory: Directory, address: str, *, admin: bool = False) -> Account:
    return await directory.add_account(address, "hash", admin=admin)


def reached(resolution: Resolution) -> set[str]:
    """Everybody who gets the mail: local addresses and remote ones."""
    return {target.address for target in resolution.local} | set(resolution.remote)


async def test_an_account_is_found_in_any_case(directory: Directory) -> None:
    account = await add(directory, "Ada@Example.Test")
    found = await directory.resolve("aDA@EXAMPLE.test")
    assert found.status is Status.DELIVERABLE
    assert [target.account for target in found.local] == [account.id]
    assert found.local[0].address == "Ada@example.test"


async def test_an_account_that_is_gone_from_its_source(directory: Directory) -> None:
    await add(directory, "own@example.test")
    made = await directory.add_account("ada@example.test", "", source="people", admin=True)
    assert (made.source, made.absent, made.enabled) == ("people", False, True)
    told: list[ChangeKind] = []
    directory.on_change(lambda change: told.append(change.kind))
    gone = await directory.set_sourced(made, {"absent": True, "name": "Ada"})
    assert (gone.absent, gone.enabled, gone.name) == (True, False, "Ada")
    assert (await directory.resolve("ada@example.test")).status is Status.DISABLED
    assert reached(await directory.resolve("postmaster@example.test")) == {"own@example.test"}
    assert not (await directory.set_enabled("ada@example.test", True)).enabled
    back = await directory.set_sourced(gone, {"absent": False})
    assert back.enabled
    assert told == [ChangeKind.DISABLED, ChangeKind.ENABLED, ChangeKind.ENABLED]
    with pytest.raises(NotAllowed, match="account source 'people'"):
        await directory.set_password("ada@example.test", "hash")


async def test_nobody_is_unknown_and_other_domains_are_not_ours(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    assert await directory.resolve("bob@example.test") == Resolution(Status.UNKNOWN)
    assert await directory.resolve("ada@elsewhere.test") == Resolution(Status.NOT_OURS)
    assert await directory.resolve("ada@sub.example.test") == Resolution(Status.NOT_OURS)


@pytest.mark.parametrize(
    "address",
    [
        "victim@elsewhere.test",
        "victim@[203.0.113.9]",
        "victim@[IPv6:2001:db8::1]",
        '"victim@elsewhere.test"@elsewhere.test',
        "victim@example.test.elsewhere.test",
        "postmaster@elsewhere.test",
        "ada+tag@elsewhere.test",
    ],
)
async def test_no_relay_by_disguise(directory: Directory, address: str) -> None:
    await add(directory, "ada@example.test", admin=True)
    await directory.add_alias("@example.test", ["ada@example.test"])
    assert await directory.resolve(address) == Resolution(Status.NOT_OURS)


@pytest.mark.parametrize(
    "address",
    [
        "victim%elsewhere.test@example.test",
        "elsewhere.test!victim@example.test",
        '"victim@elsewhere.test"@example.test',
        '""@example.test',
        "no address",
        "",
        "@example.test",
        "\udc80@example.test",
    ],
)
async def test_routes_hidden_in_the_local_part_are_just_unknown(
    directory: Directory, address: str
) -> None:
    await add(directory, "ada@example.test")
    assert await directory.resolve(address) == Resolution(Status.UNKNOWN)


async def test_an_alias_leads_to_local_and_remote_targets(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await directory.add_alias("team@example.test", ["ada@example.test", "eve@elsewhere.test"])
    found = await directory.resolve("Team@example.test")
    assert reached(found) == {"ada@example.test", "eve@elsewhere.test"}
    assert found.remote == ("eve@elsewhere.test",)


async def test_nested_groups_reach_everybody_once(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await add(directory, "bob@example.org")
    await directory.add_alias("devs@example.test", ["ada@example.test", "bob@example.org"])
    await directory.add_alias("all@example.test", ["devs@example.test", "ADA@example.test"])
    found = await directory.resolve("all@example.test")
    assert sorted(target.address for target in found.local) == [
        "ada@example.test",
        "bob@example.org",
    ]


async def test_an_alias_of_itself_alone_is_refused(directory: Directory) -> None:
    with pytest.raises(NotAllowed, match="itself"):
        await directory.add_alias("one@example.test", ["ONE@example.test"])
    assert await directory.aliases() == []


async def test_alias_loops_end(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await directory.add_alias("one@example.test", ["two@example.test"])
    await directory.add_alias("two@example.test", ["one@example.test", "two@example.test"])
    assert await directory.resolve("one@example.test") == Resolution(Status.UNKNOWN)
    await directory.add_alias("three@example.test", ["three@example.test", "ada@example.test"])
    assert reached(await directory.resolve("three@example.test")) == {"ada@example.test"}


async def test_a_large_group_takes_few_statements(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    others = [f"member{number}@elsewhere.test" for number in range(1200)]
    nested = [f"missing{number}@example.test" for number in range(1200)]
    await directory.add_alias("crowd@example.test", [*others, *nested, "ada@example.test"])
    with counted(directory) as statements:
        found = await directory.resolve("crowd@example.test")
    assert len(found.remote) == 1200
    assert len(found.local) == 1
    assert len(statements) < 20


async def test_exact_addresses_beat_the_catch_all(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await add(directory, "rest@example.test")
    await directory.add_alias("@example.test", ["rest@example.test"])
    assert reached(await directory.resolve("ada@example.test")) == {"ada@example.test"}
    assert reached(await directory.resolve("ada+x@example.test")) == {"ada@example.test"}
    assert reached(await directory.resolve("anything@example.test")) == {"rest@example.test"}
    assert await directory.resolve("anything@example.org") == Resolution(Status.UNKNOWN)


async def test_a_sub_address_keeps_its_tag(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await directory.add_alias("sales@example.test", ["ada@example.test"])
    own = await directory.resolve("ada+Lists@example.test")
    assert [(target.address, target.tag) for target in own.local] == [("ada@example.test", "Lists")]
    by_alias = await directory.resolve("sales+q3@example.test")
    assert [(target.address, target.tag) for target in by_alias.local] == [
        ("ada@example.test", "q3")
    ]
    assert reached(await directory.resolve("ada+@example.test")) == {"ada@example.test"}
    assert await directory.resolve("+x@example.test") == Resolution(Status.UNKNOWN)


async def test_an_alias_with_plus_beats_the_sub_address(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await add(directory, "bob@example.test")
    await directory.add_alias("ada+shop@example.test", ["bob@example.test"])
    assert reached(await directory.resolve("ada+shop@example.test")) == {"bob@example.test"}


@pytest.mark.parametrize(
    "address",
    [
        "postmaster",
        "PostMaster",
        "postmaster@example.test",
        "Postmaster@example.org",
        "postmaster@mx.example.test",
        "postmaster@[127.0.0.1]",
    ],
)
async def test_postmaster_always_reaches_the_first_administrator(
    directory: Directory, address: str
) -> None:
    await add(directory, "first@example.test")
    await directory.add_alias("@example.test", ["first@example.test"])
    assert reached(await directory.resolve(address)) == {"first@example.test"}
    await add(directory, "boss@example.test", admin=True)
    await add(directory, "second@example.test", admin=True)
    assert reached(await directory.resolve(address)) == {"boss@example.test"}


async def test_postmaster_may_be_an_alias(directory: Directory) -> None:
    await add(directory, "boss@example.test", admin=True)
    await add(directory, "ada@example.test")
    await directory.add_alias("postmaster@example.test", ["ada@example.test"])
    assert reached(await directory.resolve("postmaster")) == {"ada@example.test"}
    assert reached(await directory.resolve("postmaster@example.org")) == {"boss@example.test"}


async def test_the_host_and_its_literals_stand_for_the_first_domain(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    for domain in ("[127.0.0.1]", "mx.example.test", "MX.EXAMPLE.TEST"):
        assert reached(await directory.resolve(f"ada@{domain}")) == {"ada@example.test"}
        assert await directory.resolve(f"bob@{domain}") == Resolution(Status.UNKNOWN)


async def test_disabled_accounts(directory: Directory) -> None:
    await add(directory, "ada@example.test")
    await add(directory, "bob@example.test")
    await directory.add_alias("both@example.test", ["ada@example.test", "bob@example.test"])
    await directory.set_enabled("ada@example.test", False)
    assert await directory.resolve("ada@example.test") == Resolution(Status.DISABLED)
    assert reached(await directory.resolve("both@example.test")) == {"bob@example.test"}
    await directory.set_enabled("ada@example.test", True)
    assert reached(await directory.resolve("ada@example.test")) == {"ada@example.test"}


async def test_internationalized_addresses(directory: Directory) -> None:
    await directory.add_domain("bücher.example")
    await add(directory, "jörg@bücher.example")
    assert reached(await directory.resolve("JÖRG@BÜCHER.example")) == {"jörg@xn--bcher-kva.example"}


async def test_may_send_as(directory: Directory) -> None:
    ada = await add(directory, "ada@example.test")
    bob = await add(directory, "bob@example.test")
    await directory.add_alias("sales@example.test", ["ada@example.test"])
    await directory.add_alias("shop@example.test", ["sales@example.test"])
    await directory.add_alias("@example.test", ["ada@example.test"])
    for address in ("ada@example.test", "ADA+tag@example.test", "sales@example.test"):
        assert await directory.may_send_as(ada.id, address)
        assert not await directory.may_send_as(bob.id, address)
    assert await directory.may_send_as(ada.id, "shop@example.test")
    for address in ("bob@example.test", "free@example.test", "ada@elsewhere.test", "", "ada"):
        assert not await directory.may_send_as(ada.id, address)
    assert not await directory.may_send_as(ada.id, '""@example.test')
    await directory.set_enabled("ada@example.test", False)
    assert not await directory.may_send_as(ada.id, "ada@example.test")


async def test_a_repeated_look_up_runs_no_sql(directory: Directory) -> None:
    ada = await add(directory, "ada@example.test", admin=True)
    await directory.add_alias("team@example.test", ["ada@example.test", "eve@elsewhere.test"])
    addresses = ("ada@example.test", "team+x@example.test", "none@example.test", "postmaster")
    for address in addresses:
        await directory.resolve(address)
    await directory.account_by_id(ada.id)
    with counted(directory) as statements:
        for address in addresses:
            await directory.resolve(address)
            await directory.may_send_as(ada.id, address)
            await directory.account(address)
        await directory.account_by_id(ada.id)
    assert statements == []


async def test_every_write_is_seen_at_once(directory: Directory) -> None:
    address = "ada@example.test"
    assert (await directory.resolve(address)).status is Status.UNKNOWN
    account = await add(directory, address)
    assert reached(await directory.resolve(address)) == {address}
    await directory.set_password(address, "other")
    assert (await directory.account(address)) == await directory.account_by_id(account.id)
    found = await directory.account(address)
    assert found is not None
    assert found.password_hash == "other"
    await directory.delete_account(address)
    assert (await directory.resolve(address)).status is Status.UNKNOWN
    assert await directory.account_by_id(account.id) is None
    await directory.add_alias(address, ["eve@elsewhere.test"])
    assert reached(await directory.resolve(address)) == {"eve@elsewhere.test"}
    await directory.delete_alias(address)
    assert (await directory.resolve(address)).status is Status.UNKNOWN


async def test_a_look_up_under_way_during_a_write_is_not_remembered(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(directory, "ada@example.test")
    read, go_on = asyncio.Event(), asyncio.Event()
    original = directory_rows.aliases_by_key

    async def slow(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Alias]:
        read.set()
        await go_on.wait()
        return await original(connection, keys)

    monkeypatch.setattr("storage.directory_cache.aliases_by_key", slow)
    looking = asyncio.create_task(directory.resolve("ada@example.test"))
    await read.wait()
    await directory.set_enabled("ada@example.test", False)
    go_on.set()
    assert (await looking).status is Status.DELIVERABLE
    assert (await directory.resolve("ada@example.test")).status is Status.DISABLED


async def test_a_write_whose_caller_is_cancelled_is_told_all_the_same(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(directory, "ada@example.test")
    await directory.resolve("ada@example.test")
    heard = asyncio.Event()
    directory.on_change(lambda _: heard.set())
    written, go_on = asyncio.Event(), asyncio.Event()
    original = directory_rows.update_account

    async def slow(connection: AsyncConnection, key: str, values: dict[str, Any]) -> Account | None:
        account = await original(connection, key, values)
        written.set()
        await go_on.wait()
        return account

    monkeypatch.setattr(directory_rows, "update_account", slow)
    disabling = asyncio.create_task(directory.set_enabled("ada@example.test", False))
    await written.wait()
    disabling.cancel()
    go_on.set()
    await heard.wait()
    assert (await directory.resolve("ada@example.test")).status is Status.DISABLED


async def test_listeners_hear_what_revokes_sessions(directory: Directory) -> None:
    heard: list[AccountChange] = []
    unsubscribe = directory.on_change(heard.append)
    account = await add(directory, "ada@example.test")
    await directory.set_password("ada@example.test", "other")
    await directory.set_enabled("ada@example.test", False)
    await directory.set_enabled("ada@example.test", True)
    await directory.set_quota("ada@example.test", 5, 6)
    await directory.delete_account("ada@example.test")
    unsubscribe()
    await add(directory, "bob@example.test")
    assert [change.kind for change in heard if change.revokes] == [
        ChangeKind.PASSWORD,
        ChangeKind.DISABLED,
        ChangeKind.DELETED,
    ]
    assert {change.account for change in heard} == {account.id}


async def test_what_exists_is_not_added_and_what_does_not_is_not_changed(
    directory: Directory,
) -> None:
    await add(directory, "ada@example.test")
    await directory.add_alias("team@example.test", ["ada@example.test"])
    for address in ("ADA@example.test", "team@example.test"):
        with pytest.raises(AlreadyExists):
            await add(directory, address)
        with pytest.raises(AlreadyExists):
            await directory.add_alias(address, ["bob@example.test"])
    for change in (
        directory.set_password("bob@example.test", "hash"),
        directory.set_enabled("bob@example.test", True),
        directory.delete_account("bob@example.test"),
        directory.delete_alias("bob@example.test"),
        directory.delete_alias("@example.test"),
        directory.delete_account("nonsense"),
        directory.delete_account("\udc80@example.test"),
    ):
        with pytest.raises(Absent):
            await change


@pytest.mark.parametrize(
    "address",
    [
        "ada@elsewhere.test",
        "ada",
        "ada+tag@example.test",
        "",
        "a b@example.test",
        '""@example.test',
        "\udc80@example.test",
        "ada@[127.0.0.1]",
        "ada@mx.example.test",
    ],
)
async def test_accounts_that_cannot_be(directory: Directory, address: str) -> None:
    with pytest.raises(NotAllowed):
        await add(directory, address)


async def test_concurrent_adds_of_one_address_make_one_account(directory: Directory) -> None:
    results = await asyncio.gather(
        *(add(directory, "ada@example.test") for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, Account) for result in results) == 1
    assert sum(isinstance(result, AlreadyExists) for result in results) == 7


async def test_account_ids_are_never_given_twice(directory: Directory) -> None:
    first = await add(directory, "ada@example.test")
    await directory.delete_account("ada@example.test")
    assert (await add(directory, "ada@example.test")).id > first.id


async def test_domains(directory: Directory) -> None:
    await directory.add_domain("Added.Test")
    listed = {domain.name: domain.source for domain in directory.domains()}
    assert listed == {
        "added.test": Source.COMMAND,
        "example.org": Source.CONFIG,
        "example.test": Source.CONFIG,
    }
    with pytest.raises(AlreadyExists):
        await directory.add_domain("added.test")
    for bad in ("", "[192.0.2.1]", "no domain", "a..b", "-a.test", "\udc80.test", "x_y.test"):
        with pytest.raises(NotAllowed):
            await directory.add_domain(bad)
    await add(directory, "ada@added.test")
    with pytest.raises(NotAllowed, match="1 accounts"):
        await directory.delete_domain("added.test")
    await directory.delete_account("ada@added.test")
    await directory.delete_domain("added.test")
    assert (await directory.resolve("x@added.test")).status is Status.NOT_OURS
    with pytest.raises(Absent):
        await directory.delete_domain("added.test")
    with pytest.raises(NotAllowed, match="configuration"):
        await directory.delete_domain("example.test")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_everything_is_there_after_a_restart(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as database:
        settings = make_settings(tmp_path, database)
        async with open_directory(settings) as directory:
            await directory.add_domain("added.test")
            account = await directory.add_account(
                "ada@added.test", "hash", name="Ada", admin=True, quota_bytes=1 << 40
            )
            await directory.add_alias("x@added.test", ["b@elsewhere.test", "a@elsewhere.test"])
        async with open_directory(settings) as directory:
            assert await directory.accounts() == [account]
            (alias,) = await directory.aliases()
            assert alias.targets == ("b@elsewhere.test", "a@elsewhere.test")
            assert directory.serves("added.test")


async def test_config_db_is_private_and_flushes_every_commit(tmp_path: Path) -> None:
    # SQLite only: on PostgreSQL durability and access are the server's.
    async with open_directory(make_settings(tmp_path)) as directory:
        assert (tmp_path / "data/config.db").stat().st_mode & 0o077 == 0
        async with directory.database.reading() as connection:
            mode = await connection.exec_driver_sql("PRAGMA synchronous")
            assert mode.scalar_one() == 2
            journal = await connection.exec_driver_sql("PRAGMA journal_mode")
            assert journal.scalar_one() == "wal"


async def test_a_newer_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    # SQLite only: the check does not depend on the database.
    settings = make_settings(tmp_path)
    async with (
        open_directory(settings) as directory,
        directory.database.writing() as connection,
    ):
        await connection.exec_driver_sql("UPDATE config_schema SET version = 99")
    offload = Offload()
    with pytest.raises(DatabaseUnusable, match="run the newer mailserver"):
        await ConfigDatabase.open("sqlite", settings.data_dir, offload)
    offload.close()


async def test_a_damaged_file_is_reported_in_one_line(tmp_path: Path) -> None:
    # SQLite only: there is no file on PostgreSQL.
    (tmp_path / "data").mkdir()
    (tmp_path / "data/config.db").write_bytes(b"no database at all" * 100)
    offload = Offload()
    with pytest.raises(DatabaseUnusable) as caught:
        await ConfigDatabase.open("sqlite", tmp_path / "data", offload)
    offload.close()
    assert "not a database" in str(caught.value)
    assert "\n" not in str(caught.value)
