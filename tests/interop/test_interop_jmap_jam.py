"""JMAP Jam (Node.js) with the access token of a session: every object of JMAP."""

import json
import sys
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import Site
from tests.support.programs import run, unavailable
from tests.support.server import ROOT

pytestmark = both_databases
PEER = Path(__file__).parent / "node" / "jmap_jam_peer.mjs"
PACKAGES = ROOT / "var" / "node"
STEPS = (
    "session",
    "mailbox",
    "email",
    "references",
    "identity",
    "submission",
    "vacation",
    "extensions",
    "errors",
)


@pytest.fixture(scope="module")
def seen(site: Site) -> dict[str, str]:
    """By step "ok", or what went wrong."""
    node = Path(sys.executable).parent / "node"
    if not node.exists() or not (PACKAGES / "node_modules" / "jmap-jam").is_dir():
        unavailable("jmap-jam is not installed: scripts/test installs it")
    ada, bob = site.add_account("ada"), site.add_account("bob")
    origin = f"http://127.0.0.1:{site.port('http')}"
    done = run(node, PEER, PACKAGES, origin, ada.address, ada.password, bob.address)
    assert done.stderr == b"", done.stderr.decode()
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_every_step_was_made(seen: dict[str, str]) -> None:
    assert sorted(seen) == sorted(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_jmap_jam_agrees(seen: dict[str, str], name: str) -> None:
    assert seen[name] == "ok", seen[name]
