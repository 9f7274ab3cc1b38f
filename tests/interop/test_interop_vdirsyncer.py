"""vdirsyncer: discovery, a new book, sync both ways, a conflict; khard reads what it brought."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site
from tests.support.dav import D, Dav, card
from tests.support.jmap import basic
from tests.support.programs import unavailable
from tests.support.server import ROOT

pytestmark = both_databases
PEERS = ROOT / "var" / "peers" / "bin"
CONFIG = """
[general]
status_path = "{folder}/status/"

[pair book]
a = "local"
b = "server"
collections = ["from a", "from b"]
conflict_resolution = {conflict}
metadata = ["displayname"]

[storage local]
type = "filesystem"
path = "{folder}/cards/"
fileext = ".vcf"

[storage server]
type = "carddav"
url = "https://{host}:{port}/"
username = "{user}"
password = "{password}"
verify = "{ca}"
"""


class Vdirsyncer:
    """One device of an account."""

    def __init__(self, site: Site, account: Account, folder: Path, conflict: str = '"a wins"'):
        if not (PEERS / "vdirsyncer").exists():
            unavailable("vdirsyncer is not installed: scripts/test installs it")
        self.folder, self.cards = folder, folder / "cards"
        self.cards.mkdir(parents=True)
        self._config = folder / "config"
        self._config.write_text(
            CONFIG.format(
                folder=folder,
                conflict=conflict,
                host=HOST,
                port=site.port("https"),
                user=account.address,
                password=account.password,
                ca=site.ca_file,
            )
        )

    def run(self, *words: str, expect: int = 0) -> str:
        done = subprocess.run(
            [PEERS / "vdirsyncer", "-c", self._config, *words],
            capture_output=True,
            text=True,
            input="y\n" * 10,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            timeout=50,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def sync(self, expect: int = 0) -> str:
        return self.run("sync", expect=expect)

    def read(self, book: str = "default") -> set[bytes]:
        return {path.read_bytes() for path in (self.cards / book).glob("*.vcf")}


def client(site: Site, account: Account) -> Dav:
    return Dav(site.server, basic(account.address, account.password))


@pytest.fixture
def device(site: Site, account: Account, tmp_path: Path) -> Vdirsyncer:
    return Vdirsyncer(site, account, tmp_path / "one")


def test_a_sync_both_ways(site: Site, account: Account, device: Vdirsyncer, tmp_path: Path) -> None:
    dav = client(site, account)
    ours = {card(f"s{n}", f"Ann {n}", "X-ODD;X-P=1:kept") for n in range(5)}
    for number, data in enumerate(sorted(ours)):
        dav.put(f"{dav.book}s{number}.vcf", data)
    (device.cards / "friends").mkdir()
    (device.cards / "friends" / "displayname").write_text("My friends")
    theirs = card("local", "Bob Ray", version="4.0")
    (device.cards / "friends" / "local.vcf").write_bytes(theirs)
    device.run("discover")
    device.sync()
    assert device.read() == ours
    friends = dav.home + "friends/"
    assert set(dav.sync(friends, "").responses) == {friends + "local.vcf"}
    assert dav.ask("GET", friends + "local.vcf").data == theirs
    device.run("metasync")
    (part,) = dav.propfind(friends, D + "displayname").responses.values()
    assert part.text(D + "displayname") == "My friends"
    other = Vdirsyncer(site, account, tmp_path / "two")
    other.run("discover")
    other.sync()
    assert (other.read(), other.read("friends")) == (ours, {theirs})
    changed = card("local", "Robert Ray", version="4.0")
    (other.cards / "friends" / "local.vcf").write_bytes(changed)
    (path,) = [one for one in (other.cards / "default").iterdir() if b"Ann 3" in one.read_bytes()]
    path.unlink()
    other.sync()
    device.sync()
    assert device.read("friends") == {changed}
    assert device.read() == {one for one in ours if b"Ann 3" not in one}
    assert "Copying" not in device.sync()


def test_a_conflict(site: Site, account: Account, device: Vdirsyncer, tmp_path: Path) -> None:
    dav = client(site, account)
    dav.put(dav.book + "a.vcf", card("a", "First"))
    other = Vdirsyncer(site, account, tmp_path / "two", "null")
    for one in (device, other):
        one.run("discover")
        one.sync()
    for one, name in ((device, "By one"), (other, "By two")):
        (path,) = (one.cards / "default").glob("*.vcf")
        path.write_bytes(card("a", name))
    device.sync()
    assert "conflict" in other.sync(expect=1).lower()
    assert dav.ask("GET", dav.book + "a.vcf").data == card("a", "By one")
    assert other.read() == {card("a", "By two")}


def test_khard_reads_what_was_brought(site: Site, account: Account, device: Vdirsyncer) -> None:
    dav = client(site, account)
    people = (
        card("ann", "Ann Bee", "EMAIL;TYPE=HOME:ann@world.test", "TEL;TYPE=CELL:+1 23"),
        card("eva", "Eva Ray", "EMAIL;TYPE=work:eva@world.test", version="4.0"),
    )
    for number, data in enumerate(people):
        dav.put(f"{dav.book}{number}.vcf", data)
    device.run("discover")
    device.sync()
    config = device.folder / "khard.conf"
    config.write_text(
        f"[addressbooks]\n[[mine]]\npath = {device.cards}/default/\n"
        "[general]\ndefault_action = list\n[contact table]\nshow_uids = no\n"
    )
    env = {"HOME": str(device.folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def khard(*words: str) -> str:
        command = [str(PEERS / "khard"), "-c", str(config), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, timeout=40, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    found = khard("email", "--parsable")
    assert "ann@world.test\tAnn Bee" in found and "eva@world.test\tEva Ray" in found
    assert "+1 23" in khard("phone", "--parsable", "Ann")
    made = "First name: New\nLast name: Person\nEmail:\n    work: new@world.test\n"
    new = device.folder / "new.yaml"
    new.write_text(made)
    khard("new", "-a", "mine", "-i", str(new))
    device.sync()
    texts = list(dav.sync(dav.book, "").responses)
    data = b"".join(dav.ask("GET", href).data for href in texts)
    assert b"new@world.test" in data and len(texts) == 3
