"""Imports into a real store: flags, keywords, dates, folders, UIDs; broken off and run again."""

import mailbox
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from storage.errors import OverQuota
from storage.folder_file import read_folder
from storage.importer.load import ImportReport, load
from storage.importer.maildir import read_maildir
from storage.importer.mbox import read_mbox
from storage.importer.mbox_folder import read_mbox_folder
from storage.importer.source import SourceFolder
from storage.values import System
from tests.support.store_site import USER, StoreSite, flags, message, opened_site

LF = b"Subject: lf\n\nline\n"
CRLF = LF.replace(b"\n", b"\r\n")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreSite]:
    async with opened_site(tmp_path / "site", request.param) as made:
        yield made


@pytest.fixture
async def sqlite_site(tmp_path: Path) -> AsyncIterator[StoreSite]:
    """Where the source's format is what is tested."""
    async with opened_site(tmp_path / "site", "sqlite") as made:
        yield made


async def imported(site: StoreSite, folders: Sequence[SourceFolder]) -> ImportReport:
    seen: list[tuple[int, int, str]] = []
    report = await load(site.store, site.offload, USER, folders, lambda *args: seen.append(args))
    total = sum(len(folder.messages) for folder in folders)
    assert not total or seen[-1][:2] == (total, total)
    return report


def put(folder: Path, name: str, data: bytes, date: float = 1.4e9) -> None:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    os.utime(folder / name, (date, date))


def dovecot(root: Path) -> None:
    """A Maildir++ as Dovecot leaves it."""
    put(root, "cur/1.M1.h,S=40:2,Sab", message("one"), 1.1e9)
    put(root, "cur/2.M2.h:2,F", LF, 1.2e9)
    put(root, "new/3.M3.h", message("three"), 1.3e9)
    put(root, "new/9.M9.h", message("unlisted"), 1.35e9)
    (root / "dovecot-uidlist").write_text(
        "3 V1234567890 N301 G00ff\n7 W55 :1.M1.h,S=40\n9 :2.M2.h\n300 :3.M3.h\n"
    )
    (root / "dovecot-keywords").write_text("0 $Forwarded\n1 todo\n")
    put(root / ".Sent", "cur/1.M1.h:2,S", message("sent"))
    put(root / ".Work.2026", "cur/1.M1.h:2,", message("work"))
    (root / ".Sent" / "dovecot-uidlist").write_text("3 V99 N6\n5 :1.M1.h\n")
    (root / "subscriptions").write_text("Sent\n")


async def test_dovecot_keeps_uids_and_keywords(site: StoreSite, tmp_path: Path) -> None:
    dovecot(tmp_path / "source")
    report = await imported(site, read_maildir(tmp_path / "source"))
    assert (report.imported, report.skipped, report.folders) == (6, 0, 3)
    assert report.uids_kept == ["INBOX", "Sent"]
    inbox, sent = await site.box("INBOX"), await site.box("Sent")
    assert (inbox.uidvalidity, sent.uidvalidity) == (1234567890, 99)
    seen = await site.seen()
    assert seen["INBOX"] == {
        7: (message("one"), flags("$Forwarded", "todo", system=System.SEEN), 1100000000),
        9: (CRLF, flags(system=System.FLAGGED), 1200000000),
        300: (message("three"), flags(), 1300000000),
        301: (message("unlisted"), flags(), 1350000000),
    }
    assert list(seen["Sent"]) == [5]
    assert not (await site.box("Work/2026")).subscribed
    await site.store.mirror.settle()
    file = read_folder(site.root)
    assert file is not None and file.uidvalidity == 1234567890
    shown = site.maildir_view(site.root)["INBOX"]
    assert sorted(shown) == sorted(
        [(message("one"), "Sab"), (CRLF, "F"), (message("three"), ""), (message("unlisted"), "")]
    )


async def test_what_was_imported_can_be_repaired(site: StoreSite, tmp_path: Path) -> None:
    dovecot(tmp_path / "source")
    await imported(site, read_maildir(tmp_path / "source"))
    before = await site.seen()
    await site.close()
    await site.delete_index()
    await site.repair()
    await site.open()
    assert await site.seen() == before
    assert (await site.box("INBOX")).uidvalidity == 1234567890


async def test_an_import_run_twice_adds_nothing(site: StoreSite, tmp_path: Path) -> None:
    dovecot(tmp_path / "source")
    folders = read_maildir(tmp_path / "source")
    half = [SourceFolder("INBOX", folders[0].messages[:2], 1234567890, 301)]
    await imported(site, half)
    first = await imported(site, folders)
    assert (first.imported, first.skipped) == (4, 2)
    assert list((await site.seen())["INBOX"]) == [7, 9, 300, 301]
    before = await site.seen()
    second = await imported(site, folders)
    assert (second.imported, second.skipped) == (0, 6)
    assert await site.seen() == before


