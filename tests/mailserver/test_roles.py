"""Roles, sending for others and what accounts may do by command, with a server on both kinds of
database and without one.
"""

import asyncio
import contextlib
import imaplib
import itertools
import json
import smtplib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.permitted import (
    LISTED,
    OF_ACCOUNT,
    OF_DOMAIN,
    OF_QUEUED,
    OF_SERVER,
)
from mailserver.operations.registry import LONG, QUICK
from tests.support.directories import own_database
from tests.support.programs import need_swaks
from tests.support.server import PASSWORD, ServerProcess, configuration

BOUND = 10.0
"""Seconds in which a change must have closed what it closes; a second on an idle machine."""
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
            folder = tmp_path_factory.mktemp("roles")
            text = configuration(database=database, domains=("example.test", "other.test"))
            with ServerProcess(folder, text) as running:
                running.perform("account.add", address="root@example.test", password=PASSWORD)
                role = {"address": "root@example.test", "role": "administrator"}
                running.perform("account.role", **role)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


def made(server: ServerProcess, domain: str = "example.test", **args: object) -> str:
    """The address of a new account."""
    address = f"a{next(_numbers)}@{domain}"
    server.perform("account.add", address=address, password=PASSWORD, **args)
    return address


def administers(server: ServerProcess, *domains: str) -> str:
    """The address of a new domain administrator."""
    address = made(server)
    args = {"address": address, "role": "domain-administrator", "domains": domains}
    server.perform("account.role", **args)
    return address


@dataclass
class Clients:
    """Of a server, closed with the test."""

    server: ServerProcess
    close: contextlib.ExitStack

    def imap(self, address: str, password: str = PASSWORD) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.server.port("imap"), timeout=30)
        self.close.callback(client.shutdown)
        client.login(address, password)
        return client

    def smtp(self, address: str, password: str = PASSWORD) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.server.port("submission"), timeout=30)
        self.close.callback(client.close)
        client.login(address, password)
        return client


@pytest.fixture
def clients(server: ServerProcess) -> Iterator[Clients]:
    with contextlib.ExitStack() as close:
        yield Clients(server, close)


def letter(author: str, to: str) -> bytes:
    return f"From: {author}\r\nTo: {to}\r\nSubject: Hello\r\n\r\nHi\r\n".encode()


def acting(server: ServerProcess, account: str, operation: str, /, **args: object) -> Any:
    return server.perform(operation, **{"as": account, **args})


def refusal(server: ServerProcess, account: str, operation: str, /, **args: object) -> str:
    with pytest.raises(OperationError) as caught:
        acting(server, account, operation, **args)
    return str(caught.value)


def details(server: ServerProcess, address: str, kind: str) -> list[str]:
    found = server.perform("audit.list", address=address)
    return [entry["detail"] for entry in found if entry["kind"] == kind]


