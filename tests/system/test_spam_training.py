"""Training in the serving process: what it files itself teaches nothing, a kill loses and doubles
nothing, and the commands teach, grade and forget beside it.
"""

import asyncio
import imaplib
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailserver import control
from tests.support.server import PASSWORD, ServerProcess, configuration, until

USER, OTHER, KILLED = "user@example.test", "other@example.test", "killed@example.test"
CONFIG = configuration(
    extra="[filters]\nlocal_networks = []\n[spam]\nlearn_clear = true\n"
    "tag_at = 50.0\nreject_at = 90.0\n"
    "weights = { HAS_REPLYTO = 60.0, BAYES_SPAM = 3.0, HAS_LIST_UNSUB = 12.5 }\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("spam"), CONFIG) as made:
        for address in (USER, OTHER, KILLED):
            made.add_account(address)
        yield made


def text(title: str, body: str, fields: str = "") -> bytes:
    return (
        f"From: Ann <ann@world.test>\r\nTo: <{USER}>\r\nSubject: {title}\r\n{fields}"
        f"Message-ID: <{title.replace(' ', '.')}@world.test>\r\n"
        f"Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n\r\n{body}\r\n"
    ).encode()


def spam(number: int) -> bytes:
    return text(f"You won {number}", f"Claim your jackpot of {number * 1000} dollars at the casino")


def ham(number: int) -> bytes:
    return text(f"Minutes {number}", f"Here are the minutes of meeting {number}, see you on friday")


def imap(server: ServerProcess, address: str = USER) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20)
    client.login(address, PASSWORD)
    return client


def send(server: ServerProcess, message: bytes, address: str = USER) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20) as client:
        client.sendmail("ann@world.test", [address], message)


def shown(server: ServerProcess, address: str = "") -> tuple[int, int]:
    """As `mailserver spam show`."""
    asked = control.call(server.data, "spam.show", {"account": address}, lambda *_: None)
    found: dict[str, Any] = asyncio.run(asked)
    return found["spam"], found["ham"]


def wait_for(server: ServerProcess, wanted: tuple[int, int], address: str = USER) -> None:
    until(lambda: shown(server, address) == wanted or None, 45, pause=0.1)


def messages(server: ServerProcess, folder: str, address: str = USER) -> list[bytes]:
    with imap(server, address) as client:
        client.select(folder, readonly=True)
        numbers = client.search(None, "ALL")[1][0].split()
        return [number for number in numbers if isinstance(number, bytes)]


def test_what_the_server_files_teaches_only_when_it_is_moved(server: ServerProcess) -> None:
    send(server, text("Filed one", "of no interest", "Reply-To: <b@world.test>\r\n"))
    send(server, text("Filed two", "of some interest", "Reply-To: <b@world.test>\r\n"))
    send(server, text("Ordinary", "hello"))
    until(lambda: len(messages(server, "Junk")) == 2 and len(messages(server, "INBOX")) == 1, 20)
    with imap(server) as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", "($Junk)")  # behind it in the journal
        wait_for(server, (1, 0))
        client.select("Junk")
        client.store("1:*", "+FLAGS", r"(\Seen)")
        client.uid("MOVE", "2", "INBOX")
        wait_for(server, (1, 1))
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.select("INBOX")
        client.store("1", "-FLAGS", "($Junk)")
        wait_for(server, (0, 1))


def test_a_kill_loses_and_doubles_nothing(server: ServerProcess) -> None:
    before = shown(server)[0]
    with imap(server, KILLED) as client:
        for number in range(40):
            client.append("INBOX", "", "", spam(number))
        client.select("INBOX")
        client.uid("MOVE", "1:*", "Junk")
        client.select("Junk")
        until(lambda: shown(server, KILLED)[0] > 0 or None, 45)
    server.kill()
    server.start()
    wait_for(server, (40, 0), KILLED)
    with imap(server, KILLED) as client:
        client.select("Junk")
        client.uid("MOVE", "1:10", "Archive")
    wait_for(server, (30, 10), KILLED)
    assert shown(server)[0] - before <= 20  # of one account the site takes little


