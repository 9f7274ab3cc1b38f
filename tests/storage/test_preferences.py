"""Tags and settings of accounts: typed, bounded, journalled, gone with their account."""

from pathlib import Path

import pytest

from storage import config_journal, preferences
from storage.config_journal import Change, How, Kind
from storage.errors import NoSuchAccount
from storage.preferences import (
    AUTO_TAGS,
    LANGUAGE,
    BadPreference,
    Key,
    NoSuchTag,
    Tag,
    TooManyTags,
)
from tests.support.config_journal import changes_after
from tests.support.directories import make_settings, open_directory, own_database


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_preferences_outlive_a_restart_and_go_with_their_account(
    kind: str, tmp_path: Path
) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            ada = (await directory.add_account("ada@example.test", "hash")).id
            held = directory.preferences
            async with directory.database.reading() as at:
                start = await config_journal.modseq_of(at, ada)
            assert await held.get(ada, LANGUAGE) == "" and await held.get(ada, AUTO_TAGS) is False
            await held.set(ada, AUTO_TAGS, True)
            await held.set(ada, LANGUAGE, "de")
            await held.set(ada, LANGUAGE, "en")
            await held.set(ada, LANGUAGE, None)
            await held.set(ada, LANGUAGE, None)  # no change
            await held.put_tag(ada, Tag("Work", "Arbeit", "#00ff7f", 2))
            await held.put_tag(ada, Tag("$label1", "Ä first", position=1))
            await held.put_tag(ada, Tag("WORK", "Work", position=3))
            async with directory.database.reading() as at:
                changes = await changes_after(at, ada, start)
            assert [(one.kind, one.how, one.what) for one in changes] == [
                (Kind.PREFERENCE, How.CREATED, "auto_tags"),
                (Kind.PREFERENCE, How.CREATED, "language"),
                (Kind.PREFERENCE, How.UPDATED, "language"),
                (Kind.PREFERENCE, How.DELETED, "language"),
                (Kind.TAG, How.CREATED, "work"),
                (Kind.TAG, How.CREATED, "$label1"),
                (Kind.TAG, How.UPDATED, "work"),
            ]
        async with open_directory(settings) as directory:
            held = directory.preferences
            assert await held.get(ada, AUTO_TAGS) is True
            assert await held.get(ada, Key("auto_tags", "text")) == "text"  # another type
            assert await held.tags(ada) == [
                Tag("$label1", "Ä first", position=1),
                Tag("WORK", "Work", position=3),
            ]
            await held.delete_tag(ada, "work")
            with pytest.raises(NoSuchTag):
                await held.delete_tag(ada, "work")
            await directory.delete_account("ada@example.test")
            assert await held.tags(ada) == [] and await held.get(ada, AUTO_TAGS) is False
            with pytest.raises(NoSuchAccount):
                await held.set(ada, AUTO_TAGS, True)
            with pytest.raises(NoSuchAccount):
                await held.put_tag(ada, Tag("a", "a"))
    assert Change(Kind.TAG, How.DELETED, "work") not in changes


async def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "MAX_TAGS", 1)
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        held = directory.preferences
        for wrong in (
            Tag("\\Seen", "x"),
            Tag("a b", "x"),
            Tag("", "x"),
            Tag("a" * 65, "x"),
            Tag("a]", "x"),
            Tag("a", ""),
            Tag("a", "x\ny"),
            Tag("a", "x", "red"),
            Tag("a", "x", position=-1),
        ):
            with pytest.raises(BadPreference):
                await held.put_tag(ada, wrong)
        with pytest.raises(BadPreference):
            await held.set(ada, LANGUAGE, "x" * 20_000)
        await held.put_tag(ada, Tag("one", "One"))
        await held.put_tag(ada, Tag("One", "One again"))
        with pytest.raises(TooManyTags):
            await held.put_tag(ada, Tag("two", "Two"))
        assert [one.name for one in await held.tags(ada)] == ["One again"]
