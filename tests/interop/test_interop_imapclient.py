"""IMAPClient: folders, flags and tags, moves, searches, sorting, large messages, IDLE, quota."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from imapclient import IMAPClient, exceptions

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, simple

pytestmark = both_databases
WHEN = datetime(2021, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
LARGE = simple("large", ("lorem ipsum größe\r\n") * 200_000)


@contextmanager
def connection(site: Site, account: Account, folder: str = "") -> Iterator[Any]:
    """Logged in over TLS that is verified."""
    port = site.port("imaps")
    with IMAPClient(HOST, port=port, ssl_context=site.tls(), timeout=20) as client:
        client.login(account.address, account.password)
        client.normalise_times = False
        if folder:
            client.select_folder(folder)
        yield client


def test_starttls_and_a_wrong_password(site: Site, account: Account) -> None:
    with IMAPClient(HOST, port=site.port("imap"), ssl=False, timeout=20) as client:
        client.starttls(site.tls())
        with pytest.raises(exceptions.LoginError):
            client.login(account.address, "wrong")
        client.plain_login(account.address, account.password)
        assert client.has_capability("UIDPLUS")
        assert client.id_({"name": "IMAPClient"})


def test_folders(site: Site, account: Account) -> None:
    with connection(site, account) as client:
        assert client.namespace().personal == (("", "/"),)
        assert client.find_special_folder(b"\\Trash") == "Trash"
        client.create_folder("Arbeit/Entwürfe & mehr")
        client.subscribe_folder("Arbeit/Entwürfe & mehr")
        assert client.folder_exists("Arbeit/Entwürfe & mehr")
        client.rename_folder("Arbeit", "Büro")
        names = {name for _, _, name in client.list_folders()}
        assert {"Büro", "Büro/Entwürfe & mehr", "INBOX"} <= names
        assert "Arbeit" not in names
        client.delete_folder("Büro/Entwürfe & mehr")
        client.delete_folder("Büro")
        with pytest.raises(exceptions.IMAPClientError, match="NONEXISTENT"):
            client.select_folder("Büro")


def test_flags_tags_and_searches(site: Site, account: Account) -> None:
    for number in range(1, 6):
        site.append(account, simple(f"number {number}", f"Text der Zahl {number}: größe\r\n"))
    with connection(site, account, "INBOX") as client:
        client.add_flags([1, 2], [b"\\Seen", b"$label1"])
        client.set_flags([3], [b"\\Flagged", b"blue"])
        client.remove_flags([2], [b"\\Seen"], silent=True)
        assert client.get_flags([1, 2, 3]) == {
            1: (b"\\Seen", b"$label1"),
            2: (b"$label1",),
            3: (b"\\Flagged", b"blue"),
        }
        assert client.search(["KEYWORD", "$label1"]) == [1, 2]
        assert client.search(["OR", "FLAGGED", ["SEEN", "SUBJECT", "number 1"]]) == [1, 3]
        assert client.search(["TEXT", "GRÖSSE".replace("SS", "ß"), "UID", "2:4"], "UTF-8") == [
            2,
            3,
            4,
        ]
        found = client.search("UNSEEN")
        assert found == [2, 3, 4, 5]
        assert client.folder_status("INBOX", ["MESSAGES", "UNSEEN"]) == {
            b"MESSAGES": 5,
            b"UNSEEN": 4,
        }


def test_append_copy_move_and_delete(site: Site, account: Account) -> None:
    with connection(site, account) as client:
        answer = client.append("INBOX", simple("kept"), [b"\\Draft"], WHEN)
        assert b"APPENDUID" in answer
        client.append("INBOX", simple("moved"))
        client.append("INBOX", simple("gone"))
        client.select_folder("INBOX")
        client.copy([1], "Archive")
        client.move([2], "Trash")
        client.delete_messages([3])
        client.uid_expunge([3])
        assert client.search() == [1]
        fetched = client.fetch([1], ["INTERNALDATE", "ENVELOPE", "FLAGS", "BODYSTRUCTURE"])[1]
        assert fetched[b"INTERNALDATE"] == WHEN
        assert fetched[b"ENVELOPE"].subject == b"kept"
        assert fetched[b"BODYSTRUCTURE"][0].lower() == b"text"
        assert client.select_folder("Trash", readonly=True)[b"EXISTS"] == 1
    assert site.flags(account, "Archive") == {"kept": {"\\Draft"}}
    assert set(site.flags(account, "Trash")) == {"moved"}


def test_a_large_message(site: Site, account: Account) -> None:
    with connection(site, account, "INBOX") as client:
        client.append("INBOX", LARGE)
        client.noop()
        fetched = client.fetch([1], ["BODY.PEEK[]", "RFC822.SIZE"])[1]
        assert fetched[b"BODY[]"] == LARGE and fetched[b"RFC822.SIZE"] == len(LARGE)
        part = client.fetch([1], ["BODY.PEEK[TEXT]<1000000.70000>"])[1][b"BODY[TEXT]<1000000>"]
        text = LARGE.partition(b"\r\n\r\n")[2]
        assert part == text[1_000_000:1_070_000]


def test_idle(site: Site, account: Account) -> None:
    with connection(site, account, "INBOX") as client:
        client.idle()
        site.append(account, simple("arrives"))
        assert (1, b"EXISTS") in client.idle_check(timeout=10)
        with connection(site, account, "INBOX") as other:
            other.add_flags([1], [b"\\Flagged"])
            told = client.idle_check(timeout=10)
            assert told and told[0][:2] == (1, b"FETCH")
            other.delete_messages([1])
            other.expunge()
        told = []
        while (1, b"EXPUNGE") not in told:
            more = client.idle_check(timeout=10)
            assert more, told
            told += more
        text, _ = client.idle_done()
        assert text.startswith(b"IDLE")
