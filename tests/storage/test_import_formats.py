"""The import formats read alone: mbox in its four kinds, Dovecot's small files."""

import mailbox
from pathlib import Path

import pytest

from storage.importer.dovecot import UidList, parse_keywords, parse_subscriptions, parse_uidlist
from storage.importer.maildir import read_maildir
from storage.importer.mbox import is_mbox, parse_from_date, read_mbox
from storage.importer.source import ImportRefused
from storage.values import Flags, System

ONE = b"From: a@example.test\nSubject: one\n\nfirst\n"
FROM = b"From a@example.test Fri Jul  8 12:08:34 2011\n"


def messages(tmp_path: Path, data: bytes) -> list[bytes]:
    path = tmp_path / "box"
    path.write_bytes(data)
    assert is_mbox(path)
    return [one.read() for one in read_mbox(path, "INBOX").messages]


def test_two_messages_and_their_dates(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(FROM + ONE + b"\n" + FROM.replace(b"2011", b"+0200 2012") + ONE + b"\n")
    folder = read_mbox(path, "INBOX")
    assert [one.read() for one in folder.messages] == [ONE, ONE]
    assert [one.internaldate for one in folder.messages] == [1310126914.0, 1341742114.0]


def test_a_quoted_from_line_loses_one_bracket(tmp_path: Path) -> None:
    body = ONE + b">From here\n>>From there\nFrom inside without an empty line\n"
    assert messages(tmp_path, FROM + body + b"\n") == [
        ONE + b"From here\n>From there\nFrom inside without an empty line\n"
    ]


def test_content_length_keeps_a_bare_from_line(tmp_path: Path) -> None:
    body = b"text\n\nFrom the 1st of May\n>From quoted stays\n"
    head = b"Subject: x\nContent-Length: %d\n\n" % len(body)
    assert messages(tmp_path, FROM + head + body + b"\n" + FROM + ONE) == [
        b"Subject: x\n\n" + body,
        ONE,
    ]


def test_a_wrong_content_length_is_not_believed(tmp_path: Path) -> None:
    wrong = FROM + b"Content-Length: 3\n" + ONE + b"\n" + FROM + ONE
    assert messages(tmp_path, wrong) == [ONE, ONE]


def test_crlf_files_and_empty_messages(tmp_path: Path) -> None:
    data = (FROM + ONE + b"\n" + FROM + b"\n" + FROM + ONE + b"\n").replace(b"\n", b"\r\n")
    crlf = ONE.replace(b"\n", b"\r\n")
    assert messages(tmp_path, data) == [crlf, b"", crlf]
    assert messages(tmp_path, b"") == []


def test_status_fields_become_flags_and_go(tmp_path: Path) -> None:
    path = tmp_path / "box"
    base = b"X-IMAPbase: 1234567 40 lists\nX-UID: 7\nStatus: RO\nX-Status: AFDT\n"
    second = b"X-Keywords: lists\n todo\nX-UID: 12\nStatus: O\n"
    path.write_bytes(FROM + base + ONE + b"\n" + FROM + second + ONE + b"\n")
    folder = read_mbox(path, "Old")
    assert (folder.uidvalidity, folder.uidnext) == (1234567, 41)
    first, last = folder.messages
    assert first.flags == Flags(System(31)) and first.uid == 7
    assert last.flags == Flags(System(0), frozenset({"lists", "todo"})) and last.uid == 12
    assert first.read() == ONE and last.read() == ONE


def test_uids_out_of_order_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(
        FROM + b"X-IMAP: 5 40\nX-UID: 9\n" + ONE + b"\n" + FROM + b"X-UID: 9\n" + ONE + b"\n"
    )
    folder = read_mbox(path, "Old")
    assert folder.uidvalidity == 0 and [one.uid for one in folder.messages] == [0, 0]


def test_what_python_writes(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    message = mailbox.mboxMessage(b"Subject: py\n\nFrom here\nrest\n")
    message.set_flags("RF")
    box.add(message)
    box.add(b"Subject: two\n\nbody\n")
    box.close()
    folder = read_mbox(tmp_path / "box", "INBOX")
    assert folder.messages[0].read() == b"Subject: py\n\nFrom here\nrest\n"
    assert folder.messages[0].flags.system == System.SEEN | System.FLAGGED
    assert folder.messages[1].read() == b"Subject: two\n\nbody\n"


@pytest.mark.parametrize(
    "line", [b"From x\n", b"From x Fri Foo 8 12:08:34 2011\n", b"From x Fri Jul 8 12:08\n"]
)
def test_from_lines_without_a_date(line: bytes) -> None:
    assert parse_from_date(line) is None


def test_dovecot_uidlist() -> None:
    three = b"3 V1700000000 N12 G0123\n3 :1.M1.h\n7 W42 S39 :2.M2.h:2,S\nbroken\n"
    assert parse_uidlist(three) == UidList(1700000000, 12, {"1.M1.h": 3, "2.M2.h": 7})
    assert parse_uidlist(b"1 1700000000 4\n9 1.M1.h\n") == UidList(1700000000, 10, {"1.M1.h": 9})
    assert parse_uidlist(b"") == parse_uidlist(b"9 V1 N2\n") == UidList()


def test_dovecot_keywords_and_subscriptions() -> None:
    assert parse_keywords(b"0 $Junk\n1 todo\n30 far\nx\n") == {"a": "$Junk", "b": "todo"}
    assert parse_subscriptions(b"Work.2026\nM&APw-ll\n") == ["Work/2026", "Müll"]
    assert parse_subscriptions(b"V\t2\n\nWork\ta.b\n") == ["Work/a.b"]


def put(folder: Path, name: str, data: bytes = ONE) -> None:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def test_nested_folders_and_plain_maildirs(tmp_path: Path) -> None:
    put(tmp_path / "INBOX", "new/1.a.h")
    put(tmp_path / "Work" / "2026", "cur/1.b.h:2,FS")
    put(tmp_path / ".Caf&AOk-.x", "cur/1.c.h:2,")
    folders = {folder.name: folder for folder in read_maildir(tmp_path)}
    assert sorted(folders) == ["Café/x", "INBOX", "Work/2026"]
    flags = folders["Work/2026"].messages[0].flags
    assert flags.system == System.SEEN | System.FLAGGED


def test_a_message_is_found_after_its_flags_changed(tmp_path: Path) -> None:
    put(tmp_path, "new/1.a.h")
    message = read_maildir(tmp_path)[0].messages[0]
    (tmp_path / "new/1.a.h").rename(tmp_path / "cur/1.a.h:2,S")
    assert message.read() == ONE


def test_what_is_no_maildir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="not a Maildir"):
        read_maildir(tmp_path)
