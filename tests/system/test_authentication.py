"""Mail into a serving process with SPF, DKIM and DMARC in DNS: reply, mailbox and field."""

import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from message.authentication_results import parse_results
from message.dkim_sign import sign
from message.dkim_signing_key import Algorithm
from message.headers import all_values, header_block
from tests.support.dkim_messages import key
from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread
from tests.support.server import ServerProcess, configuration

USER = "user@example.test"
HOSTNAME = "mx.example.test"
SIGNED = ("reject.test", "news.reject.test", "other.test")
OPEN, CLOSED = "v=spf1 ip4:127.0.0.1 -all", "v=spf1 -all"
SPOOFED = f"Authentication-Results: {HOSTNAME}; dmarc=pass header.from=reject.test\r\n"


@dataclass(frozen=True)
class Site:
    server: ServerProcess
    maildir: Path

    def send(self, sender: str, author: str, signer: str, subject: str) -> tuple[int, str]:
        """The reply to the data."""
        body = b"text\r\n"
        header = f"From: <a@{author}>\r\n{SPOOFED}Subject: {subject}\r\n".encode()
        signing = [key(Algorithm.ED25519, domain=signer)] if signer else []
        message = b"".join(sign(header, [body], signing, int(time.time()))) + header
        return self.send_raw(sender, message + b"\r\n" + body)

    def send_raw(self, sender: str, message: bytes) -> tuple[int, str]:
        with smtplib.SMTP("127.0.0.1", self.server.port("smtp"), "client.test") as client:
            client.ehlo()
            client.docmd(f"MAIL FROM:<{sender}>")
            assert client.docmd(f"RCPT TO:<{USER}>")[0] == 250
            code, text = client.data(message)
        return code, text.decode()

    def stored(self, folder: str, subject: str) -> bytes:
        """The header of the message with that subject."""
        for path in (self.maildir / folder / "new").iterdir():
            header = header_block(path.read_bytes())
            if f"Subject: {subject}\r\n".encode() in header:
                return header
        raise AssertionError(f"{subject} is not in {folder or 'INBOX'}")


def fill(dns: DnsServer) -> None:
    for domain, spf, dmarc in (
        ("reject.test", OPEN, "v=DMARC1; p=reject; rua=mailto:a@reject.test"),
        ("quarantine.test", CLOSED, "v=DMARC1; p=quarantine"),
        ("none.test", CLOSED, "v=DMARC1; p=none"),
        ("strict.test", OPEN, "v=DMARC1; p=reject; aspf=s"),
        ("testing.test", CLOSED, "v=DMARC1; p=reject; t=y"),
        ("other.test", OPEN, ""),
        ("bounce.strict.test", OPEN, ""),
    ):
        dns.set(domain, "TXT", f'"{spf}"')
        if dmarc:
            dns.set(f"_dmarc.{domain}", "TXT", f'"{dmarc}"')
    for domain in SIGNED:
        signing = key(Algorithm.ED25519, domain=domain)
        dns.set(signing.name, "TXT", f'"{signing.record}"')
    dns.failing.add("_dmarc.broken.test")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with dns_in_thread() as dns:
        fill(dns)
        extra = f'[dns]\nnameservers = ["{dns.endpoint}"]\n[filters]\nlocal_networks = []\n'
        extra += "[spam]\ntag_at = 0.0\nreject_at = 0.0\n"  # who it is from, not what it says
        folder = tmp_path_factory.mktemp("site")
        with ServerProcess(folder, configuration(extra=extra)) as server:
            server.add_account(USER)
            (row,) = server.json("account", "list")
            yield Site(server, Path(row["maildir"]))


ACCEPTED, JUNK = "", ".Junk"


@pytest.mark.parametrize(
    ("sender", "author", "signer", "dmarc", "where"),
    [
        ("a@reject.test", "reject.test", "", "pass", ACCEPTED),
        ("a@other.test", "reject.test", "reject.test", "pass", ACCEPTED),
        ("a@other.test", "reject.test", "news.reject.test", "pass", ACCEPTED),
        ("a@reject.test", "news.reject.test", "", "pass", ACCEPTED),
        ("", "none.test", "", "fail", ACCEPTED),
        ("a@none.test", "none.test", "", "fail", ACCEPTED),
        ("a@quarantine.test", "quarantine.test", "other.test", "fail", JUNK),
        ("a@quarantine.test", "sub.quarantine.test", "", "fail", JUNK),
        ("a@testing.test", "testing.test", "", "fail", JUNK),
        ("a@other.test", "other.test", "other.test", "none", ACCEPTED),
        ("a@other.test", "broken.test", "", "temperror", ACCEPTED),
    ],
)
def test_what_is_accepted(
    site: Site, sender: str, author: str, signer: str, dmarc: str, where: str
) -> None:
    subject = f"{sender} {author} {signer}"
    code, text = site.send(sender, author, signer, subject)
    assert code == 250, text
    header = site.stored(where, subject)
    (value,) = all_values(header, b"Authentication-Results")
    read = parse_results(value)
    assert read.authserv_id == HOSTNAME
    told = {one.method: one for one in read.statements}
    assert told["dmarc"].result == dmarc
    assert told["dmarc"].value("header", "from") == author
    assert told["dkim"].result == ("pass" if signer else "none")
    assert set(told) == {"spf", "dkim", "dmarc", "arc"}


@pytest.mark.parametrize(
    ("sender", "author", "signer", "owner"),
    [
        ("a@other.test", "reject.test", "", "reject.test"),
        ("a@other.test", "x.reject.test", "other.test", "reject.test"),
        ("a@bounce.strict.test", "strict.test", "", "strict.test"),
    ],
)
def test_what_is_refused(site: Site, sender: str, author: str, signer: str, owner: str) -> None:
    code, text = site.send(sender, author, signer, "forged")
    assert code == 550
    assert text.startswith("5.7.1") and f"DMARC policy of {owner}" in text


FLOODS = {
    "fields": SPOOFED * 12_000 + "From: a@none.test\r\n",
    "comments": f"Authentication-Results: {'(' * 300_000}{HOSTNAME}\r\nFrom: a@none.test\r\n",
    "authors": "From: " + "<a@none.test>, " * 40_000 + "b@reject.test\r\n",
    "quotes": 'From: "' + '\\"' * 200_000 + " <a@none.test>\r\n",
    "from fields": "From: a@none.test\r\n" * 30_000 + "From: b@reject.test\r\n",
    "labels": f"From: a@{'a.' * 120}none.test\r\n",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_in_a_header_cost_no_more_than_themselves(site: Site, flood: str) -> None:
    """Nobody is fooled, and others are served."""
    message = f"{FLOODS[flood]}Subject: flood {flood}\r\n\r\ntext\r\n".encode()
    code, text = site.send_raw("a@none.test", message)
    assert code == 250, text
    where = JUNK if flood in ("authors", "from fields", "quotes") else ACCEPTED
    stored = site.stored(where, f"flood {flood}")
    assert b"dmarc=pass" not in stored and stored.count(f" {HOSTNAME};".encode()) == 1
    assert site.send("a@reject.test", "reject.test", "", f"after {flood}")[0] == 250
