"""App passwords, tokens and second factors as clients and the command see them, on both kinds of
database.
"""

import asyncio
import contextlib
import imaplib
import itertools
import json
import smtplib
import time
import warnings
from base64 import b32decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sievelib.managesieve import Client as Sieve

from auth.totp import code_of, step_of
from mailserver.operations.errors import OperationError
from tests.support.directories import own_database
from tests.support.server import PASSWORD, ServerProcess, configuration, until

BOUND = 10.0
"""Seconds in which a revocation must have closed what it closes; a second on an idle machine."""
MAIL = b"From: a@example.org\r\nSubject: Hello\r\n\r\nHi\r\n"
_numbers = itertools.count(1)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("credentials")
            with ServerProcess(folder, configuration(database=database)) as running:
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@dataclass
class Person:
    """An account of its own with a server, and the clients that it opened."""

    server: ServerProcess
    address: str
    close: contextlib.ExitStack

    def perform(self, operation: str, **args: object) -> Any:
        return self.server.perform(operation, address=self.address, **args)

    def app_password(self, **terms: object) -> dict[str, Any]:
        made = self.perform("account.app-password.add", name="Phone", **terms)
        assert isinstance(made, dict)
        return made

    def token(self, **terms: object) -> dict[str, Any]:
        made = self.perform("token.add", name="Script", **terms)
        assert isinstance(made, dict)
        return made

    def imap(self, password: str) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.server.port("imap"), timeout=30)
        self.close.callback(client.shutdown)
        client.login(self.address, password)
        return client

    def refusal(self, password: str) -> str:
        """What IMAP says to a login that it refuses."""
        with pytest.raises(imaplib.IMAP4.error) as caught:
            self.imap(password)
        return str(caught.value)

    def smtp(self, password: str) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.server.port("submission"), timeout=30)
        self.close.callback(client.close)
        client.login(self.address, password)
        return client

    def sieve(self, password: str) -> Sieve | None:
        client = Sieve("127.0.0.1", self.server.port("managesieve"))
        with warnings.catch_warnings(action="ignore"):  # it warns of passwords without TLS
            right = client.connect(self.address, password, authmech="PLAIN")
        assert client.sock is not None
        self.close.callback(client.sock.close)
        return client if right else None


@pytest.fixture
def ada(server: ServerProcess) -> Iterator[Person]:
    with contextlib.ExitStack() as close:
        person = Person(server, f"ada{next(_numbers)}@example.test", close)
        person.perform("account.add", password=PASSWORD)
        yield person