def test_a_new_role_ends_open_connections(server: ServerProcess, clients: Clients) -> None:
    address, other = made(server), made(server)
    client, sender, quiet = clients.imap(address), clients.smtp(address), clients.imap(other)
    client.send(b"i1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    change = {"address": address, "role": "domain-administrator", "by": "operator"}
    shown = server.perform("account.role", domains=["Example.Test", "other.test"], **change)
    assert (shown["role"], shown["admin"]) == ("domain-administrator", False)
    assert shown["administers"] == ["example.test", "other.test"]
    client.sock.settimeout(BOUND)
    assert client.readline().startswith(b"* BYE") and client.readline() == b""
    assert sender.sock is not None
    sender.sock.settimeout(BOUND)
    assert sender.getreply()[0] == 421
    assert quiet.noop()[0] == "OK"
    again = clients.imap(address)
    server.perform("account.role", domains=["other.test", "example.test"], **change)
    assert again.noop()[0] == "OK"  # nothing changed
    assert details(server, address, "role changed") == [
        "user -> domain-administrator example.test other.test, by operator"
    ]


@pytest.mark.parametrize(
    ("role", "domains"),
    [
        ("domain-administrator", []),
        ("domain-administrator", ["elsewhere.test"]),
        ("administrator", ["example.test"]),
        ("chief", []),
    ],
    ids=["no-domain", "not-served", "domain-of-administrator", "unknown"],
)
def test_roles_that_there_are_not(server: ServerProcess, role: str, domains: list[str]) -> None:
    address = made(server)
    with pytest.raises(OperationError):
        server.perform("account.role", address=address, role=role, domains=domains)
    assert server.perform("account.show", address=address)["role"] == "user"


def test_a_domain_administrator_sees_and_changes_its_part(server: ServerProcess) -> None:
    chief, user, stranger = (
        administers(server, "other.test"),
        made(server, "other.test"),
        made(server),
    )
    listed = [row["address"] for row in acting(server, chief, "account.list")]
    assert chief in listed and user in listed and stranger not in listed
    assert [row["name"] for row in acting(server, chief, "domain.list")] == ["other.test"]
    own = acting(server, chief, "account.add", address=f"b{user}", password=PASSWORD, quota=5)
    assert own["quota"] == 5
    for operation, args in (
        ("account.set", {"quota": 9, "imap_mask": ["QRESYNC"], "submission": {"save_sent": True}}),
        ("account.passwd", {"password": PASSWORD + "!"}),
        ("account.disable", {}),
        ("account.enable", {}),
        ("account.show", {}),
        ("account.app-password.list", {}),
        ("token.list", {}),
        ("audit.list", {}),
    ):
        acting(server, chief, operation, address=user, **args)
        assert "may not" in refusal(server, chief, operation, address=stranger, **args)
        root = {"address": "root@example.test"}
        assert "may not" in refusal(server, chief, operation, **root, **args)
    acting(server, chief, "alias.add", alias="x@other.test", targets=[user])
    assert "may not" in refusal(server, chief, "alias.add", alias="x@example.test", targets=[user])
    acting(server, chief, "alias.delete", alias="X@other.test")
    told = ("account.set", "account.passwd", "account.disable", "account.enable")
    wanted = [f"{operation}, by {chief}" for operation in told]
    assert sorted(details(server, user, "changed by another")) == sorted(wanted)
    assert details(server, own["address"], "changed by another") == [f"account.add, by {chief}"]
    acting(server, chief, "account.set", address=chief, notify_new_device="off")
    assert details(server, chief, "changed by another") == []
    acting(server, chief, "account.delete", address=user)
    gone = [e for e in server.perform("audit.list") if e["kind"] == "changed by another"]
    assert f"account.delete, by {chief}" in [e["detail"] for e in gone if e["account"] == user]


@pytest.mark.parametrize("quota", [-1, 1 << 63])
def test_limits_that_can_not_be_kept(server: ServerProcess, quota: int) -> None:
    chief, user = administers(server, "other.test"), made(server, "other.test")
    assert "from 0" in refusal(server, chief, "account.set", address=user, quota=quota)
    new = {"address": f"n{user}", "password": PASSWORD, "quota": quota}
    assert "from 0" in refusal(server, chief, "account.add", **new)
    server.command("domain", "set", "other.test", "--accounts", str(1 << 31), expect=2)
    server.command("token", "revoke", user, str(1 << 63), expect=2)
    for key, value in (("accounts", -1), ("accounts", 1 << 31), ("quota", 1 << 63)):
        with pytest.raises(OperationError, match="from 0"):
            server.perform("domain.set", domain="other.test", **{key: value})


def test_aliases_take_no_mail_of_accounts(server: ServerProcess) -> None:
    chief, user = administers(server, "other.test"), made(server, "other.test")
    chief_here = made(server, "other.test")
    role = {"role": "domain-administrator", "domains": ["other.test"]}
    server.perform("account.role", address=chief_here, **role)
    for each, own in ((chief, False), (chief_here, True)):
        tagged = each.replace("@example.test", "@other.test").replace("@", "+x@")
        if own:
            acting(server, each, "alias.add", alias=tagged, targets=[user])
        taken = {"alias": user.replace("@", "+x@"), "targets": [each]}
        assert "may not" in refusal(server, each, "alias.add", **taken)
    server.perform("alias.add", **taken)
    assert "may not" in refusal(server, chief, "alias.delete", alias=taken["alias"])


@pytest.fixture
def queued(server: ServerProcess) -> tuple[str, str]:
    """A sender of other.test and the id of what it has in the queue for later."""
    user = made(server, "other.test")
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=30) as client:
        client.login(user, PASSWORD)
        client.sendmail(
            user, ["x@elsewhere.test"], letter(user, "x@elsewhere.test"), ["HOLDFOR=3600"]
        )
    (entry,) = server.perform("queue.list", account=user)
    return user, entry["id"]


