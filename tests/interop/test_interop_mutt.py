"""mutt and neomutt over IMAP with TLS, on a terminal: a day with folders, flags, tags, searches."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, simple
from tests.support.programs import SYSTEM_PATH, need

pytestmark = both_databases
CONFIG = """\
set imap_user="{user}" imap_pass="{password}"
set certificate_file="{certificate}" ssl_verify_host=yes
set spoolfile="imaps://{host}:{port}/INBOX" folder="imaps://{host}:{port}/"
set mbox_type=mbox sort=mailbox-order
set confirmappend=no confirmcreate=no move=no delete=yes mark_old=no
set imap_idle=yes imap_condstore={condstore} imap_qresync={condstore} imap_keepalive=60
set delete=yes read_inc=0 write_inc=0 net_inc=0 wait_key=no timeout=1
"""
READ = (
    "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{copy}<enter>"
    "<first-entry><flag-message><delete-message><sync-mailbox><quit>"
)
# a folder, a search by the server, save (COPY and delete), flags, a copy
DAY = (
    "<create-mailbox>Made<enter><change-folder><kill-line>=INBOX<enter>"
    "<limit>=b zebra<enter><first-entry><save-message><kill-line>=Made<enter>"
    "<sync-mailbox><limit>all<enter>"
    "<first-entry><set-flag>!<last-entry><set-flag>r<sync-mailbox>"
    "<change-folder><kill-line>=Made<enter><first-entry><display-message><exit>"
    "<copy-message><kill-line>=Archive<enter><quit>"
)
# in the browser: a folder gets another name, another one goes
FOLDERS = (
    "<change-folder>?<search>Made<enter><rename-mailbox><kill-line>Renamed<enter>"
    "<search>Gone<enter><delete-mailbox>y<exit><quit>"
)
TAGS = "<first-entry><modify-labels><kill-line>blue work<enter><sync-mailbox><quit>"
LARGE = simple("large", "lorem ipsum\r\n" * 100_000)


class Terminal:
    """The program on a pseudo terminal; `keys` are pushed at its start."""

    def __init__(
        self,
        program: str,
        site: Site,
        account: Account,
        folder: Path,
        keys: str = "",
        *,
        condstore: str = "no",
    ) -> None:
        need(program)
        values = {
            "condstore": condstore,
            "user": account.address,
            "password": account.password,
            "certificate": site.ca_file,
            "host": HOST,
            "port": site.port("imaps"),
        }
        push = f'push "{keys}"\n' if keys else ""
        (folder / "muttrc").write_text(CONFIG.format(**values) + push)
        self._ours, theirs = pty.openpty()
        environment = {"PATH": SYSTEM_PATH, "HOME": str(folder), "TERM": "xterm"}
        self._process = subprocess.Popen(
            ["timeout", "--foreground", "40", program, "-n", "-F", str(folder / "muttrc")],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        os.close(theirs)
        self.drawn = ""

    def until(self, text: str) -> None:
        """Returns when that has been drawn."""
        deadline = time.monotonic() + 30
        while text not in self.drawn:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._ours], [], [], max(0, left))
            assert ready and self._read(), self.drawn

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> str:
        """All that it drew, when it has ended."""
        while self._read():
            pass
        os.close(self._ours)
        assert self._process.wait(30) == 0, self.drawn
        return self.drawn

    def _read(self) -> bytes:
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO is the end of a pseudo terminal
            data = b""
        self.drawn += data.decode("utf-8", "replace")
        return data


def mutt(
    program: str,
    site: Site,
    account: Account,
    folder: Path,
    keys: str,
    *,
    condstore: str = "no",
) -> str:
    """Runs it with these keys; returns what it drew."""
    return Terminal(program, site, account, folder, keys, condstore=condstore).end()


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_reads_flags_and_deletes(
    program: str, site: Site, account: Account, tmp_path: Path
) -> None:
    site.append(account, simple("first", "8-bit ä\r\n"))
    site.append(account, simple("second"))
    site.append(account, LARGE)
    copy = tmp_path / "copy.mbox"
    drawn = mutt(program, site, account, tmp_path, READ.format(copy=copy))
    assert "Could not" not in drawn
    texts = copy.read_text("utf-8")
    assert "Subject: first" in texts
    assert "8-bit ä" in texts
    assert "Subject: second" in texts
    assert "lorem ipsum\n" * 100_000 in texts
    assert site.flags(account) == {"first": {r"\Flagged"}, "large": set()}


@pytest.mark.parametrize(("program", "condstore"), [("mutt", "no"), ("neomutt", "yes")])
def test_a_day(program: str, condstore: str, site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("first"))
    site.append(account, simple("second", "a zebra in the text\r\n"))
    site.append(account, simple("third"), r"\Seen $label1")
    drawn = mutt(program, site, account, tmp_path, DAY, condstore=condstore)
    assert "Could not" not in drawn and "failed" not in drawn
    assert site.flags(account) == {
        "first": {r"\Flagged"},
        "third": {r"\Seen", r"\Answered", "$label1"},
    }
    assert site.flags(account, "Made") == {"second": {r"\Seen"}}
    assert site.flags(account, "Archive") == {"second": {r"\Seen"}}


def test_folders(site: Site, account: Account, tmp_path: Path) -> None:
    """By mutt alone: NeoMutt 20220429 falls over a search in its browser."""
    site.create(account, "Made")
    site.create(account, "Gone")
    site.append(account, simple("in the inbox"))
    site.append(account, simple("kept"), folder="Made")
    drawn = mutt("mutt", site, account, tmp_path, FOLDERS)
    assert "failed" not in drawn
    assert {"Renamed"} == site.folders(account) & {"Made", "Gone", "Renamed"}
    assert set(site.flags(account, "Renamed")) == {"kept"}


def test_tags(site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("tagged"), r"\Seen red")
    mutt("neomutt", site, account, tmp_path, TAGS, condstore="yes")
    assert site.flags(account) == {"tagged": {r"\Seen", "blue", "work"}}


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_idle(program: str, site: Site, account: Account, tmp_path: Path) -> None:
    """New mail is drawn while it waits for a key."""
    site.append(account, simple("first"))
    terminal = Terminal(program, site, account, tmp_path)
    terminal.until("first")
    site.append(account, simple("arrives"))
    terminal.until("arrives")
    terminal.press("q")
    terminal.end()
