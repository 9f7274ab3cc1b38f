"""ManageSieve clients that nobody here wrote: sievelib's, and sieve-connect, over STARTTLS."""

import smtplib
from pathlib import Path

import pytest
from sievelib.managesieve import Client

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, simple, subject
from tests.support.programs import need, run
from tests.support.server import until

pytestmark = both_databases
KEEP = 'require ["fileinto"];\nif header :contains "subject" "Ärger" { fileinto "Junk"; }\n'
SORT = 'require "fileinto"; if header :contains "subject" "news" { fileinto "Archive"; }'
WRONG = 'require ["fileinto"];\nif headers "subject" "x" { stop; }\n'


def client_of(site: Site, monkeypatch: pytest.MonkeyPatch) -> Client:
    """It takes its authorities from where OpenSSL does."""
    monkeypatch.setenv("SSL_CERT_FILE", str(site.ca_file))
    return Client(HOST, site.port("managesieve"))


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_sievelib(
    site: Site, account: Account, mechanism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(site, monkeypatch)
    who = (account.address, account.password)
    assert client.connect(*who, starttls=True, authmech=mechanism)
    assert client.get_implementation() == "mailserver"
    assert {"fileinto", "variables", "imap4flags"} <= set(client.get_sieve_capabilities())
    assert client.havespace("mine", 1000) and not client.havespace("mine", 100_000_000)
    assert client.putscript("mine", KEEP)
    assert client.checkscript(KEEP)
    assert client.putscript("other one", "discard;")
    assert client.setactive("mine")
    assert client.listscripts() == ("mine", ["other one"])
    assert not client.putscript("mine", WRONG)
    assert b"line 2, column 4" in client.errmsg
    assert not client.checkscript(WRONG)
    assert client.getscript("mine").splitlines() == KEEP.splitlines()
    assert not client.deletescript("mine") and client.errcode == b"ACTIVE"
    assert client.renamescript("other one", "Ärger ü")
    assert client.listscripts() == ("mine", ["Ärger ü"])
    assert client.deletescript("Ärger ü")
    assert client.setactive("")
    assert client.listscripts() == (None, ["mine"])
    client.logout()


def test_sievelib_with_a_wrong_password(
    site: Site, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(site, monkeypatch)
    assert not client.connect(account.address, "wrong", starttls=True, authmech="PLAIN")
    client.logout()


def sieve_connect(site: Site, account: Account, *words: str, expect: int = 0) -> str:
    """What it says; the certificate is verified."""
    need("sieve-connect")
    where = ("--server", HOST, "--nosrv", "--port", str(site.port("managesieve")))
    who = ("--user", account.address, "--passwordfd", "0", "--tlscafile", str(site.ca_file))
    done = run("sieve-connect", *where, *who, *words, expect=None, stdin=account.password.encode())
    said = (done.stdout + done.stderr).decode()
    assert (done.returncode == 0) is (expect == 0), said
    return said


def test_sieve_connect(site: Site, account: Account, tmp_path: Path) -> None:
    script, wrong, got = (tmp_path / name for name in ("mine.sieve", "wrong.sieve", "got.sieve"))
    script.write_text(KEEP)
    wrong.write_text(WRONG)
    remote = ("--remotesieve", "mine")
    sieve_connect(site, account, "--localsieve", str(script), *remote, "--upload")
    sieve_connect(site, account, *remote, "--activate")
    assert '"mine" ACTIVE' in sieve_connect(site, account, "--list")
    said = sieve_connect(site, account, "--localsieve", str(wrong), *remote, "--upload", expect=1)
    assert "line 2, column 4" in said
    sieve_connect(site, account, "--localsieve", str(got), *remote, "--download")
    assert got.read_text().splitlines() == KEEP.splitlines()
    sieve_connect(site, account, "--deactivate")
    sieve_connect(site, account, *remote, "--delete")
    assert "mine" not in sieve_connect(site, account, "--list")


def test_what_a_client_stores_sorts_the_mail(
    site: Site, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(title: str) -> None:
        with smtplib.SMTP(HOST, site.port("smtp"), timeout=30) as sender:
            sender.sendmail("a@world.test", [account.address], simple(title))

    client = client_of(site, monkeypatch)
    assert client.connect(account.address, account.password, starttls=True, authmech="PLAIN")
    assert client.putscript("mine", SORT) and client.setactive("mine")
    send("The news")
    send("Hello")
    site.wait_for(account, b"Hello")
    assert [subject(found) for found in site.messages(account)] == ["Hello"]
    assert [subject(found) for found in site.messages(account, "Archive")] == ["The news"]
    # one that a mistake is in is not stored, and the old one goes on
    assert not client.putscript("mine", WRONG)
    send("More news")
    until(lambda: len(site.messages(account, "Archive")) == 2)
    client.logout()
