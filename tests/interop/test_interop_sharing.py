"""Mailboxes shared between users, by the ACL commands of imaplib and IMAPClient."""

import pytest
from imapclient import IMAPClient, exceptions

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, fetch, simple, subject

pytestmark = both_databases


def test_imaplib_shares_and_uses_a_mailbox(site: Site, account: Account) -> None:
    guest = site.add_account("guest")
    site.create(account, "Projects")
    for text in ("one", "two", "three"):
        site.append(account, simple(text), "\\Seen" if text == "one" else "", "Projects")
    shared = f'"Other Users/{account.address}/Projects"'
    with site.imap(account) as owner, site.imap(guest) as client:
        assert owner.setacl("Projects", guest.address, "lrswi")[0] == "OK"
        (acl,) = owner.getacl("Projects")[1]
        assert acl == f"Projects {account.address} lrswipkxteacd {guest.address} lrswi".encode()
        assert client.myrights(shared)[1] == [shared.encode() + b" lrswi"]
        assert b'(("Other Users/" "/"))' in client.namespace()[1][0]
        assert client.select(shared) == ("OK", [b"3"])
        assert [subject(header) for _, header in fetch(client, "1:*", "(BODY.PEEK[HEADER])")] == [
            "one",
            "two",
            "three",
        ]
        assert client.copy("1:2", "INBOX")[0] == "OK"
        assert client.store("3", "+FLAGS", "(\\Flagged)")[0] == "OK"
        assert client.append(shared, "(\\Flagged)", "", simple("four"))[0] == "OK"
        assert client.expunge()[0] == "NO"
        client.close()
        assert owner.deleteacl("Projects", guest.address)[0] == "OK"
        assert client.select(shared)[0] == "NO"
    assert len(site.messages(guest)) == 2
    flags = site.flags(account, "Projects")
    assert flags == {"one": {"\\Seen"}, "two": set(), "three": {"\\Flagged"}, "four": {"\\Flagged"}}


def test_imapclient_shares_and_moves(site: Site, account: Account) -> None:
    guest = site.add_account("guest")
    for text in ("one", "two"):
        site.append(account, simple(text))
    with (
        IMAPClient(HOST, port=site.port("imaps"), ssl_context=site.tls(), timeout=20) as owner,
        IMAPClient(HOST, port=site.port("imaps"), ssl_context=site.tls(), timeout=20) as client,
    ):
        owner.login(account.address, account.password)
        client.login(guest.address, guest.password)
        owner.setacl("INBOX", "anyone", "lrte")
        assert owner.getacl("INBOX") == [
            (account.address.encode(), b"lrswipkxteacd"),
            (b"anyone", b"lrted"),
        ]
        assert client.namespace().other == (("Other Users/", "/"),)
        name = f"Other Users/{account.address}/INBOX"
        assert name in [found for _, _, found in client.list_folders()]
        assert client.select_folder(name)[b"EXISTS"] == 2
        client.move([1, 2], "Archive")
        assert client.search() == []
        with pytest.raises(exceptions.IMAPClientError, match="NOPERM"):
            client.append(name, simple("three"))
        client.select_folder("Archive")
        owner.setacl("INBOX", "anyone", "-lrte")
        assert name not in [found for _, _, found in client.list_folders()]
    assert site.messages(account) == []
    assert len(site.messages(guest, "Archive")) == 2
