"""The log of a serving process: ids in every line, no secrets, one form a kind of reader."""

import base64
import imaplib
import os
import pty
import smtplib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import MAILSERVER, PASSWORD, ServerProcess, configuration, until

RELAY_PASSWORD = "smarthost-secret"
WRONG = "wrong-secret"
SENDER = "user@example.test"
MESSAGE = "From: user@example.test\r\nSubject: x\r\n\r\ntext\r\n"
SMARTHOST = f'[outbound]\nsmarthost = "smtp://relay:{RELAY_PASSWORD}@127.0.0.1:1"\n'


def submit(server: ServerProcess) -> None:
    """A wrong login, a right one, one good recipient here, one outside, one refused."""
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.ehlo()
        client.user, client.password = SENDER, WRONG
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth("LOGIN", client.auth_login)
        client.password = PASSWORD
        client.auth("PLAIN", client.auth_plain)
        recipients = [SENDER, "friend@world.test", "nobody@example.test"]
        assert set(client.sendmail(SENDER, recipients, MESSAGE)) == {"nobody@example.test"}


def read(server: ServerProcess) -> None:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login(SENDER, WRONG)
        client.login(SENDER, PASSWORD)


def of_part(server: ServerProcess, part: str) -> list[dict[str, Any]]:
    found = [entry for name in EVENTS[part] for entry in server.events(name)]
    assert all(entry["part"] == part for entry in found)
    return found


EVENTS = {
    "smtp": ("logged in", "refused"),
    "auth": ("login refused",),
    "delivery": ("accepted",),
    "outbound": ("not sent",),
    "imap": ("login",),
}


def test_lines_carry_ids_and_no_secrets(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration(extra=SMARTHOST)) as server:
        server.add_account(SENDER)
        submit(server)
        read(server)
        until(lambda: server.events("not sent"))
    (logged_in, refused), (accepted,) = of_part(server, "smtp"), of_part(server, "delivery")
    assert logged_in["connection"] == refused["connection"] == accepted["connection"]
    (outbound,) = of_part(server, "outbound")
    assert refused["message"] == accepted["message"] == outbound["message"]
    by_smtp, by_imap = of_part(server, "auth")
    assert by_smtp["connection"] == logged_in["connection"]
    assert by_imap["connection"] == of_part(server, "imap")[0]["connection"]
    log = "\n".join(server.log)
    for secret in (PASSWORD, WRONG, RELAY_PASSWORD):
        assert secret not in log
        assert base64.b64encode(secret.encode()).decode() not in log


def test_a_terminal_gets_lines_for_people(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, configuration())
    ours, theirs = pty.openpty()
    command = [*MAILSERVER, "--config", str(server.config), "serve"]
    process = subprocess.Popen(command, stderr=theirs, env=server.environment)
    os.close(theirs)
    seen = b""
    try:
        while b"ready" not in seen:
            seen += os.read(ours, 4096)
    finally:
        process.terminate()
        while process.poll() is None:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
        assert process.wait(10) == 0
        os.close(ours)
    assert b'"event"' not in seen
    assert b"stopping" in seen
