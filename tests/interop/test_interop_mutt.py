"""mutt and neomutt over IMAP with TLS, on a terminal: a day with folders, flags, tags, searches."""

import os
import pty
import subprocess
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
set delete=yes read_inc=0 write_inc=0 net_inc=0 wait_key=no
{more}
push "{keys}"
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
LARGE = simple("large", "lorem ipsum\r\n" * 100_000)


def mutt(
    program: str,
    site: Site,
    account: Account,
    folder: Path,
    keys: str,
    *,
    condstore: str = "no",
    more: str = "",
) -> str:
    """Runs it on a pseudo terminal with these keys; returns what it drew."""
    need(program)
    values = {
        "condstore": condstore,
        "more": more,
        "user": account.address,
        "password": account.password,
        "certificate": site.ca_file,
        "host": HOST,
        "port": site.port("imaps"),
        "keys": keys,
    }
    (folder / "muttrc").write_text(CONFIG.format(**values))
    ours, theirs = pty.openpty()
    environment = {"PATH": SYSTEM_PATH, "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        ["timeout", "--foreground", "15", program, "-n", "-F", str(folder / "muttrc")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    drawn = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    text = drawn.decode("utf-8", "replace")
    assert process.wait(30) == 0, text
    return text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO is the end of a pseudo terminal
        return b""


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
