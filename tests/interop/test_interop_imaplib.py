"""Python's imaplib: logins, folders, upload, flags, searches, copies and removal."""

import imaplib
import time
from base64 import b64decode
from datetime import datetime, timedelta, timezone

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, fetch, flag_names, simple, subject

pytestmark = both_databases
WHEN = datetime(2021, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=1)))
BIG = b"Subject: big\r\n\r\n" + (b"x" * 76 + b"\r\n") * 40_000


def test_starttls_then_login(site: Site, account: Account) -> None:
    with imaplib.IMAP4(HOST, site.port("imap"), timeout=20) as client:
        assert "STARTTLS" in client.capabilities
        client.starttls(site.tls())
        assert "STARTTLS" not in client.capabilities
        assert client.login(account.address, account.password)[0] == "OK"
        assert client.select()[0] == "OK"


def test_authenticate_plain_and_login(site: Site, account: Account) -> None:
    with imaplib.IMAP4_SSL(HOST, site.port("imaps"), ssl_context=site.tls()) as client:
        assert {"AUTH=PLAIN", "AUTH=LOGIN"} <= set(client.capabilities)
        plain = f"\0{account.address}\0{account.password}".encode()
        assert client.authenticate("PLAIN", lambda _: plain)[0] == "OK"
    asked: list[bytes] = []
    answers = iter([account.address.encode(), account.password.encode()])

    def answer(challenge: bytes) -> bytes:
        asked.append(challenge)
        return next(answers)

    with imaplib.IMAP4_SSL(HOST, site.port("imaps"), ssl_context=site.tls()) as client:
        assert client.authenticate("LOGIN", answer)[0] == "OK"
    assert asked == [b"Username:", b"Password:"]


def test_wrong_password(site: Site, account: Account) -> None:
    with imaplib.IMAP4_SSL(HOST, site.port("imaps"), ssl_context=site.tls()) as client:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(account.address, "wrong")
        assert client.login(account.address, account.password)[0] == "OK"


def test_default_folders_are_there_and_subscribed(site: Site, account: Account) -> None:
    wanted = {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"}
    assert site.folders(account) == wanted
    with site.imap(account) as client:
        subscribed = b"\n".join(line for line in client.lsub()[1] if isinstance(line, bytes))
    assert all(name.encode() in subscribed for name in wanted)


def test_folder_life(site: Site, account: Account) -> None:
    with site.imap(account) as client:
        assert client.create("Work/2024")[0] == "OK"
        assert client.create("Entw&APw-rfe")[0] == "OK"
        assert client.create("Work/2024")[0] == "NO"
        assert client.subscribe("Work/2024")[0] == "OK"
        assert client.rename("Work", "Office")[0] == "OK"
        assert client.unsubscribe("Work/2024")[0] == "OK"
        assert client.delete("Entw&APw-rfe")[0] == "OK"
        assert client.select("Entw&APw-rfe")[0] == "NO"
    assert "Office/2024" in site.folders(account)
    assert not {"Work", "Work/2024", "Entw&APw-rfe"} & site.folders(account)


def test_append_keeps_octets_flags_and_date(site: Site, account: Account) -> None:
    message = simple("kept", "ä 8-bit\r\n.\r\n..dots\r\n \r\n\r\n")
    with site.imap(account) as client:
        status, answer = client.append(
            "Drafts", r"(\Draft $label1)", imaplib.Time2Internaldate(WHEN), message
        )
        assert status == "OK"
        assert b"[APPENDUID " in answer[0]
        client.select("Drafts")
        ((head, body),) = fetch(client, "1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
    assert body == message
    assert {r"\Draft", "$label1"} <= flag_names(head)
    when = imaplib.Internaldate2tuple(head)
    assert when is not None
    assert time.mktime(when) == WHEN.timestamp()
    assert b"RFC822.SIZE %d" % len(message) in head


def test_a_big_message_both_ways(site: Site, account: Account) -> None:
    site.append(account, BIG)
    assert site.messages(account) == [BIG]
    with site.imap(account) as client:
        client.select(readonly=True)
        ((_, part),) = fetch(client, "1", "(BODY.PEEK[]<1000000.65536>)")
    assert part == BIG[1_000_000 : 1_000_000 + 65536]


def test_flags_search_copy_move_expunge(site: Site, account: Account) -> None:
    for number in range(1, 6):
        site.append(account, simple(f"number {number}", f"text of {number}\r\n"))
    with site.imap(account) as client:
        assert client.select()[1] == [b"5"]
        assert client.store("2:3", "+FLAGS", r"(\Seen \Flagged)")[0] == "OK"
        assert client.search(None, "FLAGGED", "UNANSWERED")[1] == [b"2 3"]
        assert client.search("UTF-8", "SUBJECT", '"number 4"')[1] == [b"4"]
        assert client.search(None, "BODY", '"text of 5"')[1] == [b"5"]
        assert client.copy("2", "Archive")[0] == "OK"
        assert client.uid("MOVE", "3", "Trash")[0] == "OK"
        assert client.response("EXPUNGE")[1] == [b"3"]
        assert client.store("1", "+FLAGS.SILENT", r"\Deleted")[0] == "OK"
        assert client.expunge()[1] == [b"1"]
        assert client.close()[0] == "OK"
    assert set(site.flags(account)) == {"number 2", "number 4", "number 5"}
    assert site.flags(account, "Archive") == {"number 2": {r"\Seen", r"\Flagged"}}
    assert site.flags(account, "Trash") == {"number 3": {r"\Seen", r"\Flagged"}}


def test_parts_and_headers(site: Site, account: Account) -> None:
    picture = b"aGVsbG8=\r\n"
    message = (
        b"From: a@world.test\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + picture
        + b"--b--\r\n"
    )
    site.append(account, message)
    with site.imap(account) as client:
        client.select()
        ((structure, _),) = fetch(client, "1", "(BODYSTRUCTURE)")
        ((_, part),) = fetch(client, "1", "(BODY[2])")
        ((_, header),) = fetch(client, "1", "(BODY.PEEK[HEADER.FIELDS (Subject)])")
        ((flags, _),) = fetch(client, "1", "(FLAGS)")
    assert structure.upper().startswith(b'1 (BODYSTRUCTURE (("TEXT" "PLAIN"')
    assert b'"MIXED"' in structure.upper()
    assert b64decode(part) == b"hello"
    assert header == b"Subject: parts\r\n\r\n"
    assert r"\Seen" in flag_names(flags)


def test_status_and_noop_show_new_mail(site: Site, account: Account) -> None:
    with site.imap(account) as client:
        client.select()
        site.append(account, simple("seen elsewhere"))
        assert client.noop()[0] == "OK"
        assert client.response("EXISTS")[1][-1] == b"1"
        status = client.status("INBOX", "(MESSAGES UIDNEXT UNSEEN)")[1][0]
        ((_, found),) = fetch(client, "1", "(BODY.PEEK[HEADER])")
    assert b"MESSAGES 1" in status
    assert b"UNSEEN 1" in status
    assert subject(found) == "seen elsewhere"


def test_idle(site: Site, account: Account) -> None:
    """By hand, as programs on this library do it: it knows no IDLE."""
    with site.imap(account) as client:
        client.select()
        client.send(b"i1 IDLE\r\n")
        assert client.readline().startswith(b"+ ")
        site.append(account, simple("arrives"))
        assert client.readline() == b"* 1 EXISTS\r\n"
        client.send(b"DONE\r\n")
        assert client.readline().startswith(b"i1 OK")
        assert client.search(None, "SUBJECT", "arrives")[1] == [b"1"]
