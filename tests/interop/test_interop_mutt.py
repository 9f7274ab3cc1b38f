"""mutt over IMAP with TLS: reads every message, sets a flag, deletes; it needs a terminal."""

import os
import pty
import subprocess
from pathlib import Path

from tests.interop.site import HOST, Account, Site, simple
from tests.support.programs import SYSTEM_PATH, need

CONFIG = """\
set imap_user="{user}" imap_pass="{password}"
set certificate_file="{certificate}" ssl_verify_host=yes
set spoolfile="imaps://{host}:{port}/INBOX" folder="imaps://{host}:{port}/"
set mbox_type=mbox sort=mailbox-order
set confirmappend=no confirmcreate=no move=no delete=yes mark_old=no
push "{keys}"
"""
KEYS = (
    "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{copy}<enter>"
    "<first-entry><flag-message><next-entry><delete-message><sync-mailbox><quit>"
)


def mutt(site: Site, account: Account, folder: Path, keys: str) -> str:
    """Runs mutt on a pseudo terminal with these keys; returns what it drew."""
    need("mutt")
    values = {
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
        ["timeout", "--foreground", "30", "mutt", "-n", "-F", str(folder / "muttrc")],
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


def test_reads_flags_and_deletes(site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("first", "8-bit ä\r\n"))
    site.append(account, simple("second"))
    copy = tmp_path / "copy.mbox"
    drawn = mutt(site, account, tmp_path, KEYS.format(copy=copy))
    assert "Could not" not in drawn
    texts = copy.read_text("utf-8")
    assert "Subject: first" in texts
    assert "8-bit ä" in texts
    assert "Subject: second" in texts
    assert site.flags(account) == {"first": {r"\Flagged"}}
