"""swaks on submission (STARTTLS), submissions (TLS) and the MX listener."""

import re

import pytest

from tests.interop.site import HOST, Account, Site
from tests.support.programs import need_swaks, run

LISTENERS = {"submission": "--tls", "submissions": "--tls-on-connect"}
AUTH_FAILED, RECIPIENT_FAILED, SENDER_FAILED = 28, 24, 23


def swaks(site: Site, listener: str, *options: str, expect: int = 0) -> str:
    """The transcript; swaks must understand every reply."""
    need_swaks()
    options += (
        ("--tls-verify", "--tls-ca-path", str(site.ca_file)) if "--tls" in str(options) else ()
    )
    where = ("--server", HOST, "--port", str(site.port(listener)), "--timeout", "20")
    said = run("swaks", *where, *options, expect=expect).stdout.decode()
    refusals = re.findall(r"^<\*\* .*|^\*\*\* .*", said, re.MULTILINE)
    assert expect or not refusals, said
    return said


def login(account: Account, mechanism: str, password: str | None = None) -> tuple[str, ...]:
    secret = account.password if password is None else password
    who = ("--auth", mechanism, "--auth-user", account.address, "--auth-password", secret)
    return (*who, "--from", account.address)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("listener", LISTENERS)
def test_submits(site: Site, account: Account, listener: str, mechanism: str) -> None:
    friend = site.add_account()
    title = f"{listener} {mechanism}"
    to = ("--to", friend.address, "--header", f"Subject: {title}", "--body", "line\n.\n..two")
    said = swaks(site, listener, LISTENERS[listener], *login(account, mechanism), *to)
    assert "=== TLS started with cipher" in said
    assert "235 2.7.0" in said
    found = site.wait_for(friend, f"Subject: {title}".encode())
    assert b"line\r\n.\r\n..two\r\n" in found
    assert b"with ESMTPSA" in found


@pytest.mark.parametrize("listener", LISTENERS)
def test_wrong_password(site: Site, account: Account, listener: str) -> None:
    to = ("--to", account.address)
    wrong = login(account, "PLAIN", "wrong")
    said = swaks(site, listener, LISTENERS[listener], *wrong, *to, expect=AUTH_FAILED)
    assert "535 5.7.8" in said


def test_pipelined(site: Site, account: Account) -> None:
    friend, other = site.add_account(), site.add_account()
    to = ("--to", f"{friend.address},{other.address}", "--header", "Subject: pipelined")
    swaks(site, "submission", "--tls", "--pipeline", *login(account, "PLAIN"), *to)
    for person in (friend, other):
        site.wait_for(person, b"Subject: pipelined")


def test_attachment(site: Site, account: Account) -> None:
    to = ("--to", account.address, "--header", "Subject: attached", "--attach", "@/etc/hostname")
    swaks(site, "submissions", "--tls-on-connect", *login(account, "LOGIN"), *to)
    assert b"multipart/mixed" in site.wait_for(account, b"Subject: attached")


def test_mx_without_login(site: Site, account: Account) -> None:
    envelope = ("--from", "a@world.test", "--to", account.address)
    swaks(site, "smtp", "--tls", *envelope, "--header", "Subject: by MX")
    assert b"with ESMTPS " in site.wait_for(account, b"Subject: by MX")


def test_no_relay(site: Site, account: Account) -> None:
    envelope = ("--from", account.address, "--to", "friend@world.test")
    assert "550 5.7.1" in swaks(site, "smtp", *envelope, expect=RECIPIENT_FAILED)


def test_submission_needs_a_login(site: Site, account: Account) -> None:
    envelope = ("--from", account.address, "--to", "friend@world.test")
    said = swaks(site, "submission", "--tls", *envelope, expect=SENDER_FAILED)
    assert "530 5.7.0" in said
