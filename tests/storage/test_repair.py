"""Repair: an index deleted, damaged, or older than the files, and what stands again afterwards."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.acl import BoxKey
from storage.errors import StoreDamaged, StoreError
from storage.repair import RepairReport
from storage.values import (
    Delivery,
    FlagChange,
    LocalRecipient,
    Mailbox,
    QueuedRecipient,
    System,
)
from tests.support.store_site import USER, StoreSite, content, flags, message, opened_site

SEEN = flags(system=System.SEEN)
DELETED = flags(system=System.DELETED)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreSite]:
    async with opened_site(tmp_path, request.param) as made:
        yield made


@pytest.fixture
async def sqlite_site(tmp_path: Path) -> AsyncIterator[StoreSite]:
    """For what can be done to a file only: a PostgreSQL server keeps its own from harm."""
    async with opened_site(tmp_path, "sqlite") as made:
        yield made


async def fill(site: StoreSite) -> None:
    await site.append("INBOX", ["one", "two", "three"], flags("$Junk", "todo", system=5))
    await site.append("INBOX", ["plain"], date=1.4e9)
    await site.store.create(USER, "Work/A.b")
    await site.append("Work/A.b", ["four"], flags("todo"))
    inbox = await site.box("INBOX")
    await site.store.copy(USER, inbox.id, [1], "Work/A.b")
    await site.store.move(USER, inbox.id, [2], "Archive")
    await site.store.store(USER, inbox.id, [3], FlagChange.ADD, DELETED)
    await site.store.expunge(USER, inbox.id, None)
    await site.store.subscribe(USER, "Junk", False)
    await site.store.subscribe(USER, "No/where", True)


async def boxes(site: StoreSite) -> dict[str, Mailbox]:
    return {box.name: box for box in await site.store.mailboxes(USER)}


def fixed(box: Mailbox) -> tuple[object, ...]:
    """What a repair must give back unchanged."""
    counts = (box.messages, box.unseen, box.deleted, box.size)
    return (box.id, box.uidvalidity, box.special_use, box.subscribed, box.selectable, *counts)


async def broken_and_repaired(site: StoreSite) -> RepairReport:
    """Closed, index deleted, refused, repaired, open again."""
    await site.close()
    await site.delete_index()
    with pytest.raises(StoreDamaged, match="mailserver repair"):
        await site.open()
    report = await site.repair()
    await site.open()
    return report


async def test_index_deleted_after_a_clean_stop(site: StoreSite) -> None:
    await fill(site)
    before, old = await site.seen(), await boxes(site)
    names, usage = await site.store.subscriptions(USER), await site.store.usage(USER)
    await site.store.deliver(
        Delivery(
            content(message("out")),
            "me@example.test",
            1.5e9,
            "trace1",
            queued=(QueuedRecipient("you@else.test"), QueuedRecipient("she@else.test")),
        )
    )
    await site.store.submit(lambda conn: conn.exec_driver_sql("SELECT 1").all())
    report = await broken_and_repaired(site)
    assert (report.accounts, report.added, report.lost, report.queued) == (1, 5, 0, 1)
    assert await site.seen() == before
    again = await boxes(site)
    assert {name: fixed(box) for name, box in again.items()} == {
        name: fixed(box) for name, box in old.items()
    }
    for name, box in again.items():
        assert box.uidnext >= old[name].uidnext
        assert box.highestmodseq >= old[name].highestmodseq
    assert await site.store.subscriptions(USER) == names
    assert await site.store.usage(USER) == usage
    listed = [one async for one in site.store.queue.entries()]
    assert [r.address for r in listed[0].recipients] == ["you@else.test", "she@else.test"]


async def test_no_uid_is_given_twice(site: StoreSite) -> None:
    [last] = await site.append("INBOX", ["gone"], DELETED)
    inbox = await site.box("INBOX")
    await site.store.expunge(USER, inbox.id, None)
    await broken_and_repaired(site)
    [uid] = await site.append("INBOX", ["later"])
    assert uid > last
    await site.store.mirror.settle()
    assert site.maildir_view(site.root)["INBOX"] == [(message("later"), "")]


async def test_a_second_repair_changes_nothing(site: StoreSite) -> None:
    await fill(site)
    await broken_and_repaired(site)
    before, old = await site.seen(), await boxes(site)
    await site.close()
    report = await site.repair()
    assert (report.changed, report.added, report.lost) == (0, 0, 0)
    await site.open()
    assert await site.seen() == before and await boxes(site) == old


async def test_a_sound_index_leads_over_names_that_lag(site: StoreSite) -> None:
    await site.append("INBOX", ["one", "two", "three"])
    await site.store.mirror.settle()
    await site.store.mirror.abandon()
    inbox = await site.box("INBOX")
    await site.store.store(USER, inbox.id, [1], FlagChange.ADD, SEEN)
    await site.store.store(USER, inbox.id, [2], FlagChange.ADD, DELETED)
    await site.store.copy(USER, inbox.id, [2], "Archive")
    await site.store.expunge(USER, inbox.id, None)
    await site.store.rename(USER, "Sent", "Outbox")
    before = await site.seen()
    await site.close_without_mirror()
    report = await site.repair()
    assert (report.added, report.lost) == (0, 0)
    await site.open()
    assert await site.seen() == before
    await site.store.mirror.settle(everything=True)
    shown = site.maildir_view(site.root)
    assert shown["INBOX"] == [(message("one"), "S"), (message("three"), "")]
    assert shown["Archive"] == [(message("two"), "T")]
    assert "Outbox" in shown and "Sent" not in shown


async def test_files_alone_after_a_kill_lose_no_message(site: StoreSite) -> None:
    await site.append("INBOX", ["one", "two"])
    await site.store.mirror.settle()
    await site.store.mirror.abandon()
    inbox = await site.box("INBOX")
    await site.store.move(USER, inbox.id, [1], "Archive")
    await site.append("INBOX", ["three"], SEEN)
    await site.close_without_mirror()
    await site.delete_index()
    await site.repair()
    await site.open()
    found = {data for box in (await site.seen()).values() for data, _, _ in box.values()}
    assert found == {message("one"), message("two"), message("three")}


async def test_an_old_index_takes_what_is_newer_in_the_files(sqlite_site: StoreSite) -> None:
    site = sqlite_site
    await site.append("INBOX", ["one", "two"])
    await site.close()
    assert not (site.data_dir / "index.db-wal").exists()
    backup = (site.data_dir / "index.db").read_bytes()
    await site.open()
    inbox = await site.box("INBOX")
    await site.store.store(USER, inbox.id, [1], FlagChange.ADD, flags("later", system=1))
    await site.store.move(USER, inbox.id, [2], "Archive")
    await site.append("INBOX", ["three"])
    await site.store.create(USER, "Fresh")
    await site.append("Fresh", ["four"])
    before = await site.seen()
    await site.close()
    await site.delete_index()
    (site.data_dir / "index.db").write_bytes(backup)
    with pytest.raises(StoreDamaged, match="mailserver repair"):
        await site.open()
    await site.repair()
    await site.open()
    assert await site.seen() == before


async def test_a_damaged_index_is_kept_and_read_as_far_as_it_goes(sqlite_site: StoreSite) -> None:
    site = sqlite_site
    await fill(site)
    before = await site.seen()
    await site.close()
    path = site.data_dir / "index.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 8192, 3):
        data[page * 8192 : page * 8192 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    report = await site.repair()
    assert report.kept and report.lost == 0
    assert len(list(site.data_dir.glob("index.damaged-*.db"))) == 1
    await site.open()
    assert await site.seen() == before


async def test_an_index_that_is_no_database(sqlite_site: StoreSite) -> None:
    site = sqlite_site
    await fill(site)
    before = await site.seen()
    await site.close()
    await site.delete_index()
    (site.data_dir / "index.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreDamaged, match="mailserver repair"):
        await site.open()
    await site.repair()
    await site.open()
    assert await site.seen() == before


async def test_foreign_files_and_folders_come_in(site: StoreSite) -> None:
    await fill(site)
    before = await site.seen()
    inbox = await site.box("INBOX")
    await site.close()
    lf = b"Subject: foreign\n\nwith LF\n"
    (site.root / "cur" / "1234.M1.other:2,FS").write_bytes(lf)
    for part in ("tmp", "new", "cur"):
        (site.root / ".Foreign.Sub" / part).mkdir(parents=True)
    (site.root / ".Foreign.Sub" / "new" / "1.M2.other").write_bytes(lf)
    report = await site.repair()
    assert report.added == 2
    await site.open()
    seen = await site.seen()
    crlf = lf.replace(b"\n", b"\r\n")
    [uid] = seen["INBOX"].keys() - before["INBOX"].keys()
    assert uid >= inbox.uidnext and seen["INBOX"][uid][:2] == (crlf, flags(system=5))
    assert [data for data, _, _ in seen["Foreign/Sub"].values()] == [crlf]
    assert (await site.box("Foreign/Sub")).size == len(crlf)
    assert {name: seen[name] for name in before if name != "INBOX"} == {
        name: before[name] for name in before if name != "INBOX"
    }


async def test_two_files_with_one_uid(site: StoreSite) -> None:
    await site.append("INBOX", ["one", "two"])
    await site.close()
    one, two = sorted((site.root / "new").iterdir(), key=lambda path: path.name[-1])
    (site.root / "cur" / f"{one.name}:2,S").hardlink_to(one)
    two.rename(site.root / "new" / two.name.replace("U=2", "U=1"))
    await site.delete_index()
    report = await site.repair()
    assert report.doubles == 1
    await site.open()
    shown = (await site.seen())["INBOX"]
    assert sorted(data for data, _, _ in shown.values()) == [message("one"), message("two")]
    assert len(list((site.data_dir / "orphans" / str(USER)).iterdir())) == 1


async def test_one_delivery_to_two_mailboxes_of_an_account(site: StoreSite) -> None:
    local = (LocalRecipient(USER, "a@x.test"), LocalRecipient(USER, "b@x.test", "Junk", SEEN))
    await site.store.deliver(Delivery(content(message("twice")), "s@x.test", 1.5e9, "t", local))
    before = await site.seen()
    assert before["INBOX"] and before["Junk"]
    await broken_and_repaired(site)
    assert await site.seen() == before


async def test_an_unmounted_maildir_is_not_an_empty_one(site: StoreSite) -> None:
    await site.append("INBOX", ["one"])
    await site.close()
    elsewhere = site.maildir.with_name("away")
    site.maildir.rename(elsewhere)
    site.maildir.mkdir()
    with pytest.raises(StoreError, match="mounted"):
        await site.repair()
    site.maildir.rmdir()
    elsewhere.rename(site.maildir)
    await site.open()
    assert len((await site.seen())["INBOX"]) == 1


async def test_what_names_a_mailbox_in_lists_of_rights_is_given_back(site: StoreSite) -> None:
    """Number and UIDVALIDITY: kept through renaming and repair, never those of a deleted one."""
    await site.store.create(USER, "Work")
    await site.store.rename(USER, "Work", "Play/Work")
    gone = BoxKey.of(await site.store.create(USER, "Last"))
    kept = {name: BoxKey.of(box) for name, box in (await boxes(site)).items() if name != "Last"}
    await site.store.delete(USER, "Last")
    await broken_and_repaired(site)
    assert {name: BoxKey.of(box) for name, box in (await boxes(site)).items()} == kept
    assert BoxKey.of(await site.store.create(USER, "Last")) != gone