def test_whose_queued_mail_is_seen_and_changed(
    server: ServerProcess, queued: tuple[str, str]
) -> None:
    user, number = queued
    chief, stranger = administers(server, "other.test"), administers(server, "example.test")
    for who in (user, chief):
        assert acting(server, who, "queue.show", id=number)["sender"] == user
        assert [one["id"] for one in acting(server, who, "queue.list", account=user)] == [number]
    for who, operations in (
        (stranger, ("show", "why", "retry", "hold", "release", "bounce")),
        (user, ("retry", "hold", "release", "bounce")),
    ):
        for operation in operations:
            refused = refusal(server, who, f"queue.{operation}", id=number)
            assert "may not" in refused
            # as of a message that there is not
            assert refusal(server, who, f"queue.{operation}", id="999999999") == refused
    assert "may not" in refusal(server, stranger, "queue.list", account=user)
    assert "may not" in refusal(server, chief, "queue.cancel", id=number, account=user)
    other = refusal(server, chief, "queue.cancel", id=number, account=chief)
    gone = refusal(server, chief, "queue.cancel", id="999999999", account=chief)
    assert other.partition(":")[2] == gone.partition(":")[2]
    assert acting(server, chief, "queue.hold", id=number) == {"messages": 1}
    (recipient,) = server.perform("queue.show", id=number)["recipients"]
    assert recipient["hold"]["by"] == chief
    assert acting(server, chief, "queue.release", id=number) == {"messages": 1}
    cancelled = acting(server, user, "queue.cancel", id=number, account=user)
    assert cancelled == {"messages": 1, "recipients": 1}
    assert server.perform("queue.list", account=user) == []


def test_what_a_domain_administrator_may_not(server: ServerProcess) -> None:
    chief = administers(server, "other.test")
    user = {"address": made(server, "other.test")}
    for operation, args in (
        ("account.role", {"role": "administrator", **user}),
        ("account.role", {"role": "administrator", "address": chief}),
        ("account.add", {"address": "n@other.test", "password": PASSWORD, "admin": True}),
        ("account.set", {"quota": 9, "address": chief}),
        ("account.set", {"submission": {"from_header": "any"}, **user}),
        ("account.set", {"submission": {"messages_per_day": None}, **user}),
        ("account.set", {"no_such_key": "x", **user}),
        ("account.app-password.add", {"name": "Spy", **user}),
        ("token.add", {"name": "Spy", **user}),
        ("token.list", {}),
        ("audit.list", {}),
        ("account.sending.allow", {"owner": user["address"], "delegate": chief}),
        ("account.sending.list", {}),
        ("sieve.list", user),
        ("contact.list", user),
        ("quarantine.list", {}),
        ("quarantine.list", {"account": user["address"]}),
        ("queue.list", {}),
        ("queue.retry", {}),
        ("domain.add", {"domain": "new.test"}),
        ("domain.set", {"domain": "other.test", "accounts": 0}),
        ("domain.rotate", {"domain": "other.test"}),
        ("block.list", {}),
        ("account.invite.list", {}),
        ("import", {"path": "/", "kind": "maildir", **user}),
        ("reload", {}),
        ("no.such.operation", {}),
    ):
        assert "may not" in refusal(server, chief, operation, **args), operation
    assert server.perform("account.show", address=chief)["role"] == "domain-administrator"


def test_users_act_for_themselves(server: ServerProcess) -> None:
    user, other = made(server), made(server)
    assert [row["address"] for row in acting(server, user, "account.list")] == [user]
    assert acting(server, user, "alias.list") == acting(server, user, "domain.list") == []
    acting(server, user, "account.sending.allow", owner=user, delegate=other)
    own = acting(server, user, "account.sending.list", owner=user)
    assert [(one["owner"], one["delegate"]) for one in own] == [(user, other)]
    assert details(server, user, "rights changed") == [f"{other} may send as {user}, by {user}"]
    assert "may not" in refusal(server, user, "account.sending.allow", owner=other, delegate=user)
    assert "may not" in refusal(server, user, "account.show", address=other)
    assert "may not" in refusal(server, user, "account.show", address="nobody@example.test")
    server.perform("account.disable", address=user)
    assert "disabled" in refusal(server, user, "account.show", address=user)


