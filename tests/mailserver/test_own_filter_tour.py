"""The tour in docs/filters.md, done as it stands there, with a real server and real mail."""

import imaplib
import re
import shlex
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

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
            until(lambda command=command, wanted=wanted: fits(wanted, said(command, server)), 50)
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


def send(server: ServerProcess, subject: str, name: str = "") -> str:
    """The id that the message was accepted with; `name` is its Message-ID."""
    head = f"Message-ID: <{name}>\r\n" if name else ""
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as client:
        client.ehlo()
        client.mail("a@elsewhere.test")
        client.rcpt(USER)
        text = f"From: a@elsewhere.test\r\n{head}Subject: {subject}\r\n\r\ntext\r\n"
        code, answer = client.data(text)
        assert code == 250
        return answer.decode().rpartition(" ")[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With the user's first message; one for all steps of the tour."""
    folder = tmp_path_factory.mktemp("tour")
    with ServerProcess(folder, configuration()) as running:
        running.add_account(USER)
        send(running, "Lunch")
        yield running


WRITE_IT = blocks("python")[0]
TRY_IT, ERROR, SHADOW, COUNTS, DRY_RUN, ENABLE, WHY, BROKEN = blocks("console")


def test_write_and_try(server: ServerProcess) -> None:
    (server.folder / "own").mkdir()
    (server.folder / "own" / "invoices.py").write_text(WRITE_IT)
    (server.folder / "overdue.eml").write_text("Subject: Invoice overdue\n\npay\n")
    played(TRY_IT, server)
    played(ERROR, server)


def test_shadow(server: ServerProcess) -> None:
    server.config.write_text(server.config.read_text() + '[filters]\nown = "own"\n')
    played(SHADOW, server)
    shadowed = send(server, "Invoice overdue")
    played(COUNTS, server)
    (event,) = until(lambda: server.events("own filter, shadow"))
    assert event["verdict"].startswith("junk, an invoice without a signature")
    assert "OWN_INVOICES_SHADOW" in explained(server, shadowed)
    assert mailboxes(server) == {"INBOX": 2, "Junk": 0}


def test_dry_run_and_enable(server: ServerProcess) -> None:
    played(DRY_RUN, server)
    played(ENABLE, server)
    send(server, "Invoice overdue", "second-notice@elsewhere.test")
    assert mailboxes(server) == {"INBOX": 2, "Junk": 1}
    played(WHY, server)
    assert "UNSIGNED_INVOICE=2.5" in last_in_junk(server)


def test_break(server: ServerProcess) -> None:
    played(BROKEN, server)
    (event,) = until(lambda: server.events("own filter not usable"))
    assert (event["line"], event["earlier_version_in_use"]) == (13, True)
    assert "FAIL filter invoices: " in server.command("check", expect=None).stdout
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
