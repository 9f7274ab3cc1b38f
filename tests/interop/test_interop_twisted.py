"""Twisted's IMAP4 client and ESMTP sender, in a process of their own."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.interop.databases import both_databases
from tests.interop.site import Account, Site
from tests.support.programs import run

pytestmark = both_databases
PEER = Path(__file__).parent / "twisted_peer.py"
BODY = ".dots\r\n..\r\nend\r\n"


def twisted(site: Site, listener: str, what: str, *arguments: str) -> dict[str, Any]:
    """What the peer saw; it must neither fail nor complain."""
    port = str(site.port(listener))
    done = run(sys.executable, PEER, what, port, site.ca_file, *arguments)
    assert done.stderr == b"", done.stderr.decode()
    seen = json.loads(done.stdout)
    assert isinstance(seen, dict)
    return seen


def test_imap_client(site: Site, account: Account) -> None:
    seen = twisted(site, "imap", "imap", account.address, account.password)
    assert seen["starttls"] is True
    assert {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"} <= set(seen["folders"])
    assert seen["subscribed"] == ["Twisted"]
    assert seen["exists"] == 1
    assert seen["body"].endswith("\r\n\r\n" + BODY)
    assert seen["text"] == BODY
    assert r"\Seen" in seen["flags"]
    assert seen["date"].replace(" 2-Jan", "02-Jan").startswith("02-Jan-2021 ")
    assert seen["subject"] == "by twisted"
    assert [word.lower() for word in seen["structure"]] == ["text", "plain"]
    assert [word.lower() for word in seen["simplified"]] == ["text", "plain"]
    assert seen["flagged"] == [1]
    assert seen["archive"]["MESSAGES"] == "1" or seen["archive"]["MESSAGES"] == 1
    assert seen["expunged"] == [1]
    assert (seen["large"], seen["tagged"], seen["found"]) == (True, [1], [1])
    assert seen["namespace"][0] == [["", "/"]]
    assert site.flags(account, "Archive") == {"by twisted": {r"\Seen", r"\Flagged", "$label1"}}
    assert "Twisted" not in site.folders(account)


def test_esmtp_sender(site: Site, account: Account) -> None:
    friend = site.add_account()
    people = (account.address, friend.address)
    seen = twisted(site, "submission", "smtp", account.address, account.password, *people)
    assert seen["accepted"] == 1
    assert seen["replies"][0][1] == 250
    found = site.wait_for(friend, b"Subject: by twisted")
    assert found.endswith(BODY.encode())
    assert b"with ESMTPSA" in found
