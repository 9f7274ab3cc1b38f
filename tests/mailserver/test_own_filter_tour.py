"""The tour in docs/filters.md, done as it stands there, with a real server and real mail."""

import imaplib
import re
import shlex
import smtplib
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.server import PASSWORD, ROOT, ServerProcess, configuration, until

PAGE = (ROOT / "docs" / "filters.md").read_text()
USER = "user@example.test"
STATUS = {"mailserver filter test broken.py overdue.eml": 1}


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def played(block: str, server: ServerProcess) -> None:
    """Each command of the block, and what it prints: `...` stands for anything."""
    for step in block.removeprefix("$ ").split("\n$ "):
        command, _, wanted = step.partition("\n")
        if command.startswith("mailserver filter list"):
            until(lambda command=command, wanted=wanted: fits(wanted, said(command, server)))
            continue
        told = said(command, server, STATUS.get(command, 0))
        assert fits(wanted, told), f"$ {command}\n{told}"


def said(command: str, server: ServerProcess, status: int = 0) -> str:
    line = command.replace("mailserver ", f"{shlex.quote(sys.executable)} -m mailserver ", 1)
    environment = {**server.environment, "MAILSERVER_CONFIG": str(server.config)}
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        capture_output=True,
        text=True,
        cwd=server.folder,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def fits(wanted: str, told: str) -> bool:
    words = [re.escape(word) for word in wanted.replace("own/invoices.py:13", "...:13").split()]
    pattern = r"\s+".join(words).replace(re.escape("..."), r".*?")
    return re.fullmatch(rf"\s*{pattern}\s*", told, re.DOTALL) is not None


def send(server: ServerProcess, subject: str) -> str:
    """The id that the message was accepted with."""
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as client:
        client.ehlo()
        client.mail("a@elsewhere.test")
        client.rcpt(USER)
        code, text = client.data(f"From: a@elsewhere.test\r\nSubject: {subject}\r\n\r\ntext\r\n")
        assert code == 250
        return text.decode().rpartition(" ")[2]


def test_the_tour(tmp_path: Path) -> None:
    write_it = blocks("python")[0]
    try_it, error, shadow, counts, dry_run, enable, broken = blocks("console")
    with ServerProcess(tmp_path, configuration()) as server:
        server.add_account(USER)
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "invoices.py").write_text(write_it)
        (tmp_path / "overdue.eml").write_text("Subject: Invoice overdue\n\npay\n")
        send(server, "Lunch")
        played(try_it, server)
        played(error, server)
        server.config.write_text(server.config.read_text() + '[filters]\nown = "own"\n')
        played(shadow, server)
        shadowed = send(server, "Invoice overdue")
        played(counts, server)
        (event,) = until(lambda: server.events("own filter, shadow"))
        assert event["verdict"].startswith("junk, an invoice without a signature")
        assert "OWN_INVOICES_SHADOW" in explained(server, shadowed)
        assert mailboxes(server) == {"INBOX": 2, "Junk": 0}
        played(dry_run, server)
        played(enable, server)
        filed = send(server, "Invoice overdue")
        assert mailboxes(server) == {"INBOX": 2, "Junk": 1}
        told = explained(server, filed)
        assert "OWN_INVOICES" in told and "an invoice without a signature" in told
        assert "UNSIGNED_INVOICE=2.5" in last_in_junk(server)
        played(broken, server)
        (event,) = until(lambda: server.events("own filter not usable"))
        assert (event["line"], event["earlier_version_in_use"]) == (13, True)
        checked = server.command("check", expect=None).stdout
        assert "FAIL filter invoices: " in checked
        send(server, "Invoice overdue")
        assert mailboxes(server) == {"INBOX": 2, "Junk": 2}


def explained(server: ServerProcess, message: str) -> str:
    return server.command("explain", message).stdout


def last_in_junk(server: ServerProcess) -> str:
    """The header of the newest message."""
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    try:
        client.login(USER, PASSWORD)
        client.select("Junk")
        found: Any = client.fetch("*", "(BODY.PEEK[HEADER])")[1][0]
        return bytes(found[1]).decode()
    finally:
        client.logout()


def mailboxes(server: ServerProcess) -> dict[str, int]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    try:
        client.login(USER, PASSWORD)
        selected = {name: client.select(name)[1][0] for name in ("INBOX", "Junk")}
        return {name: int(count or b"0") for name, count in selected.items()}
    finally:
        client.logout()
