"""`mailserver spam rescan`: recent mail by what was learned since, never against a user."""

import imaplib
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests.support.sending_site import sending_site
from tests.support.server import PASSWORD, ServerProcess, until

ADA = "ada@example.test"
SPAM = "Cheap pills and replica watches, wire your winnings now, unclaimed lottery prize"
HAM = "The minutes of the meeting about the garden fence and the new compost heap"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    extra = '[filters]\npipeline = ["spam"]\nlocal_networks = []\n'
    folder = tmp_path_factory.mktemp("rescan")
    with sending_site(folder, request.param, ADA, extra=extra) as (running, _):
        yield running


def letter(text: str, number: int) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = f"Someone <w{number}@world.test>", ADA
    mail["Subject"], mail["Message-ID"] = text[:30], f"<{number}.{abs(hash(text))}@world.test>"
    mail["Date"] = "Sat, 28 Nov 2026 10:00:00 +0000"
    mail.set_content(f"{text}. {text}.\n")
    return mail.as_bytes(policy=SMTP)


def send(server: ServerProcess, data: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20) as client:
        client.sendmail("w@world.test", [ADA], data)


def numbers(client: imaplib.IMAP4, mailbox: str) -> list[str]:
    if client.select(mailbox)[1] == [b"0"]:
        return []
    found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
    lines = [part[1].decode() for part in found if isinstance(part, tuple)]
    return [line.split("<")[1].split(".")[0] for line in lines]


def teach(server: ServerProcess, folder: Path, label: str, text: str) -> None:
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.eml").write_bytes(letter(f"{text} {number}", 1000 + number))
    server.perform("spam.train", label=label, paths=[str(folder)])


def test_what_was_learned_since_goes_to_junk(server: ServerProcess, tmp_path: Path) -> None:
    for number, text in enumerate((SPAM, SPAM, SPAM, SPAM, HAM), 1):
        send(server, letter(text, number))
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
        client.login(ADA, PASSWORD)
        until(lambda: len(numbers(client, "INBOX")) == 5)
        client.select("INBOX")
        client.store("2", "+FLAGS", "\\Seen")
        client.store("3", "+FLAGS", "$NotJunk")
        assert server.perform("spam.rescan", account=ADA, days=3)[0]["junk"] == 0
        teach(server, tmp_path / "spam", "spam", SPAM)
        teach(server, tmp_path / "ham", "ham", HAM)
        (row,) = server.perform("spam.rescan", account=ADA, days=3)
        assert (row["account"], row["junk"]) == (ADA, 2)
        assert set(numbers(client, "INBOX")) == {"2", "3", "5"}
        assert set(numbers(client, "Junk")) == {"1", "4"}
        assert server.perform("spam.rescan", account=ADA, days=3)[0]["junk"] == 0
        # what it moved taught nothing for the account; what the user takes back stays
        assert server.perform("spam.show", account=ADA)["spam"] == 0
        client.select("Junk")
        client.uid("MOVE", "1", "INBOX")
        assert server.perform("spam.rescan", account=ADA, days=3)[0]["junk"] == 0
        assert set(numbers(client, "INBOX")) == {"1", "2", "3", "5"}


def test_the_command_prints_a_row_an_account(server: ServerProcess) -> None:
    found = server.command("spam", "rescan", "--account", ADA, "--days", "1")
    assert found.stdout.startswith(f"{ADA}\t")
    server.command("spam", "rescan", "--account", "none@example.test", expect=1)
