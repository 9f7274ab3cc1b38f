"""A config database of an older program gets what it lacks, and nothing of it is lost."""

from pathlib import Path

import pytest

from storage.config_migrations import MIGRATIONS
from storage.directory_values import Submission
from tests.support.directories import make_settings, open_directory, own_database


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
