"""Pigeonhole's sieve-test: a second opinion on what a script does with a message."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filters.sieve.actions import Action, Discard, FileInto, Keep, Notify, Redirect, Reject
from tests.support.programs import need, run

_NOBODY = 65534  # root may not read mail, as Dovecot sees it
_CONFIG = """\
mail_location = maildir:{folder}/mail
mail_home = {folder}
ssl = no
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1
first_valid_gid = 1
plugin {{
  sieve_extensions = +editheader +spamtest +spamtestplus +virustest +vacation-seconds +special-use
}}
"""
_STORE = re.compile(r" \* store message in folder: (.*)")
_FLAGS = re.compile(r" +\+ add IMAP flags: (.*)")
_REDIRECT = re.compile(r" \* redirect message to: <(.*)>")
_OTHERS = {
    " * discard": "discard",
    " * reject": "reject",
    " * send vacation": "vacation",
    " * send notification": "notify",
}


@dataclass(frozen=True, slots=True)
class Pigeonhole:
    """Its configuration and work folder."""

    folder: Path

    def actions(self, script: str, message: str, sender: str, recipient: str) -> list[str] | None:
        """What it does, sorted, in the words of `words`; None for a script that it refuses."""
        done = self._run(script, message, sender, recipient)
        if b"failed to compile" in done.stderr:
            return None
        if b"resolved with successful implicit keep" in done.stderr:
            return ["store INBOX"]
        return sorted(_read(_text(done.stdout)))

    def output(self, script: str, message: str, sender: str, recipient: str) -> str:
        """All that it prints."""
        return _text(self._run(script, message, sender, recipient).stdout)

    def _run(
        self, script: str, message: str, sender: str, recipient: str
    ) -> "subprocess.CompletedProcess[bytes]":
        (self.folder / "script.sieve").write_text(script)
        (self.folder / "script.svbin").unlink(missing_ok=True)
        mail = self.folder / "mail.eml"
        mail.write_bytes(message.replace("\n", "\r\n").encode("utf-8", "surrogateescape"))
        return run(
            *("sieve-test", "-c", self.folder / "dovecot.conf", "-f", sender, "-r", recipient),
            *(self.folder / "script.sieve", mail),
            folder=self.folder,
            expect=None,
        )


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").replace("\r", "")


@contextmanager
def pigeonhole() -> Iterator[Pigeonhole]:
    """In a folder that its user may read."""
    need("sieve-test")
    folder = Path(tempfile.mkdtemp(prefix="sieve-"))
    try:
        uid = os.getuid() or _NOBODY
        folder.chmod(0o755)
        (folder / "mail").mkdir()
        if os.getuid() == 0:
            os.chown(folder, uid, uid)
            os.chown(folder / "mail", uid, uid)
        (folder / "dovecot.conf").write_text(_CONFIG.format(folder=folder, uid=uid))
        yield Pigeonhole(folder)
    finally:
        shutil.rmtree(folder)


def _read(text: str) -> Iterator[str]:
    stored = ""
    for line in text.splitlines():
        if found := _FLAGS.fullmatch(line):
            stored += " " + " ".join(sorted(found[1].lower().split()))
            continue
        if stored:
            yield stored
            stored = ""
        if found := _STORE.fullmatch(line):
            stored = f"store {found[1]}"
        elif found := _REDIRECT.fullmatch(line):
            yield f"redirect {found[1].lower()}"
        else:
            yield from (word for start, word in _OTHERS.items() if line.startswith(start))
    if stored:
        yield stored


def words(action: Action) -> str:
    """Ours in the same words."""
    match action:
        case Keep(flags):
            return " ".join(["store INBOX", *sorted(map(str.lower, flags))])
        case FileInto(mailbox, flags):
            name = "INBOX" if mailbox.upper() == "INBOX" else mailbox
            return " ".join([f"store {name}", *sorted(map(str.lower, flags))])
        case Redirect(address):
            return f"redirect {address.lower()}"
        case Discard():
            return "discard"
        case Reject():
            return "reject"
        case Notify():
            return "notify"
    return "vacation"
