"""mbsync (isync): mail, flags, deletions and folders in both directions, over TLS and STARTTLS."""

from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.mirror import Mirror
from tests.interop.site import Account, Site, simple

pytestmark = both_databases


@pytest.mark.parametrize("ssl", ["IMAPS", "STARTTLS", "None"])
def test_first_sync(site: Site, account: Account, tmp_path: Path, ssl: str) -> None:
    site.append(account, simple("read", "8-bit ä\r\n"), r"\Seen")
    site.append(account, simple("new"))
    site.append(account, simple("starred"), r"\Flagged \Answered", "Archive")
    site.create(account, "Work/2024")
    mirror = Mirror(site, account, tmp_path, ssl)
    mirror.sync()
    assert mirror.flags() == {"read": "S", "new": ""}
    assert mirror.flags("Archive") == {"starred": "FR"}
    assert (mirror.folder / "Work" / "2024" / "cur").is_dir()
    assert {"Drafts", "Sent", "Trash", "Junk"} <= {path.name for path in mirror.folder.iterdir()}
    kept = site.messages(account)[0].replace(b"\r\n", b"\n")
    texts = [mirror.box().get_bytes(key) for key in mirror.box().keys()]  # noqa: SIM118 - iterating a box gives messages
    assert [text.partition(b"\n\n")[2] for text in texts if b"8-bit" in text] == [
        kept.partition(b"\n\n")[2]
    ]


def test_both_directions(site: Site, account: Account, tmp_path: Path) -> None:
    for title in ("one", "two", "three", "four"):
        site.append(account, simple(title))
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    # here: a message, a flag, a deletion, a folder with mail; there: the same four
    mirror.add(simple("written here"))
    mirror.change("one", "FS")
    mirror.change("two", "T")
    (mirror.folder / "Made here").mkdir()
    for name in ("tmp", "new", "cur"):
        (mirror.folder / "Made here" / name).mkdir()
    mirror.add(simple("in the folder here"), "Made here")
    site.append(account, simple("written there"))
    site.create(account, "Made/there")
    site.append(account, simple("in the folder there"), r"\Seen", "Made/there")
    with site.imap(account) as client:
        client.select()
        client.store("3", "+FLAGS", r"(\Answered $label1 blue)")
        client.store("4", "+FLAGS", r"\Deleted")
        client.expunge()
    mirror.sync()
    wanted = {
        "one": {r"\Flagged", r"\Seen"},
        "three": {r"\Answered", "$label1", "blue"},  # mbsync leaves keywords as they are
        "written here": set(),
        "written there": set(),
    }
    assert site.flags(account) == wanted
    assert set(site.flags(account, '"Made here"')) == {"in the folder here"}
    assert mirror.flags() == {"one": "FS", "three": "R", "written here": "", "written there": ""}
    assert mirror.flags("Made/there") == {"in the folder there": "S"}


def test_a_folder_removed_there_goes_here(site: Site, account: Account, tmp_path: Path) -> None:
    site.create(account, "Passing")
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    assert (mirror.folder / "Passing").is_dir()
    with site.imap(account) as client:
        client.delete("Passing")
    mirror.sync()
    assert not (mirror.folder / "Passing").exists()


def test_a_second_sync_moves_nothing(site: Site, account: Account, tmp_path: Path) -> None:
    for number in range(20):
        site.append(account, simple(f"message {number}"))
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    before = sorted(path.name for path in mirror.folder.rglob("*"))
    mirror.sync()
    assert sorted(path.name for path in mirror.folder.rglob("*")) == before
    assert len(site.messages(account)) == 20


def test_a_large_message_and_a_move(site: Site, account: Account, tmp_path: Path) -> None:
    large = simple("large", "lorem ipsum größe\r\n" * 200_000)
    site.append(account, large, r"\Answered")
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    mirror.add(simple("pushed", "lorem ipsum\r\n" * 100_000), "Archive")
    mirror.sync()
    assert mirror.flags() == {"large": "R"}
    assert len(site.messages(account, "Archive")[0]) > 1_300_000
    with site.imap(account) as client:
        client.select()
        client.uid("MOVE", "1", "Archive")
    mirror.sync()
    assert mirror.flags() == {}
    assert mirror.flags("Archive") == {"pushed": "", "large": "R"}
    assert large in site.messages(account, "Archive")
