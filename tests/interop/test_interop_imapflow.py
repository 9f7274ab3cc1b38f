"""imapflow (Node.js): folders, upload, download, flags, searches, IDLE, copies, moves, removal."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import Account, Site
from tests.support.programs import run, unavailable
from tests.support.server import ROOT

pytestmark = both_databases
PEER = Path(__file__).parent / "node" / "imapflow_peer.js"
PACKAGES = ROOT / "var" / "node"


@pytest.fixture
def seen(site: Site, account: Account) -> dict[str, Any]:
    """What the peer saw; it must neither fail nor complain."""
    node = Path(sys.executable).parent / "node"
    if not node.exists() or not (PACKAGES / "node_modules" / "imapflow").is_dir():
        unavailable("imapflow is not installed: scripts/test installs it")
    login = (str(site.port("imaps")), site.ca_file, account.address, account.password)
    done = run(node, PEER, PACKAGES, *login)
    assert done.stderr == b"", done.stderr.decode()
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_a_day_of_imapflow(site: Site, account: Account, seen: dict[str, Any]) -> None:
    assert {"IDLE", "MOVE", "CONDSTORE"} <= set(seen["capabilities"])
    special = {path: use for path, use, _ in seen["folders"]}
    assert special["Sent"] == "\\Sent" and special["INBOX"] == "\\Inbox"
    assert all(subscribed for _, _, subscribed in seen["folders"])
    assert (seen["renamed"], seen["uid"], seen["arrival"], seen["exists"]) == ("Work/done", 1, 1, 2)
    assert "\\*" in seen["permanent"]
    assert seen["flags"] == ["$label1", "\\Seen"]
    assert seen["subject"] == "first"
    assert seen["from"] == [{"name": "A B", "address": "a@world.test"}]
    assert seen["date"] == "2001-09-09T01:46:40.000Z"
    assert seen["parts"] == [
        ["1", "text/plain", ""],
        ["2", "application/octet-stream", "attachment"],
    ]
    assert seen["source"] is True and seen["large"] is True
    assert seen["attached"] == ["d.bin", "attached"]
    assert (seen["found"], seen["bodies"], seen["keyword"]) == ([1], [1], [1])
    assert seen["pushed"] == ["$label1", "\\Flagged", "\\Seen", "blue"]
    assert seen["copied"] == seen["moved"] == [[1, 1]]
    assert seen["expunged"] == 1 and seen["deleted"] is True and seen["left"] == 0
    assert seen["status"]["messages"] == 1 and seen["status"]["uidNext"] == 2
    assert site.flags(account) == {}
    assert site.flags(account, "Archive") == {"first": {"\\Seen", "\\Flagged", "blue"}}
    assert "Work/done" not in site.folders(account)
