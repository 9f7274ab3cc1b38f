"""tsdav (Node.js): discovery, a new book, cards with entity tags, queries, sync."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site
from tests.support.programs import unavailable
from tests.support.server import ROOT

pytestmark = both_databases
PEER = Path(__file__).parent / "node" / "tsdav_peer.js"
PACKAGES = ROOT / "var" / "node"


def test_a_day_of_tsdav(site: Site, account: Account) -> None:
    node = Path(sys.executable).parent / "node"
    if not node.exists() or not (PACKAGES / "node_modules" / "tsdav").is_dir():
        unavailable("tsdav is not installed: scripts/test installs it")
    url = f"https://{HOST}:{site.port('https')}"
    done = subprocess.run(
        [node, PEER, PACKAGES, url, account.address, account.password],
        capture_output=True,
        text=True,
        env={"NODE_EXTRA_CA_CERTS": str(site.ca_file), "PATH": os.environ["PATH"]},
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert seen["home"].startswith("/dav/books/A")
    assert (seen["books"], seen["more"]) == (["Contacts"], ["Contacts", "Friends"])
    assert {"addressbookQuery", "addressbookMultiget", "syncCollection"} <= set(seen["reports"])
    assert seen["made"] == 201
    assert seen["put"] == [201, 201, 201, 412]
    assert len(seen["cards"]) == 3 and all("VERSION:3.0" in one for one in seen["cards"])
    assert seen["changed"] == [204, 412]
    assert len(seen["synced"]) == 3 and any("FN:Changed" in one for one in seen["synced"])
    assert seen["deleted"] == 204
    assert seen["next"] == {"created": 0, "updated": 0, "deleted": ["two.vcf"], "moved": True}
    assert (seen["found"], seen["dirty"]) == (["one.vcf"], True)