async def test_a_mailbox_with_messages_gives_its_own_uids(
    sqlite_site: StoreSite, tmp_path: Path
) -> None:
    await sqlite_site.append("INBOX", ["before"])
    old = await sqlite_site.box("INBOX")
    dovecot(tmp_path / "source")
    report = await imported(sqlite_site, read_maildir(tmp_path / "source"))
    assert report.uids_kept == ["Sent"]
    assert (await sqlite_site.box("INBOX")).uidvalidity == old.uidvalidity
    assert list((await sqlite_site.seen())["INBOX"]) == [1, 2, 3, 4, 5]


async def test_an_emptied_mailbox_takes_the_sources_uids(
    sqlite_site: StoreSite, tmp_path: Path
) -> None:
    await sqlite_site.append("INBOX", ["a", "b"], flags(system=System.DELETED))
    inbox = await sqlite_site.box("INBOX")
    view = await sqlite_site.store.view(USER, inbox.id)
    await sqlite_site.store.expunge(USER, inbox.id, None)
    put(tmp_path / "source", "cur/1.M1.h:2,S", message("one"))
    (tmp_path / "source" / "dovecot-uidlist").write_text("3 V77 N2\n1 :1.M1.h\n")
    await imported(sqlite_site, read_maildir(tmp_path / "source"))
    box = await sqlite_site.box("INBOX")
    assert (box.uidvalidity, box.uidnext, box.messages) == (77, 2, 1)
    assert list((await sqlite_site.seen())["INBOX"]) == [1]
    view.release()


async def test_a_maildir_of_this_server(sqlite_site: StoreSite, tmp_path: Path) -> None:
    site = sqlite_site
    await site.append("INBOX", ["one", "two"], flags("$Junk", system=System.SEEN))
    await site.store.create(USER, "Work/A.b")
    await site.append("Work/A.b", ["three"])
    await site.store.mirror.settle()
    old = await site.box("INBOX")
    async with opened_site(tmp_path / "other", "sqlite") as other:
        await imported(other, read_maildir(site.root))
        assert await other.seen() == await site.seen()
        assert (await other.box("INBOX")).uidvalidity == old.uidvalidity


async def test_mbox_with_flags_and_dates(site: StoreSite, tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    one = mailbox.mboxMessage(b"Subject: py\n\nFrom here\nrest\n")
    one.set_flags("RFA")
    one.set_from("a@x.test Fri Jul  8 12:08:34 2011")
    box.add(one)
    box.add(LF)
    box.close()
    report = await imported(site, [read_mbox(tmp_path / "box", "INBOX")])
    assert report.imported == 2
    shown = (await site.seen())["INBOX"]
    assert shown[1] == (
        b"Subject: py\r\n\r\nFrom here\r\nrest\r\n",
        flags(system=System.SEEN | System.FLAGGED | System.ANSWERED),
        1310126914,
    )
    assert shown[2][0] == CRLF


async def test_a_folder_of_mboxes(sqlite_site: StoreSite, tmp_path: Path) -> None:
    source = tmp_path / "thunderbird"
    (source / "Work.sbd").mkdir(parents=True)
    mbox = b"From x Fri Jul  8 12:08:34 2011\n" + LF + b"\n"
    for name in ("Inbox", "Work", "Work.sbd/2026.mbox"):
        (source / name).write_bytes(mbox)
    (source / "Work.msf").write_bytes(b"// not mail")
    await imported(sqlite_site, read_mbox_folder(source))
    seen = await sqlite_site.seen()
    assert {name for name, box in seen.items() if box} == {"INBOX", "Work", "Work/2026"}


async def test_many_messages_in_bounded_jobs(sqlite_site: StoreSite, tmp_path: Path) -> None:
    for number in range(250):
        put(tmp_path / "source", f"new/{number:03}.M1.h", message(f"number{number}"))
    report = await imported(sqlite_site, read_maildir(tmp_path / "source"))
    assert report.imported == 250
    shown = (await sqlite_site.seen())["INBOX"]
    assert [data for data, _, _ in shown.values()] == [message(f"number{n}") for n in range(250)]


async def test_the_quota_holds(sqlite_site: StoreSite, tmp_path: Path) -> None:
    await sqlite_site.store.set_limits(USER, 0, 1)
    dovecot(tmp_path / "source")
    with pytest.raises(OverQuota):
        await imported(sqlite_site, read_maildir(tmp_path / "source"))
    assert (await sqlite_site.seen())["INBOX"] == {}
