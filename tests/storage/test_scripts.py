"""Sieve scripts: kept over restarts, one active, bounded, journalled, gone with their account."""

from pathlib import Path

import pytest

from storage import config_journal
from storage.config_journal import Change, How, Kind
from storage.errors import NoSuchAccount
from storage.script_values import (
    MAX_SCRIPTS,
    MAX_SIZE,
    BadScriptName,
    NoSuchScript,
    ScriptActive,
    ScriptExists,
    ScriptTooLarge,
    TooManyScripts,
    script_name,
)
from tests.support.config_journal import changes_after
from tests.support.directories import make_settings, open_directory, own_database

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.mark.parametrize("kind", KINDS)
async def test_scripts_outlive_a_restart_and_go_with_their_account(
    kind: str, tmp_path: Path
) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            ada = (await directory.add_account("ada@example.test", "hash")).id
            bob = (await directory.add_account("bob@example.test", "hash")).id
            scripts = directory.scripts
            assert await scripts.active(ada) is None
            assert await scripts.put(ada, "one", b"keep;")
            assert await scripts.put(ada, "zwei", b"discard;")
            assert not await scripts.put(ada, "one", b"stop;\0\xff")
            assert await scripts.put(bob, "one", b"redirect;")
            await scripts.activate(ada, "one")
            await scripts.activate(ada, "zwei")
            await scripts.rename(ada, "zwei", "Ärger")
        async with open_directory(settings) as directory:
            scripts = directory.scripts
            lines = await scripts.listed(ada)
            assert [(one.name, one.size, one.active) for one in lines] == [
                ("one", 7, False),
                ("Ärger", 8, True),
            ]
            assert (await scripts.get(ada, "one")).text == b"stop;\0\xff"
            found = await scripts.active(ada)
            assert found is not None and (found.name, found.text) == ("Ärger", b"discard;")
            assert await scripts.active(ada) is found  # without SQL
            await scripts.put(ada, "A\u0308rger", b"keep;")  # the same name (RFC 5198)
            found = await scripts.active(ada)
            assert found is not None and (found.id, found.text) == (lines[1].id, b"keep;")
            await directory.delete_account("ada@example.test")
            assert await scripts.listed(ada) == [] and await scripts.active(ada) is None
            assert [one.name for one in await scripts.listed(bob)] == ["one"]
            with pytest.raises(NoSuchAccount):
                await scripts.put(ada, "one", b"keep;")
            assert await scripts.listed(ada) == []


async def test_each_change_is_in_the_journal_once(tmp_path: Path) -> None:
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        scripts = directory.scripts
        await scripts.put(ada, "one", b"keep;")
        await scripts.put(ada, "two", b"keep;")
        (first, second) = [str(one.id) for one in await scripts.listed(ada)]
        async with directory.database.reading() as at:
            start = await config_journal.modseq_of(at, ada)
        await scripts.activate(ada, "one")
        await scripts.activate(ada, "one")  # no change
        await scripts.activate(ada, "two")
        await scripts.activate(ada, "")
        await scripts.rename(ada, "one", "uno")
        await scripts.rename(ada, "uno", "uno")  # no change
        await scripts.delete(ada, "uno")
        with pytest.raises(NoSuchScript):
            await scripts.delete(ada, "uno")
        async with directory.database.reading() as at:
            changes = await changes_after(at, ada, start)
            assert await config_journal.modseq_of(at, ada) == start + 6
        assert changes == [
            Change(Kind.SCRIPT, How.UPDATED, first),
            Change(Kind.SCRIPT, How.UPDATED, first),
            Change(Kind.SCRIPT, How.UPDATED, second),
            Change(Kind.SCRIPT, How.UPDATED, second),
            Change(Kind.SCRIPT, How.UPDATED, first),
            Change(Kind.SCRIPT, How.DELETED, first),
        ]


async def test_what_is_refused_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        scripts = directory.scripts
        await scripts.put(ada, "one", b"keep;")
        await scripts.put(ada, "two", b"stop;")
        await scripts.activate(ada, "one")
        before = await scripts.listed(ada)
        with pytest.raises(ScriptActive):
            await scripts.delete(ada, "one")
        with pytest.raises(ScriptExists):
            await scripts.rename(ada, "one", "two")
        with pytest.raises(ScriptExists):
            await scripts.put(ada, "one", b"discard;", new=True)
        with pytest.raises(NoSuchScript):
            await scripts.rename(ada, "three", "four")
        with pytest.raises(NoSuchScript):
            await scripts.activate(ada, "three")
        with pytest.raises(NoSuchScript):
            await scripts.get(ada, "three")
        with pytest.raises(ScriptTooLarge):
            await scripts.put(ada, "three", b"#" * (MAX_SIZE + 1))
        with pytest.raises(ScriptTooLarge):
            await scripts.check_room(ada, "three", MAX_SIZE + 1)
        assert await scripts.listed(ada) == before
        for n in range(7):
            await scripts.put(ada, f"big {n}", b"#" * MAX_SIZE)
        with pytest.raises(ScriptTooLarge):
            await scripts.put(ada, "one more", b"#" * MAX_SIZE)
        await scripts.put(ada, "big 0", b"#" * MAX_SIZE)  # what it replaces does not count
        for n in range(MAX_SCRIPTS - 9):
            await scripts.put(ada, f"small {n}", b"keep;")
        with pytest.raises(TooManyScripts):
            await scripts.check_room(ada, "one more", 1)
        await scripts.check_room(ada, "small 1", 1)


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "\x7f", "\x85", "\u2028", "\ud800", "ä" * 257])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadScriptName):
        script_name(name)


def test_names_in_their_one_form() -> None:
    assert script_name("a\u0308 /..\\") == "ä /..\\"
    assert script_name("x" * 512) == "x" * 512