def test_bounds_of_a_domain(server: ServerProcess, clients: Clients) -> None:
    chief = administers(server, "other.test")
    there = len([r for r in server.perform("account.list") if r["address"].endswith("@other.test")])
    for account in server.perform("account.list"):
        if account["address"].endswith("@other.test"):
            server.perform("account.set", address=account["address"], quota=1)
    bound = {"domain": "other.test", "accounts": there + 1, "quota": there + 100}
    shown = server.perform("domain.set", **bound)
    assert (shown["accounts_most"], shown["quota_most"]) == (there + 1, there + 100)
    try:
        new = {"address": f"c{next(_numbers)}@other.test", "password": PASSWORD}
        assert "need a quota" in refusal(server, chief, "account.add", **new)
        assert "together" in refusal(server, chief, "account.add", quota=101, **new)
        acting(server, chief, "account.add", quota=50, **new)
        more = {"address": f"d{next(_numbers)}@other.test", "password": PASSWORD, "quota": 1}
        assert "accounts" in refusal(server, chief, "account.add", **more)
        address = {"address": new["address"]}
        assert "together" in refusal(server, chief, "account.set", quota=200, **address)
        client = clients.imap(chief)
        assert client.setquota(new["address"], "(STORAGE 1)")[0] == "NO"
        server.perform("account.set", quota=5000, **address)  # the operator is free
        server.perform("domain.set", domain="other.test", accounts=1)
        assert acting(server, chief, "account.set", quota=4000, **address)["quota"] == 4000  # less
        assert "together" in refusal(server, chief, "account.set", quota=4001, **address)
    finally:
        server.perform("domain.set", domain="other.test", accounts=0, quota=0)


def test_quotas_over_imap_are_set_within_domains(server: ServerProcess, clients: Clients) -> None:
    chief, user, stranger = (
        administers(server, "other.test"),
        made(server, "other.test"),
        made(server),
    )
    client = clients.imap(chief)
    assert client.setquota(user, "(STORAGE 64)")[0] == "OK"
    assert b"STORAGE 0 64" in client.getquota(user)[1][0]
    for address in (stranger, chief, "root@example.test"):
        assert client.setquota(address, "(STORAGE 64)")[0] == "NO"
    assert client.getquota(stranger)[0] == "NO"
    client = clients.imap(user)
    assert client.setquota(user, "(STORAGE 1024)")[0] == "NO"


def test_sending_for_another_is_told_to_both(server: ServerProcess, clients: Clients) -> None:
    owner, delegate, reader = made(server), made(server), made(server)
    client = clients.smtp(delegate)
    with pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail(owner, [reader], letter(owner, reader))
    args = {"owner": owner, "delegate": delegate, "by": "operator"}
    server.perform("account.sending.allow", on_behalf=True, **args)
    client.sendmail(owner, [reader], letter(owner, reader))
    server.perform("account.sending.revoke", **args)
    with pytest.raises(smtplib.SMTPSenderRefused):  # at once, on the same connection
        client.sendmail(owner, [reader], letter(owner, reader))
    for address in (owner, delegate):
        assert sorted(details(server, address, "rights changed")) == [
            f"{delegate} may send on behalf of {owner}, by operator",
            f"{delegate} no longer sends as {owner}, by operator",
        ]
    assert details(server, owner, "sent by another") == [f"by {delegate} (on behalf)"]
    server.perform("account.sending.allow", **args)
    client.sendmail(owner, [reader], letter(delegate, reader))  # reports go to the owner
    assert f"by {delegate} (as)" in details(server, owner, "sent by another")
    box = clients.imap(reader)
    box.select()
    fetched = box.fetch("1", "(BODY[HEADER.FIELDS (FROM SENDER)])")[1][0]
    assert isinstance(fetched, tuple)
    assert fetched[1].split() == [
        b"Sender:",
        f"<{delegate}>".encode(),
        b"From:",
        owner.encode(),
    ]


