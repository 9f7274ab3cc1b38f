"""offlineimap: a Maildir tree kept equal in both directions, IDLE between syncs; keywords come from
the server.
"""

import mailbox
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.databases import both_databases
from tests.interop.local_tree import LocalTree
from tests.interop.site import HOST, Account, Site, simple
from tests.support.programs import SYSTEM_PATH, need, run
from tests.support.server import until

pytestmark = both_databases
CONFIG = """\
[general]
accounts = one
metadata = {folder}/metadata
ui = quiet

[Account one]
{account}
localrepository = here
remoterepository = there

[Repository here]
type = Maildir
localfolders = {folder}/mail
sync_deletes = yes
customflag_a = $label1
customflag_b = blue

[Repository there]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {certificate}
usecompression = {compression}
{remote}
"""
WATCHING = {
    "account": "autorefresh = 5\nquick = 0",
    "remote": "idlefolders = ['INBOX']\nkeepalive = 60\nholdconnectionopen = yes",
}
LARGE = simple("large", ("lorem ipsum\r\n") * 150_000)


class Tree(LocalTree):
    """The local side; `sync` runs offlineimap once."""

    def __init__(
        self,
        site: Site,
        account: Account,
        folder: Path,
        compression: bool = False,
        watching: bool = False,
    ) -> None:
        need("offlineimap")
        super().__init__(folder / "mail")
        self._config = folder / "offlineimaprc"
        values = {
            "folder": folder,
            "host": HOST,
            "port": site.port("imaps"),
            "user": account.address,
            "password": account.password,
            "certificate": site.ca_file,
            "compression": "yes" if compression else "no",
            **(WATCHING if watching else dict.fromkeys(WATCHING, "")),
        }
        self._config.write_text(CONFIG.format(**values))

    def sync(self, *options: str) -> None:
        """It must have nothing to complain about."""
        home = self._config.parent
        done = run("offlineimap", "-o", *options, "-c", self._config, home=home)
        said = (done.stdout + done.stderr).decode()
        assert "ERROR" not in said and "WARNING" not in said, said

    def texts(self) -> list[bytes]:
        """What INBOX holds, while it changes."""
        return [path.read_bytes() for path in self.folder.glob("INBOX/new/*")]

    @contextmanager
    def watch(self) -> Iterator[None]:
        """It runs meanwhile, and waits by IDLE between two syncs."""
        home = self._config.parent
        with (home / "said").open("wb") as said:
            process = subprocess.Popen(
                ["offlineimap", "-c", str(self._config)],
                env={"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": str(home)},
                stdout=said,
                stderr=said,
            )
            try:
                yield
                assert process.poll() is None, (home / "said").read_text()
            finally:
                process.kill()
                process.wait()


def test_first_and_second_sync(site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("read", "8-bit ä\r\n"), r"\Seen")
    site.append(account, simple("tagged"), r"\Flagged $label1 blue")
    site.append(account, LARGE)
    site.append(account, simple("filed"), r"\Answered", "Archive")
    site.create(account, "Work/2024")
    tree = Tree(site, account, tmp_path)
    tree.sync()
    assert tree.flags() == {"read": "S", "tagged": "Fab", "large": ""}
    assert tree.flags("Archive") == {"filed": "R"}
    assert (tree.folder / "Work.2024" / "cur").is_dir()
    (large,) = [key for key, one in tree.box().items() if one["Subject"] == "large"]
    assert tree.box().get_bytes(large).endswith(b"lorem ipsum\n" * 150_000)
    before = sorted(path.name for path in tree.folder.rglob("*"))
    tree.sync()
    assert sorted(path.name for path in tree.folder.rglob("*")) == before


def test_both_directions(site: Site, account: Account, tmp_path: Path) -> None:
    for title in ("one", "two", "three", "four"):
        site.append(account, simple(title))
    tree = Tree(site, account, tmp_path)
    tree.sync()
    tree.change("one", "FS")
    tree.remove("two")
    tree.add(simple("written here"))
    mailbox.Maildir(tree.folder / "Made here").add(simple("in it").replace(b"\r\n", b"\n"))
    with site.imap(account) as client:
        client.select()
        client.store("3", "+FLAGS", r"(\Answered blue)")
        client.store("4", "+FLAGS", r"\Deleted")
        client.expunge()
        client.create("Made/there")
    site.append(account, simple("written there"), r"\Seen", "Made/there")
    tree.sync()
    assert site.flags(account) == {
        "one": {r"\Flagged", r"\Seen"},
        "three": {r"\Answered", "blue"},
        "written here": set(),
    }
    assert set(site.flags(account, '"Made here"')) == {"in it"}
    assert tree.flags() == {"one": "FS", "three": "Rb", "written here": ""}
    assert tree.flags("Made.there") == {"written there": "S"}


def test_a_quick_sync_sees_what_changed(site: Site, account: Account, tmp_path: Path) -> None:
    """With COMPRESS=DEFLATE under its feet."""
    site.append(account, simple("one"))
    tree = Tree(site, account, tmp_path, compression=True)
    tree.sync()
    site.append(account, simple("late"))
    tree.sync("-q")
    assert set(tree.flags()) == {"one", "late"}


def test_flags_moves_and_large_messages_from_here(
    site: Site, account: Account, tmp_path: Path
) -> None:
    for title in ("tagged", "moved here", "moved there"):
        site.append(account, simple(title), "blue")
    tree = Tree(site, account, tmp_path)
    tree.sync()
    tree.change("tagged", "Sb")
    tree.remove("moved here")
    tree.add(simple("moved here"), "Archive")
    tree.add(LARGE, "Archive")
    with site.imap(account) as client:
        client.create("Work/new")
        client.select()
        client.uid("MOVE", "3", "Work/new")
    tree.sync()
    assert site.flags(account) == {"tagged": {r"\Seen", "blue"}}
    assert site.flags(account, "Archive") == {"moved here": set(), "large": set()}
    (large,) = [one for one in site.messages(account, "Archive") if b"Subject: large" in one]
    assert large.endswith(b"lorem ipsum\r\n" * 150_000)
    assert tree.flags("Work.new") == {"moved there": "b"}


def test_idle_brings_new_mail(site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("first"))
    tree = Tree(site, account, tmp_path, watching=True)
    tree.sync()
    with tree.watch():
        for title in ("second", "third"):
            site.append(account, simple(title))
            wanted = f"Subject: {title}\n".encode()
            until(lambda wanted=wanted: any(wanted in one for one in tree.texts()), 40, pause=0.2)
