"""mbsync (isync): mail, flags, deletions and folders in both directions, over TLS and STARTTLS."""

import mailbox
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, simple
from tests.support.programs import need, run

pytestmark = [both_databases, pytest.mark.xdist_group("interop-mbsync")]
CONFIG = """\
IMAPAccount server
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType {ssl}
CertificateFile {certificate}

IMAPStore far
Account server

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
"""


class Mirror:
    """A local Maildir tree that mbsync keeps equal to an account."""

    def __init__(self, site: Site, account: Account, folder: Path, ssl: str = "IMAPS") -> None:
        need("mbsync")
        self.folder = folder / "mail"
        self.folder.mkdir()
        self._config = folder / "mbsyncrc"
        values = {
            "host": HOST,
            "port": site.port("imaps" if ssl == "IMAPS" else "imap"),
            "user": account.address,
            "password": account.password,
            "ssl": ssl,
            "certificate": site.ca_file,
            "folder": self.folder,
        }
        self._config.write_text(CONFIG.format(**values))

    def sync(self) -> str:
        """Runs mbsync; it must have nothing to complain about. Returns what it did."""
        done = run("mbsync", "-V", "-c", self._config, "-a", home=self.folder.parent)
        said = done.stderr.decode()
        assert "warning" not in said.lower(), said
        assert "error" not in said.lower(), said
        return done.stdout.decode()

    def box(self, name: str = "INBOX") -> mailbox.Maildir:
        return mailbox.Maildir(self.folder / name, create=False)

    def flags(self, name: str = "INBOX") -> dict[str, str]:
        """Maildir flags by subject."""
        return {str(message["Subject"]): message.get_flags() for message in self.box(name)}

    def change(self, title: str, flags: str) -> None:
        """Sets the Maildir flags of the INBOX message with that subject."""
        box = self.box()
        for key, message in box.items():
            if message["Subject"] == title:
                message.set_flags(flags)
                message.set_subdir("cur")
                box[key] = message

    def add(self, message: bytes, name: str = "INBOX") -> None:
        self.box(name).add(message.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("ssl", ["IMAPS", "STARTTLS", "None"])
def test_first_sync(site: Site, account: Account, tmp_path: Path, ssl: str) -> None:
    site.append(account, simple("read", "8-bit ä\r\n"), r"\Seen")
    site.append(account, simple("new"))
    site.append(account, simple("starred"), r"\Flagged \Answered", "Archive")
    site.create(account, "Work/2024")
    mirror = Mirror(site, account, tmp_path, ssl)
    mirror.sync()
    assert mirror.flags() == {"read": "S", "new": ""}
    assert mirror.flags("Archive") == {"starred": "FR"}
    assert (mirror.folder / "Work" / "2024" / "cur").is_dir()
    assert {"Drafts", "Sent", "Trash", "Junk"} <= {path.name for path in mirror.folder.iterdir()}
    kept = site.messages(account)[0].replace(b"\r\n", b"\n")
    texts = [mirror.box().get_bytes(key) for key in mirror.box().keys()]  # noqa: SIM118 - iterating a box gives messages
    assert [text.partition(b"\n\n")[2] for text in texts if b"8-bit" in text] == [
        kept.partition(b"\n\n")[2]
    ]


def test_both_directions(site: Site, account: Account, tmp_path: Path) -> None:
    for title in ("one", "two", "three", "four"):
        site.append(account, simple(title))
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    # here: a message, a flag, a deletion, a folder with mail; there: the same four
    mirror.add(simple("written here"))
    mirror.change("one", "FS")
    mirror.change("two", "T")
    (mirror.folder / "Made here").mkdir()
    for name in ("tmp", "new", "cur"):
        (mirror.folder / "Made here" / name).mkdir()
    mirror.add(simple("in the folder here"), "Made here")
    site.append(account, simple("written there"))
    site.create(account, "Made/there")
    site.append(account, simple("in the folder there"), r"\Seen", "Made/there")
    with site.imap(account) as client:
        client.select()
        client.store("3", "+FLAGS", r"\Answered")
        client.store("4", "+FLAGS", r"\Deleted")
        client.expunge()
    mirror.sync()
    wanted = {
        "one": {r"\Flagged", r"\Seen"},
        "three": {r"\Answered"},
        "written here": set(),
        "written there": set(),
    }
    assert site.flags(account) == wanted
    assert set(site.flags(account, '"Made here"')) == {"in the folder here"}
    assert mirror.flags() == {"one": "FS", "three": "R", "written here": "", "written there": ""}
    assert mirror.flags("Made/there") == {"in the folder there": "S"}


def test_a_folder_removed_there_goes_here(site: Site, account: Account, tmp_path: Path) -> None:
    site.create(account, "Passing")
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    assert (mirror.folder / "Passing").is_dir()
    with site.imap(account) as client:
        client.delete("Passing")
    mirror.sync()
    assert not (mirror.folder / "Passing").exists()


def test_a_second_sync_moves_nothing(site: Site, account: Account, tmp_path: Path) -> None:
    for number in range(20):
        site.append(account, simple(f"message {number}"))
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    before = sorted(path.name for path in mirror.folder.rglob("*"))
    mirror.sync()
    assert sorted(path.name for path in mirror.folder.rglob("*")) == before
    assert len(site.messages(account)) == 20
