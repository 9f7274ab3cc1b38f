"""Changes of things in config.db since a state: folded by id, in parts, refused when forgotten."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from storage import config_journal
from storage.config_changes import ConfigChanges, config_changes, state_of
from storage.config_journal import Change, How, Kind
from storage.directory import Directory
from storage.errors import NoSuchAccount, TooOld
from storage.values import AccountId
from tests.support.directories import make_settings, open_directory, own_database

PEOPLE = frozenset((Kind.CARD, Kind.BOOK))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url)) as opened,
    ):
        yield opened


async def _account(directory: Directory, name: str = "ada") -> AccountId:
    return (await directory.add_account(f"{name}@example.test", "hash")).id


async def _note(directory: Directory, account: AccountId, *told: str) -> int:
    """`+a` a card was made, `=a` changed, `-a` deleted; `*a` a tag was made."""
    kinds = {"+": How.CREATED, "=": How.UPDATED, "-": How.DELETED}
    changes = [
        Change(Kind.TAG, How.CREATED, one[1:])
        if one[0] == "*"
        else Change(Kind.CARD, kinds[one[0]], one[1:])
        for one in told
    ]
    async with directory.database.writing() as at:
        return await config_journal.note(at, account, changes)


def _ids(found: ConfigChanges) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    return found.created, found.updated, found.destroyed


async def test_changes_are_folded_by_id_and_other_kinds_and_accounts_left_out(
    directory: Directory,
) -> None:
    ada, bob = await _account(directory), await _account(directory, "bob")
    start = await _note(directory, ada, "+a", "+b", "*work")
    assert await state_of(directory.database, ada, PEOPLE) == start - 1
    await _note(directory, bob, "+z")
    told = "+c", "=a", "+d", "=c", "-d", "-b", "*home"
    last = await _note(directory, ada, *told)
    found = await config_changes(directory.database, ada, PEOPLE, start - 1, 100)
    assert _ids(found) == (["c"], ["a"], ["b"]) and not found.has_more
    assert found.until == last - 1 == await state_of(directory.database, ada, PEOPLE)
    found = await config_changes(directory.database, ada, PEOPLE, found.until, 100)
    assert _ids(found) == ([], [], []) and found.until == last - 1
    await _note(directory, ada, "-a", "+a")
    found = await config_changes(directory.database, ada, PEOPLE, last - 1, 100)
    assert _ids(found) == ([], ["a"], [])


async def test_parts_join_up(directory: Directory) -> None:
    ada = await _account(directory)
    start = await state_of(directory.database, ada, PEOPLE)
    await _note(directory, ada, "+a", "+b", "*x", "=a", "+c", "-b", "+d")
    parts, since = [], start
    for _ in range(10):
        found = await config_changes(directory.database, ada, PEOPLE, since, 2)
        parts.append(_ids(found))
        since = found.until
        if not found.has_more:
            break
    assert parts == [(["a", "b"], [], []), (["c"], [], ["b"]), (["d"], [], [])]
    assert since == await state_of(directory.database, ada, PEOPLE)


async def test_what_the_journal_has_forgotten_is_refused(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_journal, "KEPT", 100)
    ada = await _account(directory)
    await _note(directory, ada, "+a")
    for _ in range(40):
        last = await _note(directory, ada, *[f"*{n}" for n in range(10)])
    state = await state_of(directory.database, ada, PEOPLE)
    assert state == last - 100, "so that whoever is behind it knows"
    with pytest.raises(TooOld):
        await config_changes(directory.database, ada, PEOPLE, state - 1, 10)
    with pytest.raises(TooOld):
        await config_changes(directory.database, ada, PEOPLE, last + 1, 10)
    assert (await config_changes(directory.database, ada, PEOPLE, state, 10)).until == state
    async with directory.database.reading() as at:
        rows = await at.exec_driver_sql("SELECT count(*) FROM config_journal")
        assert rows.scalar_one() < 400, "old rows go"
    with pytest.raises(NoSuchAccount):
        await state_of(directory.database, AccountId(999), PEOPLE)
    with pytest.raises(NoSuchAccount):
        await _note(directory, AccountId(999), "+a")
