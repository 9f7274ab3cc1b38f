"""A local Maildir tree that mbsync (isync) keeps equal to an account."""

from pathlib import Path

from tests.interop.local_tree import LocalTree
from tests.interop.site import HOST, Account, Site
from tests.support.programs import need, run

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


class Mirror(LocalTree):
    """A local Maildir tree that mbsync keeps equal to an account."""

    def __init__(self, site: Site, account: Account, folder: Path, ssl: str = "IMAPS") -> None:
        need("mbsync")
        super().__init__(folder / "mail")
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