def test_an_app_password_bounds_what_was_delegated(server: ServerProcess, clients: Clients) -> None:
    owner, delegate = made(server), made(server)
    server.perform("account.sending.allow", owner=owner, delegate=delegate)
    made_for = {"address": delegate, "name": "Desk"}
    narrow = server.perform("account.app-password.add", senders=[delegate], **made_for)["secret"]
    wide = server.perform("account.app-password.add", senders=[owner], **made_for)["secret"]
    with pytest.raises(OperationError):
        server.perform("account.app-password.add", senders=["x@elsewhere.test"], **made_for)
    for secret, sender in ((narrow, owner), (wide, delegate)):
        assert clients.smtp(delegate, secret).mail(sender)[0] == 553
    client = clients.smtp(delegate, wide)
    assert client.sendmail(owner, [delegate], letter(owner, delegate)) == {}
    server.perform("account.sending.revoke", owner=owner, delegate=delegate)
    assert client.mail(owner)[0] == 553


@pytest.mark.parametrize("on_behalf", [True, False], ids=["on-behalf", "as"])
def test_swaks_sends_for_another(server: ServerProcess, clients: Clients, on_behalf: bool) -> None:
    need_swaks()
    owner, delegate, reader = made(server), made(server), made(server)
    server.perform("account.sending.allow", owner=owner, delegate=delegate, on_behalf=on_behalf)
    done = subprocess.run(
        [
            *("swaks", "--server", f"127.0.0.1:{server.port('submission')}", "--tls"),
            *("--auth", "PLAIN", "--auth-user", delegate, "--auth-password", PASSWORD),
            *("--from", owner, "--to", reader),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    box = clients.imap(reader)
    box.select()
    fetched = box.fetch("1", "(BODY[HEADER.FIELDS (SENDER)])")[1][0]
    assert isinstance(fetched, tuple)
    wanted = f"Sender: <{delegate}>".encode() if on_behalf else b""
    assert fetched[1].strip() == wanted


@pytest.mark.timeout(300)
def test_the_same_without_a_server(tmp_path: Path) -> None:
    alone = ServerProcess(tmp_path, configuration(domains=("example.test", "other.test")))
    for address in ("ada@example.test", "bob@other.test"):
        alone.add_account(address)
    ada, bob = "ada@example.test", "bob@other.test"
    chosen = ("domain-administrator", "--domain", "other.test")
    alone.command("account", "role", ada, *chosen)
    assert alone.json("account", "show", ada)["administers"] == ["other.test"]
    alone.command("account", "role", ada, "chief", expect=2)
    alone.command("account", "role", ada, "user", "--domain", "other.test", expect=1)
    alone.command("account", "sending", "allow", bob, ada, "--on-behalf")
    (row,) = alone.json("account", "sending", "list", bob)
    assert (row["owner"], row["delegate"], row["on_behalf"]) == (bob, ada, True)
    alone.command("account", "sending", "revoke", bob, ada)
    alone.command("account", "sending", "revoke", bob, ada, expect=1)
    alone.command("alias", "add", "team@other.test", ada, bob, "--send-as")
    alone.command("alias", "set", "team@other.test", "--no-send-as")
    assert alone.json("alias", "list")[0]["send_as"] is False
    alone.command("domain", "set", "other.test", "--quota", "1K")
    asked = ("--as", ada, "account", "add", "cy@other.test", "--password-stdin", "--quota", "2K")
    refused = alone.command(*asked, input_text=f"{PASSWORD}\n", expect=1)
    assert "together" in refused.stderr
    refused = alone.command("--as", ada, "account", "show", ada, "--json")
    assert json.loads(refused.stdout)["role"] == "domain-administrator"
    refused = alone.command("--as", ada, "account", "role", ada, "administrator", expect=1)
    assert "may not do this: give a role" in refused.stderr
    alone.command("--as", ada, "check", expect=2)
    audited = alone.json("audit", "list", ada)
    assert [one["kind"] for one in audited[:3]] == ["rights changed"] * 2 + ["role changed"]


def test_rights_are_asked_of_operations_that_there_are() -> None:
    named = {*OF_ACCOUNT, *OF_QUEUED, *OF_DOMAIN, *OF_SERVER, *LISTED, "account.set"}
    assert named <= {*QUICK, *LONG}
