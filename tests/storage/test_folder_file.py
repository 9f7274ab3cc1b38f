"""The small text file a folder: what is written is read, numbers never sink, writers exclude."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from storage.folder_file import (
    ACCOUNT_FILE,
    FOLDER_FILE,
    AccountFile,
    FolderFile,
    FolderFileDamaged,
    raise_ceiling,
    read_account,
    read_folder,
    update_account,
    update_folder,
)
from storage.values import MailboxId

FULL = FolderFile(
    MailboxId(7),
    uidvalidity=1_700_000_000,
    uid_ceiling=2048,
    modseq=99,
    special_use="\\Sent",
    subscribed=False,
    letters=("$Junk", "Lists"),
    extra={12: ("zebra", "yak"), 3: ("x",)},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_folder(tmp_path) is None
    update_folder(tmp_path, lambda old: FULL)
    assert read_folder(tmp_path) == FULL
    lines = (tmp_path / FOLDER_FILE).read_text().splitlines()
    assert lines[0] == "mailserver-folder 1"
    assert "letter a $Junk" in lines and "keywords 12 zebra yak" in lines
    assert [entry.name for entry in tmp_path.iterdir()] == [FOLDER_FILE]


def test_the_account_file_keeps_names_with_spaces(tmp_path: Path) -> None:
    value = AccountFile(5, 6, ("A b/c", "Gelöscht", "line\nend"))
    update_account(tmp_path, lambda old: value)
    assert read_account(tmp_path) == value
    assert update_account(tmp_path, lambda old: AccountFile()) == AccountFile(5, 6)


def test_numbers_never_sink_while_the_mailbox_stays(tmp_path: Path) -> None:
    update_folder(tmp_path, lambda old: FULL)
    update_folder(tmp_path, lambda old: replace(FULL, uid_ceiling=1, modseq=1))
    assert read_folder(tmp_path) == FULL
    other = FolderFile(MailboxId(8), uidvalidity=5, uid_ceiling=1)
    update_folder(tmp_path, lambda old: other)
    assert read_folder(tmp_path) == other


def test_a_lease_keeps_what_the_mirror_wrote(tmp_path: Path) -> None:
    update_folder(tmp_path, lambda old: FULL)
    raise_ceiling(tmp_path, FolderFile(MailboxId(7), FULL.uidvalidity, 4096))
    assert read_folder(tmp_path) == replace(FULL, uid_ceiling=4096)


@pytest.mark.parametrize(
    "text",
    [b"", b"mailserver-folder 2\nend\n", b"mailserver-folder 1\nmailbox 7\n", b"\xff\xfe"],
)
def test_a_damaged_file_says_so_and_can_be_replaced(tmp_path: Path, text: bytes) -> None:
    (tmp_path / FOLDER_FILE).write_bytes(text)
    with pytest.raises(FolderFileDamaged):
        read_folder(tmp_path)
    update_folder(tmp_path, lambda old: FULL)
    assert read_folder(tmp_path) == FULL


def test_a_damaged_account_file(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT_FILE).write_bytes(b"mailserver-account 1\nmodseq x\nend\n")
    with pytest.raises(FolderFileDamaged):
        read_account(tmp_path)


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    update_folder(tmp_path, lambda old: FolderFile(MailboxId(1), 1))

    def with_extra(uid: int) -> Callable[[FolderFile | None], FolderFile]:
        def change(old: FolderFile | None) -> FolderFile:
            assert old is not None
            return replace(old, extra={**old.extra, uid: ("k",)})

        return change

    def add(first: int) -> None:
        for uid in range(first, first + 20):
            update_folder(tmp_path, with_extra(uid))

    threads = [threading.Thread(target=add, args=(100 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_folder(tmp_path)
    assert found is not None and len(found.extra) == 60