def test_the_commands_beside_the_server(server: ServerProcess, tmp_path: Path) -> None:
    junk, good = tmp_path / "junk", tmp_path / "good.mbox"
    junk.mkdir()
    for number in range(30):
        (junk / f"{number}.eml").write_bytes(spam(number))
    lines = [b"From ann@world.test Wed Nov 25 10:00:00 2026\n" + ham(n) + b"\n" for n in range(30)]
    good.write_bytes(b"".join(lines).replace(b"\r\n", b"\n"))
    done = server.json("spam", "train", "--spam", str(junk))
    assert (done["messages"], done["learned"], done["unreadable"]) == (30, 30, 0)
    assert server.json("spam", "train", "--ham", str(good))["learned"] == 30
    assert server.json("spam", "train", "--ham", str(good))["learned"] == 0
    assert shown(server) >= (30, 30)
    # the next of each kind, judged by the classifier when they come
    send(server, spam(99), OTHER)
    send(server, ham(99), OTHER)
    until(lambda: len(messages(server, "INBOX", OTHER)) == 2, 20)
    with imap(server, OTHER) as client:
        client.select("INBOX", readonly=True)
        found = client.fetch("1:2", "(BODY.PEEK[HEADER.FIELDS (X-Spam-Result)])")[1]
    results = [one[1] for one in found if isinstance(one, tuple)]
    assert b"BAYES_SPAM" in results[0]
    assert b"BAYES_HAM" in results[1]
    # graded, with the classifier alone deciding and without it
    trial = tmp_path / "trial.toml"
    trial.write_text("[spam]\ntag_at = 1.0\nweights = { BAYES_SPAM = 9.0 }\n")
    with imap(server, OTHER) as client:
        client.select("INBOX")
        client.uid("MOVE", "1", "Junk")
    wait_for(server, (1, 0), OTHER)
    (row,) = [
        one
        for one in server.json("spam", "eval", "--account", OTHER, "--weights", str(trial))
        if one["period"] == "all"
    ]
    assert (row["corrected"], row["now"]["spam"], row["now"]["ham"]) == (1, 1, 1)
    assert row["now"]["false_negatives"]["count"] == row["now"]["false_positives"]["count"] == 0
    assert row["now"]["false_positives"]["high"] == pytest.approx(0.79346, abs=1e-4)
    assert row["then"]["false_negatives"]["count"] == 1
    plain = server.command("spam", "eval", "--without-learned", "--since", "30d").stdout
    assert "false" not in plain
    assert OTHER in plain
    # and taken back
    assert server.json("spam", "forget", str(junk))["taken_back"] == 30
    server.command("spam", "forget", "--all")
    assert shown(server) == (0, 0)


def test_stored_mail_teaches_too(server: ServerProcess) -> None:
    with imap(server) as client:
        client.create("Receipts")
        for number in range(5):
            client.append("Receipts", "", "", text(f"Receipt {number}", "Thank you for your order"))
    options = ("--mailbox", f"{USER}/Receipts", "--account", OTHER)
    before = shown(server, OTHER)
    assert server.json("spam", "train", "--ham", *options)["learned"] == 5
    assert shown(server, OTHER) == (before[0], before[1] + 5)
    told = server.json("spam", "show", "--account", OTHER)
    assert (told["account"], told["ham"]) == (OTHER, before[1] + 5)
    server.command("spam", "forget", "--all", "--account", OTHER)
    assert shown(server, OTHER) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("train", "x.eml"), 2, "either --spam or --ham"),
        (("train", "--spam", "/no/such/file"), 1, "there is no such file"),
        (("train", "--spam"), 1, "name message files"),
        (("train", "--spam", "--account", "nobody@example.test", "."), 1, "no such account"),
        (("train", "--ham", "--mailbox", f"{USER}/Nowhere"), 1, "has no mailbox Nowhere"),
        (("forget",), 2, "either messages or --all"),
        (("eval", "--since", "yesterday"), 2, "neither 30d nor a date"),
        (("eval", "--weights", "/no/such/file"), 1, "No such file"),
        (("show", "--account", "nobody@example.test"), 1, "no such account"),
    ],
)
def test_wrong_use(
    server: ServerProcess, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = server.command("spam", *arguments, expect=status)
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_what_rules_are_sure_of_is_learned(server: ServerProcess) -> None:
    before = shown(server)
    send(server, text("Surely", "buy this", "List-Unsubscribe: <mailto:a@world.test>\r\n"))
    until(lambda: shown(server) == (before[0] + 1, before[1]) or None, 20, pause=0.1)
