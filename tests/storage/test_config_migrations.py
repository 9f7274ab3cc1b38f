"""A config database of an older program gets what it lacks, and nothing of it is lost."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, inspect

from storage.config_migrations import MIGRATIONS
from storage.directory import Directory
from storage.directory_values import Submission
from storage.values import AccountId
from tests.support.config_journal import changes_after
from tests.support.directories import make_settings, open_directory, own_database

SCHEMAS = Path(__file__).parent / "schemas"
"""Whole schemas of older programs, by number and kind of database."""
ROWS = """
INSERT INTO config_schema (version) VALUES (22);
INSERT INTO config_account
    (id, key, domain, address, name, password_hash, enabled, admin, quota_bytes, quota_messages,
     created, modseq)
    VALUES (7, 'ada@example.test', 'example.test', 'ada@example.test', 'Ada', 'hash', true, true,
            5, 0, 1.5, 0);
INSERT INTO config_alias (key, domain, alias, created)
    VALUES ('team@example.test', 'example.test', 'team@example.test', 1.5);
INSERT INTO config_alias_target (alias_key, position, target)
    VALUES ('team@example.test', 0, 'ada@example.test'), ('team@example.test', 1, 'x@a.test');
INSERT INTO config_person
    (id, account, uid, name, given_name, family_name, nickname, organization, title, note, more,
     created, changed)
    VALUES (3, 7, 'ann', 'Ann Noor', 'Ann', 'Noor', '', 'A; B', '', 'two
lines', '["TEL;TYPE=CELL:+49 1", "X-A:\u00fc"]', 1.5, 2.5);
INSERT INTO config_person_email (person, position, account, key, address, label)
    VALUES (3, 0, 7, 'Ann@world.test', 'Ann@World.test', 'work');
INSERT INTO config_contact_group (id, account, uid, name) VALUES (4, 7, 'g', 'Friends');
INSERT INTO config_contact_member ("group", person) VALUES (4, 3);
INSERT INTO config_journal (account, modseq, kind, what) VALUES (7, 1, 'person', 'created 3');
"""


async def older_database(url: str, folder: Path) -> None:
    """Makes one of schema 22 with an account and a group."""
    if url == "sqlite":
        older_file(folder)
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(older_text("postgresql"))
    finally:
        await connection.close()


def older_file(folder: Path) -> None:
    folder.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(folder / "config.db")) as opened:
        opened.executescript(older_text("sqlite"))


def older_text(kind: str) -> str:
    return (SCHEMAS / f"config_22_{kind}.sql").read_text() + ROWS


async def schema_of(directory: Directory) -> dict[str, Any]:
    """Columns, keys and indexes of each table."""

    def described(connection: Connection) -> dict[str, Any]:
        found = inspect(connection)
        return {
            name: (
                {
                    one["name"]: (str(one["type"]), one["nullable"], one["default"])
                    for one in found.get_columns(name)
                },
                found.get_pk_constraint(name)["constrained_columns"],
                sorted(
                    (one["constrained_columns"], one["referred_table"])
                    for one in found.get_foreign_keys(name)
                ),
                sorted(one["column_names"] for one in found.get_unique_constraints(name)),
                sorted((str(one["name"]), one["column_names"]) for one in found.get_indexes(name)),
            )
            for name in found.get_table_names()
        }

    async with directory.database.reading() as connection:
        return await connection.run_sync(described)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_schema_22_becomes_the_one_of_today(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as url, own_database(kind) as empty:
        settings = make_settings(tmp_path / "old", url)
        await older_database(url, settings.data_dir)
        async with open_directory(make_settings(tmp_path / "new", empty)) as fresh:
            wanted = await schema_of(fresh)
        async with open_directory(settings) as directory:
            assert await schema_of(directory) == wanted
            ada = await directory.account("ada@example.test")
            assert ada is not None
            assert (ada.id, ada.admin, ada.quota_bytes, ada.source) == (7, True, 5, "")
            assert ada.administers == () and not ada.absent
            assert await directory.may_send_as(ada.id, "team@example.test")
            await contacts_are_cards(directory, ada.id)
            made = await directory.add_account("bob@example.test", "hash")
            await directory.delegations.allow(ada.id, made.id, on_behalf=False)


async def contacts_are_cards(directory: Directory, ada: AccountId) -> None:
    contacts = directory.contacts
    (book,) = await contacts.books.all(ada)
    ann, friends = [one async for one in contacts.cards.stored(ada, book.id)]
    card = ann.content.card()
    assert (card["uid"], card["name"]["full"], ann.listed.created) == ("ann", "Ann Noor", 1.5)
    assert card["emails"] == {"1": {"address": "Ann@World.test", "contexts": {"work": True}}}
    assert card["organizations"]["1"]["name"] == "A; B"
    assert card["notes"]["1"]["note"] == "two\nlines"
    assert card["phones"]["1"] == {"number": "+49 1", "features": {"mobile": True}}
    assert card["vCardProps"] == [["x-a", {}, "unknown", "ü"]]
    assert friends.content.card()["members"] == {"ann": True}
    relation = await contacts.relation(ada, "ann@world.test")
    assert relation.contact and relation.groups == {"Friends"}
    told = await contacts.cards.changes(ada, book.id, 0)
    assert (len(told.changed), book.cards, told.modseq) == (2, 2, 3)
    async with directory.database.reading() as at:
        assert await changes_after(at, ada, 0) == []


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_an_older_database_is_brought_up_to_date(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            await directory.add_account("ada@example.test", "hash", quota_bytes=5)
            async with directory.database.writing() as connection:
                for statement in (
                    "ALTER TABLE config_account DROP COLUMN imap_mask",
                    "ALTER TABLE config_account DROP COLUMN gmail_labels",
                    "ALTER TABLE config_account DROP COLUMN submission",
                    "DROP TABLE config_metadata",
                    "DROP TABLE config_acl",
                    "UPDATE config_schema SET version = 1",
                ):
                    await connection.exec_driver_sql(statement)
        async with open_directory(settings) as directory:
            account = await directory.account("ada@example.test")
            assert account is not None
            assert (account.quota_bytes, account.imap_mask, account.gmail_labels) == (5, (), False)
            account = await directory.set_imap(account.address, mask=["A", "B"], gmail_labels=True)
            assert (account.imap_mask, account.gmail_labels) == (("A", "B"), True)
            choices = Submission(from_header="any", messages_per_day=0)
            account = await directory.set_submission(account.address, choices)
            assert account.submission == choices
        async with open_directory(settings) as directory:
            assert await directory.account("ada@example.test") == account


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_members_of_older_groups_still_send_as_them(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            ada = await directory.add_account("ada@example.test", "hash")
            await directory.add_alias("team@example.test", [ada.address, "x@elsewhere.test"])
            version = 1 + [one.__name__ for one in MIGRATIONS].index("_roles")
            async with directory.database.writing() as connection:
                for statement in (
                    "ALTER TABLE config_account DROP COLUMN administers",
                    "ALTER TABLE config_alias DROP COLUMN send_as",
                    "DROP TABLE config_delegation",
                    "DROP TABLE config_domain_limit",
                    f"UPDATE config_schema SET version = {version - 1}",
                ):
                    await connection.exec_driver_sql(statement)
        async with open_directory(settings) as directory:
            assert await directory.may_send_as(ada.id, "team@example.test")
            await directory.add_alias("new@example.test", [ada.address, "x@elsewhere.test"])
            assert not await directory.may_send_as(ada.id, "new@example.test")
            assert await directory.delegations.of_owner() == []
            found = await directory.account(ada.address)
            assert found is not None and found.administers == ()
