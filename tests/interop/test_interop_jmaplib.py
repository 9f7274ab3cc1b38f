"""jmaplib as a program of its own: every object of JMAP, on both databases."""

import json
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import Site
from tests.support.programs import run, unavailable
from tests.support.server import ROOT

pytestmark = both_databases
PYTHON = ROOT / "var" / "peers" / "bin" / "python"
STEPS = (
    "core",
    "mailbox",
    "blob",
    "email_create",
    "email_query",
    "email_set",
    "email_import",
    "thread",
    "identity",
    "submission",
    "submission_undo",
    "vacation",
    "sieve",
    "quota",
    "mdn",
    "contacts",
    "sharing",
    "event_source",
    "web_socket",
)


@pytest.fixture(scope="module")
def seen(site: Site) -> dict[str, str]:
    """By step "ok", or what went wrong."""
    if not PYTHON.exists():
        unavailable("jmaplib is not installed: scripts/test installs it")
    ada, bob = site.add_account("ada"), site.add_account("bob")
    url = f"https://localhost:{site.port('https')}/.well-known/jmap"
    words = (url, site.ca_file, ada.address, ada.password, bob.address)
    done = run(PYTHON, Path(__file__).parent / "jmaplib_peer.py", *words, timeout=50)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_every_step_was_made(seen: dict[str, str]) -> None:
    assert sorted(seen) == sorted(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_jmaplib_agrees(seen: dict[str, str], name: str) -> None:
    assert seen[name] == "ok", seen[name]
