"""The Maildir as other programs read it: Python's mailbox and mutt show what IMAP shows."""

import hashlib
import mailbox
import os
import pty
import select
import shlex
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.programs import SYSTEM_PATH, need
from tests.support.server import until
from tests.system.furnished import change, furnish
from tests.system.ledger import look
from tests.system.load import ACCOUNTS, A
from tests.system.snapshot import take
from tests.system.victim import Victim

LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Draft": "D", "\\Deleted": "T"}
MUTT_PATTERNS = {"\\Seen": "~R", "\\Answered": "~Q", "\\Flagged": "~F", "\\Deleted": "~D"}
Shown = dict[str, Counter[tuple[str, str]]]
"""By folder on disk: how often each content stands there with which Maildir flags."""


def on_disk(name: str) -> str:
    """The Maildir++ folder of an IMAP name in its wire form; "" is INBOX."""
    return "" if name == "INBOX" else name.replace(".", "&AC4-").replace("/", ".")


def by_imap(victim: Victim) -> Shown:
    return {
        on_disk(name): Counter(
            (digest, "".join(sorted(LETTERS[flag] for flag in flags if flag in LETTERS)))
            for flags, _, _, digest in folder.messages.values()
        )
        for name, folder in take(victim.ports["imap"], A).items()
    }


def by_python(root: Path) -> Shown:
    """Through the standard library's Maildir; small letters are keywords."""
    whole = mailbox.Maildir(root, create=False)
    boxes = {name: whole.get_folder(name) for name in whole.list_folders()} | {"": whole}
    shown: Shown = {}
    for name, box in boxes.items():
        shown[name] = Counter()
        for key in box.keys():  # noqa: SIM118  # it is no dict
            message = box.get_message(key)
            digest = hashlib.sha256(box.get_bytes(key)).hexdigest()
            shown[name][digest, "".join(sorted(filter(str.isupper, message.get_flags())))] += 1
    return shown


def as_far_as_it_is(root: Path) -> Shown:
    """As by_python, nothing while the mirror is in the middle of making a folder."""
    try:
        return by_python(root)
    except FileNotFoundError:
        return {}


def root_of(victim: Victim) -> Path:
    (row,) = [row for row in victim.control("account.list") if row["address"] == A]
    return Path(row["maildir"])


@pytest.fixture
def serving(victim: Victim) -> Victim:
    victim.start()
    furnish(victim)
    change(victim)
    return victim


def test_python_reads_what_imap_shows(serving: Victim) -> None:
    root = root_of(serving)
    wanted = by_imap(serving)
    with suppress(AssertionError):
        until(lambda: as_far_as_it_is(root) == wanted, 15, pause=0.2)
    assert by_python(root) == wanted
    serving.server.stop()
    assert by_python(root) == wanted


def test_mutt_reads_what_imap_shows(serving: Victim, tmp_path: Path) -> None:
    need("mutt")
    root = root_of(serving)
    wanted: dict[str, dict[str, set[str]]] = {}
    for one in look(serving.ports["imap"], ACCOUNTS):
        if one.place[0] == A:
            patterns = ["~A", *(MUTT_PATTERNS[flag] for flag in one.flags if flag in MUTT_PATTERNS)]
            selected = wanted.setdefault(on_disk(one.place[1]), {})
            for pattern in patterns:
                selected.setdefault(pattern, set()).add(one.token)
    serving.server.stop()
    assert len(wanted) >= 5
    for folder, tokens in wanted.items():
        assert by_mutt(root / f".{folder}" if folder else root, tmp_path) == tokens, folder


def by_mutt(folder: Path, tmp_path: Path) -> dict[str, set[str]]:
    """Tokens of the messages that each pattern selects in a folder."""
    settings = tmp_path / "muttrc"
    lines = [f"set {name}=no" for name in ("mark_old", "wait_key", "pipe_decode", "confirmappend")]
    lines += [
        "set quit=yes",
        "set pipe_split=yes",
        "set maildir_trash=yes",
        "set sort=mailbox-order",
    ]
    steps = []
    for pattern in ("~A", *MUTT_PATTERNS.values()):
        out = tmp_path / f"shown-{pattern[1]}"
        out.write_bytes(b"")
        command = f"grep -a X-Ledger: >>{shlex.quote(str(out))}"
        steps.append(
            f"<untag-pattern>~A<enter><tag-pattern>{pattern}<enter>"
            f"<tag-prefix-cond><pipe-message>{command}<enter><end-cond>"
        )
    lines.append(f'push "{"".join(steps)}<exit>"')
    settings.write_text("\n".join(lines) + "\n")
    on_terminal("mutt", "-R", "-n", "-F", str(settings), "-f", str(folder))
    return {
        pattern: tokens
        for pattern in ("~A", *MUTT_PATTERNS.values())
        if (tokens := set((tmp_path / f"shown-{pattern[1]}").read_text().split()) - {"X-Ledger:"})
    }


def on_terminal(*command: str) -> None:
    """Runs a full-screen program to its end on a terminal that nobody looks at."""
    ours, theirs = pty.openpty()
    environment = {
        "PATH": SYSTEM_PATH,
        "TERM": "xterm",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
    }
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    end = time.monotonic() + 15
    screen = b""
    with suppress(OSError):  # EIO: the program has gone
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                screen += os.read(ours, 65536)
    if process.poll() is None and time.monotonic() >= end:
        process.kill()
    os.close(ours)
    assert process.wait(20) == 0, screen[-2000:]
