"""The mirror: what IMAP shows is what a Maildir program sees, and nothing is lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.folder_file import read_account, read_folder
from storage.maildir_names import folder_path
from storage.mirror_rows import advance
from storage.values import FlagChange, System
from tests.support.store_site import USER, StoreSite, flags, message, opened_site

ALL = System.SEEN | System.ANSWERED | System.FLAGGED | System.DELETED | System.DRAFT
SEEN = flags(system=System.SEEN)
DELETED = flags(system=System.DELETED)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreSite]:
    async with opened_site(tmp_path, request.param) as made:
        yield made


async def settled(site: StoreSite) -> dict[str, list[tuple[bytes, str]]]:
    await site.store.mirror.settle()
    return site.maildir_view(site.root)


def names(site: StoreSite, folder: str, part: str) -> list[str]:
    return sorted(path.name for path in (site.root / folder_path(folder) / part).iterdir())


async def test_folders_of_a_fresh_account(site: StoreSite) -> None:
    shown = await settled(site)
    assert sorted(shown) == ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]
    box, file = await site.box("Sent"), read_folder(site.root / ".Sent")
    assert file is not None
    assert (file.mailbox, file.uidvalidity) == (box.id, box.uidvalidity)
    assert (file.special_use, file.subscribed) == ("\\Sent", True)


async def test_flags_come_into_the_names(site: StoreSite) -> None:
    await site.append("INBOX", ["none"])
    await site.append("INBOX", ["all"], flags(system=ALL))
    shown = await settled(site)
    assert shown["INBOX"] == [(message("all"), "DFRST"), (message("none"), "")]
    assert len(names(site, "INBOX", "new")) == 1
    box = await site.box("INBOX")
    await site.store.store(USER, box.id, [1, 2], FlagChange.SET, SEEN)
    shown = await settled(site)
    assert [marks for _, marks in shown["INBOX"]] == ["S", "S"]
    await site.store.store(USER, box.id, [1, 2], FlagChange.REMOVE, SEEN)
    shown = await settled(site)
    assert [marks for _, marks in shown["INBOX"]] == ["", ""]
    assert names(site, "INBOX", "new") == []


async def test_keywords_take_letters_and_the_rest_stand_by_uid(site: StoreSite) -> None:
    words = [f"word{number:02}" for number in range(28)]
    await site.append("INBOX", ["one"], flags(*words))
    await site.append("INBOX", ["two"], flags("word03", "word27"))
    await site.store.mirror.settle()
    file = read_folder(site.root)
    assert file is not None and file.letters == tuple(words[:26])
    assert file.extra == {1: ("word26", "word27"), 2: ("word27",)}
    assert [name.rpartition(",")[2] for name in names(site, "INBOX", "cur")] == [
        "abcdefghijklmnopqrstuvwxyz",
        "d",
    ]


async def test_the_mirror_follows_by_itself(site: StoreSite) -> None:
    await site.append("INBOX", ["one"], SEEN)
    for _ in range(100):
        if names(site, "INBOX", "cur"):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the name has no flags after five seconds")


async def test_a_copy_is_a_hard_link_and_a_move_keeps_the_file(site: StoreSite) -> None:
    await site.append("INBOX", ["one", "two"], SEEN)
    inbox = await site.box("INBOX")
    await site.store.copy(USER, inbox.id, [1], "Archive")
    await site.store.move(USER, inbox.id, [2], "Trash")
    shown = await settled(site)
    assert shown["INBOX"] == shown["Archive"] == [(message("one"), "S")]
    assert shown["Trash"] == [(message("two"), "S")]
    files = {
        (site.root / folder / "cur" / name).stat().st_ino
        for folder, box in (("", "INBOX"), (".Archive", "Archive"))
        for name in names(site, box, "cur")
    }
    assert len(files) == 1


async def test_a_copy_beside_a_message_whose_flags_change_takes_no_name_away(
    site: StoreSite,
) -> None:
    await site.append("INBOX", ["one"], SEEN)
    await site.store.mirror.settle()
    inbox = await site.box("INBOX")
    await site.store.copy(USER, inbox.id, [1], "INBOX")
    await site.store.store(USER, inbox.id, [1], FlagChange.SET, flags(system=System.FLAGGED))
    await site.store.store(USER, inbox.id, [2], FlagChange.SET, flags(system=System.ANSWERED))
    shown = await settled(site)
    assert shown["INBOX"] == [(message("one"), "F"), (message("one"), "R")]
    await site.store.store(USER, inbox.id, [2], FlagChange.SET, DELETED)
    await site.store.expunge(USER, inbox.id, None)
    assert (await settled(site))["INBOX"] == [(message("one"), "F")]


@pytest.mark.parametrize(("dead", "alive"), [("INBOX", "Archive"), ("Archive", "INBOX")])
async def test_a_copy_is_made_from_a_name_that_is_there(
    site: StoreSite, caplog: pytest.LogCaptureFixture, dead: str, alive: str
) -> None:
    """A kill may come between the unlink of a name and the removal of its row."""
    await site.append("INBOX", ["one"], DELETED)
    inbox, gone, left = await site.box("INBOX"), await site.box(dead), await site.box(alive)
    await site.store.copy(USER, inbox.id, [1], "Archive")
    await site.store.mirror.settle()
    await site.store.expunge(USER, gone.id, None)
    for name in names(site, dead, "cur"):
        (site.root / folder_path(dead) / "cur" / name).unlink()
    await site.store.copy(USER, left.id, [1], "Sent")
    assert (await settled(site))["Sent"] == [(message("one"), "T")]
    assert "missing" not in caplog.text


async def test_expunge_removes_the_file_and_its_blob(site: StoreSite) -> None:
    await site.append("INBOX", ["one"], DELETED)
    inbox = await site.box("INBOX")
    await site.store.expunge(USER, inbox.id, None)
    assert (await settled(site))["INBOX"] == []
    left = await site.store.submit(lambda conn: conn.exec_driver_sql("SELECT id FROM blob").all())
    assert left == []


async def test_a_kept_uid_keeps_its_file(site: StoreSite) -> None:
    await site.append("INBOX", ["one"], DELETED)
    inbox = await site.box("INBOX")
    view = await site.store.view(USER, inbox.id)
    release = view.keep([1])
    [row] = [row async for part in site.store.rows(USER, inbox.id, [1]) for row in part]
    await site.store.expunge(USER, inbox.id, None)
    await site.store.mirror.settle()
    assert await site.store.read_body(USER, row.blob, inbox.id, 1) == message("one")
    release()
    view.release()
    assert (await settled(site))["INBOX"] == []


async def test_copy_delete_expunge_with_the_mirror_stopped(site: StoreSite) -> None:
    await site.close()
    await site.open(mirror=False)
    await site.append("INBOX", ["one", "two", "three"])
    inbox = await site.box("INBOX")
    await site.store.copy(USER, inbox.id, [1, 2, 3], "Archive")
    await site.store.store(USER, inbox.id, [1, 2, 3], FlagChange.ADD, DELETED)
    await site.store.expunge(USER, inbox.id, None)
    archive = await site.box("Archive")
    await site.store.copy(USER, archive.id, [1], "Sent")
    await site.store.delete(USER, "Archive")
    before = await site.seen()
    assert [data for data, _, _ in before["Sent"].values()] == [message("one")]
    await site.close()
    await site.open()
    await site.store.mirror.settle()
    assert await site.seen() == before
    shown = site.maildir_view(site.root)
    assert shown["Sent"] == [(message("one"), "")] and shown["INBOX"] == []
    assert "Archive" not in shown


async def test_a_last_name_stays_while_a_copy_has_none(site: StoreSite) -> None:
    await site.append("INBOX", ["one"], DELETED)
    await site.store.mirror.settle()
    await site.store.mirror.abandon()
    inbox = await site.box("INBOX")
    await site.store.copy(USER, inbox.id, [1], "Archive")
    copied = (await site.box("Archive")).highestmodseq
    # As if the copy's turn had not come: only the expunge is followed.
    await site.store.submit(lambda conn: advance(conn, {USER: copied}))
    await site.store.expunge(USER, inbox.id, None)
    shown = await settled(site)
    assert shown["INBOX"] == [] and shown["Archive"] == [(message("one"), "T")]


async def test_a_folder_move_that_was_not_recorded(site: StoreSite) -> None:
    await site.append("Sent", ["one"])
    await site.store.mirror.settle()
    await site.store.mirror.abandon()
    await site.store.rename(USER, "Sent", "Outbox")
    (site.root / ".Sent").rename(site.root / ".Outbox")
    await site.store.mirror.settle()
    assert site.maildir_view(site.root)["Outbox"] == [(message("one"), "")]
    assert [data for data, _, _ in (await site.seen())["Outbox"].values()] == [message("one")]


async def test_a_foreign_folder_in_the_way_is_set_aside(site: StoreSite) -> None:
    await site.store.mirror.settle()
    (site.root / ".Outbox" / "cur").mkdir(parents=True)
    (site.root / ".Outbox" / "cur" / "1.x.y:2,").write_bytes(message("foreign"))
    await site.append("Sent", ["one"])
    await site.store.rename(USER, "Sent", "Outbox")
    assert (await settled(site))["Outbox"] == [(message("one"), "")]
    aside = site.root / "mailserver-gone" / "foreign.Outbox-0" / "cur" / "1.x.y:2,"
    assert aside.read_bytes() == message("foreign")


async def test_folders_are_renamed_swapped_and_removed(site: StoreSite) -> None:
    await site.store.create(USER, "Work/A.b")
    await site.store.create(USER, "Ärger")
    await site.append("Work/A.b", ["one"])
    await site.append("Ärger", ["two"])
    assert {"Work", "Work.A&AC4-b", "&AMQ-rger"} <= set(await settled(site))
    await site.store.rename(USER, "Work/A.b", "x")
    await site.store.rename(USER, "Ärger", "Work/A.b")
    await site.store.rename(USER, "x", "Ärger")
    before = await site.seen()
    shown = await settled(site)
    assert shown["&AMQ-rger"] == [(message("one"), "")]
    assert shown["Work.A&AC4-b"] == [(message("two"), "")]
    assert await site.seen() == before
    await site.store.delete(USER, "Ärger")
    assert "&AMQ-rger" not in await settled(site)
    assert not list((site.root / "mailserver-gone").iterdir())


async def test_a_deleted_name_is_made_again_at_once(site: StoreSite) -> None:
    await site.store.create(USER, "Again")
    await site.append("Again", ["old"])
    await site.store.mirror.settle()
    await site.store.delete(USER, "Again")
    await site.store.create(USER, "Again")
    await site.append("Again", ["fresh"])
    assert (await settled(site))["Again"] == [(message("fresh"), "")]
    assert [data for data, _, _ in (await site.seen())["Again"].values()] == [message("fresh")]


async def test_a_parent_that_is_deleted_keeps_its_children(site: StoreSite) -> None:
    await site.store.create(USER, "Work/2026")
    await site.append("Work", ["gone"])
    await site.append("Work/2026", ["kept"])
    await site.store.mirror.settle()
    await site.store.delete(USER, "Work")
    shown = await settled(site)
    assert "Work" not in shown and shown["Work.2026"] == [(message("kept"), "")]
    await site.store.create(USER, "Work")
    await site.append("Work", ["back"])
    assert (await settled(site))["Work"] == [(message("back"), "")]
    assert [data for data, _, _ in (await site.seen())["INBOX"].values()] == []


async def test_subscriptions_without_a_mailbox_stand_beside_inbox(site: StoreSite) -> None:
    await site.store.subscribe(USER, "Not/there", True)
    await site.store.subscribe(USER, "Junk", False)
    await site.store.mirror.settle()
    account, junk = read_account(site.root), read_folder(site.root / ".Junk")
    assert account is not None and account.subscriptions == ("Not/there",)
    assert junk is not None and not junk.subscribed


async def test_foreign_renames_are_followed_and_put_back(site: StoreSite) -> None:
    await site.append("INBOX", ["one"])
    await site.store.mirror.settle()
    [name] = names(site, "INBOX", "new")
    (site.root / "new" / name).rename(site.root / "cur" / f"{name}:2,S")
    inbox = await site.box("INBOX")
    assert (await site.seen())["INBOX"][1][0] == message("one")
    await site.store.mirror.settle()
    assert names(site, "INBOX", "new") == [name] and names(site, "INBOX", "cur") == []
    (site.root / "new" / name).rename(site.root / "cur" / f"{name}:2,S")
    await site.store.store(USER, inbox.id, [1], FlagChange.ADD, flags(system=System.FLAGGED))
    await site.store.mirror.settle()
    assert names(site, "INBOX", "cur") == [f"{name}:2,F"] and names(site, "INBOX", "new") == []


async def test_after_a_kill_everything_is_compared(site: StoreSite) -> None:
    await site.close()
    await site.open(mirror=False)
    await site.append("INBOX", ["one", "two"])
    inbox = await site.box("INBOX")
    await site.store.store(USER, inbox.id, [1], FlagChange.ADD, SEEN)
    # A watermark that runs ahead of what was done: only a comparison sees it.
    await site.store.submit(lambda conn: advance(conn, {USER: 1_000_000}))
    await site.store.mirror.settle()
    assert [marks for _, marks in site.maildir_view(site.root)["INBOX"]] == ["", ""]
    await site.store.mirror.settle(everything=True)
    assert [marks for _, marks in site.maildir_view(site.root)["INBOX"]] == ["S", ""]