def idle(client: imaplib.IMAP4) -> imaplib.IMAP4:
    client.send(b"i1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    return client


def is_ended(client: imaplib.IMAP4) -> bool:
    """Waits for BYE and the end of the connection, BOUND seconds at most."""
    client.sock.settimeout(BOUND)
    return client.readline().startswith(b"* BYE") and client.readline() == b""


def is_alive(client: imaplib.IMAP4) -> bool:
    client.send(b"DONE\r\n")
    return client.readline().startswith(b"i1 OK")


def answer(client: imaplib.IMAP4, command: str) -> str:
    """The tagged answer, without its tag."""
    client.send(f"x1 {command}\r\n".encode())
    while not (line := client.readline()).startswith(b"x1 "):
        assert line
    return line.decode()[3:].strip()


def test_an_app_password_is_good_everywhere_and_shown_once(ada: Person) -> None:
    made = ada.app_password()
    secret = made["secret"]
    for typed in (secret, secret.upper(), secret.replace("-", " ")):
        ada.imap(typed).select()
    ada.smtp(secret).quit()
    assert ada.sieve(secret) is not None
    assert "AUTHENTICATIONFAILED" in ada.refusal(secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    (listed,) = ada.perform("account.app-password.list")
    assert (listed["last_protocol"], listed["last_address"]) == ("sieve", "127.0.0.1")
    assert listed["last_used"] is not None
    assert listed["protocols"] == ["imap", "smtp", "sieve", "carddav", "jmap"]
    found = ada.server.perform("audit.list", address=ada.address)
    kinds = {entry["kind"]: entry["credential"] for entry in found}
    assert kinds["credential made"] == str(made["id"]) == kinds["login"]
    everything = json.dumps([listed, found]) + "\n".join(ada.server.log)
    assert secret not in everything and secret.replace("-", "") not in everything
    assert PASSWORD not in everything


def test_another_account_has_no_use_for_it(ada: Person) -> None:
    secret = ada.app_password()["secret"]
    bob = Person(ada.server, f"bob{next(_numbers)}@example.test", ada.close)
    bob.perform("account.add", password=PASSWORD)
    assert "AUTHENTICATIONFAILED" in bob.refusal(secret)


def test_revocation_ends_its_connections_and_no_others(ada: Person) -> None:
    gone, kept = ada.app_password(), ada.app_password()
    closing = [idle(ada.imap(gone["secret"])) for _ in range(3)]
    staying = [idle(ada.imap(kept["secret"])), idle(ada.imap(PASSWORD))]
    smtp, sieve = ada.smtp(gone["secret"]), ada.sieve(gone["secret"])
    assert sieve is not None
    other = ada.smtp(kept["secret"])
    ada.perform("account.app-password.revoke", id=gone["id"])
    assert all(map(is_ended, closing))
    assert smtp.sock is not None and sieve.sock is not None
    smtp.sock.settimeout(BOUND)
    assert smtp.getreply()[0] == 421
    sieve.sock.settimeout(BOUND)
    assert sieve.sock.recv(1000).startswith(b"BYE")
    assert all(map(is_alive, staying))
    assert other.noop()[0] == 250
    assert "AUTHENTICATIONFAILED" in ada.refusal(gone["secret"])
    ada.imap(kept["secret"])
    with pytest.raises(OperationError, match="no such app password"):
        ada.perform("account.app-password.revoke", id=gone["id"])


def test_its_protocols(ada: Person) -> None:
    imap = ada.app_password(protocols=["imap"])["secret"]
    ada.imap(imap)
    assert ada.sieve(imap) is None
    with pytest.raises(smtplib.SMTPAuthenticationError, match="not for this protocol"):
        ada.smtp(imap)
    smtp = ada.app_password(protocols=["smtp"])["secret"]
    ada.smtp(smtp).quit()
    assert "not for this protocol" in ada.refusal(smtp)
    with pytest.raises(OperationError, match="protocols are imap"):
        ada.app_password(protocols=["pop3"])


def test_read_only(ada: Person) -> None:
    owner = ada.imap(PASSWORD)
    owner.append("INBOX", "", "", MAIL)
    secret = ada.app_password(read_only=True)["secret"]
    client = ada.imap(secret)
    assert "READ-ONLY" in answer(client, "SELECT INBOX")
    assert answer(client, "FETCH 1 (BODY[] FLAGS)").startswith("OK")
    refused = (
        "STORE 1 +FLAGS (\\Seen)",
        "STORE 1 +FLAGS ($Important)",
        "EXPUNGE",
        "COPY 1 Archive",
        "MOVE 1 Archive",
        "APPEND INBOX {5+}\r\nA: b\n",
        "CREATE New",
        "CREATE New/Below",
        "DELETE Archive",
        "RENAME Archive Old",
        "SUBSCRIBE New",
        "UNSUBSCRIBE INBOX",
        'SETMETADATA INBOX (/private/comment "x")',
        'SETMETADATA "" (/private/comment "x")',
        f"SETACL INBOX {ada.address} lr",
    )
    for command in refused:
        said = answer(client, command)
        assert said.startswith(("NO [NOPERM]", "NO [READ-ONLY]")), (command, said)
    owner.select()
    assert owner.fetch("1", "FLAGS")[1][0] in (b"1 (FLAGS ())", b"1 (FLAGS (\\Recent))")
    assert owner.list('""', "New")[1] == [None]
    sieve = ada.sieve(secret)
    assert sieve is not None
    assert not sieve.putscript("s", "keep;")
    assert b"may not change" in sieve.errmsg
    assert sieve.listscripts() == (None, [])


def test_folders(ada: Person) -> None:
    owner = ada.imap(PASSWORD)
    for name in ("Work", "Work/Plans", "Workshop", "Diary"):
        assert owner.create(name)[0] == "OK"
        owner.subscribe(name)
    owner.append("Diary", "", "", MAIL)
    client = ada.imap(ada.app_password(folders=["Work", "inbox"])["secret"])
    assert _names(client, "LIST") == {"INBOX", "Work", "Work/Plans"}
    assert _names(client, "LSUB") <= {"INBOX", "Work", "Work/Plans"}
    for command in (
        "SELECT Diary",
        "STATUS Diary (MESSAGES)",
        "DELETE Diary",
        "RENAME Diary Work/Diary",
        "MYRIGHTS Diary",
        "GETACL Diary",
        "GETMETADATA Diary /private/comment",
    ):
        assert answer(client, command).startswith("NO [NONEXISTENT]"), command
    for command in ("CREATE Other", "CREATE Diary", "RENAME Work Other", "SUBSCRIBE Diary"):
        assert answer(client, command).startswith("NO [NOPERM]"), command
    assert answer(client, "CREATE Work/More").startswith("OK")
    assert answer(client, "SELECT Work").startswith("OK [READ-WRITE]")
    assert answer(client, "APPEND Work {5+}\r\nA: b\n").startswith("OK")
    assert answer(client, "COPY 1 Work/Plans").startswith("OK")
    assert answer(client, "COPY 1 Diary").startswith("NO")
    assert owner.select("Diary")[1] == [b"1"]


def test_a_rename_out_of_sight_ends_the_session(ada: Person) -> None:
    owner = ada.imap(PASSWORD)
    owner.create("Work")
    client = ada.imap(ada.app_password(folders=["Work"])["secret"])
    client.select("Work")
    owner.rename("Work", "Elsewhere")
    client.sock.settimeout(BOUND)
    assert client.readline().startswith(b"* BYE")


def test_notify_tells_nothing_of_other_folders(ada: Person) -> None:
    owner = ada.imap(PASSWORD)
    client = ada.imap(ada.app_password(folders=["Work"])["secret"])
    asked = "NOTIFY SET (PERSONAL (MailboxName SubscriptionChange MessageNew MessageExpunge))"
    assert answer(client, asked).startswith("OK")
    owner.create("Secret")
    owner.subscribe("Secret")
    owner.append("Secret", "", "", MAIL)
    owner.rename("Secret", "Hidden")
    owner.delete("Hidden")
    owner.create("Work")
    client.send(b"x2 NOOP\r\n")
    told = []
    while not (line := client.readline()).startswith(b"x2 "):
        told.append(line)
    text = b"".join(told)
    assert b"Work" in text
    assert b"Secret" not in text and b"Hidden" not in text


def _names(client: imaplib.IMAP4, command: str) -> set[str]:
    client.send(f'x3 {command} "" "*"\r\n'.encode())
    found = set()
    while not (line := client.readline()).startswith(b"x3 "):
        found.add(line.decode().split(' "/" ')[1].strip().strip('"'))
    return found


def test_senders(ada: Person) -> None:
    alias = f"news{next(_numbers)}@example.test"
    ada.server.perform("alias.add", alias=alias, targets=[ada.address])
    client = ada.smtp(ada.app_password(senders=[alias])["secret"])
    with pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail(ada.address, [ada.address], b"From: <%s>\r\n\r\nHi" % alias.encode())
    with pytest.raises(smtplib.SMTPDataError):
        client.sendmail(alias, [ada.address], b"From: <%s>\r\n\r\nHi" % ada.address.encode())
    client.sendmail(alias, [ada.address], b"From: <%s>\r\n\r\nHi" % alias.encode())
    client.quit()
    with pytest.raises(OperationError, match="may not send as"):
        ada.app_password(senders=["somebody@example.org"])


def test_networks(ada: Person) -> None:
    ada.imap(ada.app_password(networks=["192.0.2.0/24", "127.0.0.0/8"])["secret"])
    far = ada.app_password(networks=["192.0.2.0/24", "2001:db8::/32"])["secret"]
    assert "not for use from your address" in ada.refusal(far)
    with pytest.raises(OperationError, match="not a network"):
        ada.app_password(networks=["here"])


def test_expiry_ends_open_connections(ada: Person) -> None:
    made = ada.app_password(expires=time.time() + 3)
    client = idle(ada.imap(made["secret"]))
    staying = idle(ada.imap(ada.app_password(expires=time.time() + 300)["secret"]))
    assert is_ended(client)
    assert "expired" in ada.refusal(made["secret"])
    assert is_alive(staying)


def test_a_preset_hides_capabilities(ada: Person) -> None:
    plain = ada.imap(ada.app_password(preset="plain")["secret"])
    assert "CONDSTORE" not in plain.capability()[1][0].decode()
    assert "CONDSTORE" in ada.imap(PASSWORD).capability()[1][0].decode()
    with pytest.raises(OperationError, match="no IMAP capability or preset"):
        ada.app_password(preset="odd")


def test_a_second_factor_leaves_app_passwords_to_mail_clients(ada: Person) -> None:
    secret = ada.app_password()["secret"]
    by_password, by_app_password = idle(ada.imap(PASSWORD)), idle(ada.imap(secret))
    begun = ada.perform("account.second-factor.begin")
    key = _key(begun["key"])
    assert f"secret={begun['key']}" in begun["uri"]
    with pytest.raises(OperationError, match="code is wrong"):
        ada.perform(
            "account.second-factor.confirm", code="000000" if _code(key) != "000000" else "1"
        )
    ada.imap(PASSWORD)
    done = ada.perform("account.second-factor.confirm", code=_code(key))
    assert len(set(done["codes"])) == 10
    assert is_ended(by_password) and is_alive(by_app_password)
    assert "use an app password" in ada.refusal(PASSWORD)
    assert "AUTHENTICATIONFAILED" in ada.refusal("wrong")
    with pytest.raises(smtplib.SMTPAuthenticationError, match="use an app password"):
        ada.smtp(PASSWORD)
    assert ada.sieve(PASSWORD) is None
    ada.imap(secret)
    ada.smtp(secret).quit()
    shown = ada.perform("account.second-factor.show")
    assert (shown["on"], shown["recovery_codes"]) == (True, 10)
    with pytest.raises(OperationError, match="second factor already"):
        ada.perform("account.second-factor.begin")
    assert set(ada.perform("account.second-factor.codes")["codes"]).isdisjoint(done["codes"])
    ada.perform("account.second-factor.remove")
    ada.imap(PASSWORD)
    found = json.dumps(ada.server.perform("audit.list", address=ada.address))
    assert "second factor on" in found and "second factor off" in found
    everything = found + json.dumps(shown) + "\n".join(ada.server.log)
    assert begun["key"] not in everything
    assert not any(code in everything for code in done["codes"])


def _key(text: str) -> bytes:
    return b32decode(text)


def _code(key: bytes) -> str:
    return code_of(key, step_of(time.time()))


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_revoked_token_ends_what_it_opened_as_bearer(ada: Person, mechanism: str) -> None:
    made = ada.token(protocols=["imap"])
    begin = "n,a={},\x01" if mechanism == "OAUTHBEARER" else "user={}\x01"
    response = f"{begin.format(ada.address)}auth=Bearer {made['secret']}\x01\x01".encode()
    client = imaplib.IMAP4("127.0.0.1", ada.server.port("imap"), timeout=30)
    ada.close.callback(client.shutdown)
    client.authenticate(mechanism, lambda _: response)
    ada.perform("token.revoke", id=made["id"])
    assert is_ended(client)
    assert made["secret"] not in "\n".join(ada.server.log)


def test_an_agent_reads_and_drafts(ada: Person) -> None:
    owner = ada.imap(PASSWORD)
    owner.append("INBOX", "", "", MAIL)
    made = ada.token(agent=True, folders=["INBOX", "Drafts"], rate=40)
    assert (made["kind"], made["protocols"]) == ("agent", ["imap", "jmap"])
    agent = ada.imap(made["secret"])
    assert _names(agent, "LIST") == {"INBOX", "Drafts"}
    assert "READ-ONLY" in answer(agent, "SELECT INBOX")
    assert answer(agent, "FETCH 1 BODY[]").startswith("OK")
    for command in ("STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "APPEND INBOX {5+}\r\nA: b\n"):
        assert answer(agent, command).startswith("NO"), command
    assert answer(agent, "APPEND Drafts (\\Draft) {5+}\r\nA: b\n").startswith("OK")
    assert "READ-WRITE" in answer(agent, "SELECT Drafts")
    assert answer(agent, "COPY 1 INBOX").startswith("NO [NOPERM]")
    assert answer(agent, "SETACL Drafts anyone lr").startswith("NO [NOPERM]")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        ada.smtp(made["secret"])
    acted = [
        (entry["credential"], entry["detail"])
        for entry in ada.server.perform("audit.list", address=ada.address)
        if entry["kind"] == "agent acted"
    ]
    assert (str(made["id"]), "APPEND Drafts") in acted
    assert (str(made["id"]), "FETCH INBOX") in acted
    other = ada.imap(made["secret"])
    said = [answer(other, "NOOP") for _ in range(50)]
    assert said[-1].startswith("NO [LIMIT]")
    with pytest.raises(OperationError, match="does not send"):
        ada.token(agent=True, protocols=["smtp"])


def test_a_new_password_ends_tokens_and_leaves_app_passwords(ada: Person) -> None:
    token, app_password = ada.token()["secret"], ada.app_password()["secret"]
    client = idle(ada.imap(token))
    assert len(ada.perform("token.list")) == 1
    ada.perform("account.passwd", password="another horse")
    assert is_ended(client)
    assert "AUTHENTICATIONFAILED" in ada.refusal(token)
    assert ada.perform("token.list") == []
    ada.imap(app_password)


def test_a_disabled_account_has_no_use_of_it(ada: Person) -> None:
    secret = ada.app_password()["secret"]
    client = idle(ada.imap(secret))
    ada.perform("account.disable")
    assert is_ended(client)
    assert "AUTHENTICATIONFAILED" in ada.refusal(secret)
    ada.perform("account.enable")
    ada.imap(secret)


def test_what_a_restart_keeps(ada: Person) -> None:
    kept, gone = ada.app_password(), ada.app_password()
    ada.imap(kept["secret"])
    ada.perform("account.app-password.revoke", id=gone["id"])
    ada.server.stop()
    ada.server.start()
    (listed,) = ada.perform("account.app-password.list")
    assert listed["last_protocol"] == "imap"
    ada.imap(kept["secret"])
    assert "AUTHENTICATIONFAILED" in ada.refusal(gone["secret"])


def test_the_commands(ada: Person) -> None:
    server, address = ada.server, ada.address
    terms = ("--name", "Old phone", "--protocol", "imap", "--folder", "INBOX", "--until", "2h")
    made = server.json("account", "app-password", "add", address, *terms, "--network", "127.0.0.1")
    client = idle(ada.imap(made["secret"]))
    listed = server.json("account", "app-password", "list", address)
    assert [(one["id"], one["name"], one["folders"]) for one in listed] == [
        (made["id"], "Old phone", ["INBOX"])
    ]
    server.command("account", "app-password", "revoke", address, str(made["id"]))
    assert is_ended(client)
    token = server.json("token", "add", address, "--name", "Robot", "--agent", "--rate", "9")
    assert (token["rate"], token["draft_only"]) == (9, True)
    assert any(one["id"] == token["id"] for one in server.json("token", "list"))
    server.command("token", "revoke", address, str(token["id"]))
    assert server.json("token", "list", address) == []
    begun = server.json("account", "second-factor", "begin", address)
    code = _code(_key(begun["key"]))
    assert len(server.json("account", "second-factor", "confirm", address, code)["codes"]) == 10
    assert server.json("account", "second-factor", "show", address)["on"] is True
    server.command("account", "second-factor", "remove", address)
    server.command("account", "second-factor", "remove", address, expect=1)
    until(lambda: server.json("account", "second-factor", "show", address)["on"] is False)
