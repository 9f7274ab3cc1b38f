"""Infected mail that is kept back: nobody finds it in a mailbox, and no user lets it out."""

import imaplib
import smtplib
from pathlib import Path

import pytest

from mailserver.operations.errors import OperationError
from tests.support.clamd import EICAR, NAME, running_clamd
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA = "ada@example.test"
TEXT = b"Message-ID: <bad@x.test>\r\nSubject: look\r\n\r\n" + EICAR + b"\r\n"


def messages(server: ServerProcess, mailbox: str) -> bytes:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
        client.login(ADA, PASSWORD)
        return bytes(client.select(mailbox)[1][0] or b"")


def test_a_virus_is_kept_from_its_recipient(tmp_path: Path) -> None:
    with running_clamd() as clamd:
        extra = (
            f'[virus]\nclamd = "{clamd.unix}"\naction = "quarantine"\n[quarantine]\nusers = true\n'
        )
        with ServerProcess(tmp_path, configuration(extra=extra)) as server:
            server.perform("account.add", address=ADA, password=PASSWORD)
            with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20) as client:
                client.sendmail("friend@elsewhere.test", [ADA], TEXT)
            assert [messages(server, box) for box in ("INBOX", "Junk")] == [b"0", b"0"]
            (row,) = server.perform("quarantine.list", account=ADA)
            assert row["reason"] == f"virus: CLAM_VIRUS ({NAME})"
            with pytest.raises(OperationError, match="a virus was found in it: ask your"):
                server.perform("quarantine.release", id=row["id"], account=ADA)
            assert messages(server, "INBOX") == b"0"
            (told,) = server.perform("explain", id="<bad@x.test>")
            assert NAME in str(told)
            server.perform("quarantine.delete", id=row["id"], account=ADA)
            assert server.perform("quarantine.list") == []
