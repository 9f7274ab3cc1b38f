"""Python's smtplib: submission over STARTTLS and TLS, SMTPUTF8, 8-bit bodies, the MX listener."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, parse, simple

pytestmark = both_databases


@contextmanager
def submission(site: Site, account: Account) -> Iterator[smtplib.SMTP]:
    """Logged in over STARTTLS."""
    with smtplib.SMTP(HOST, site.port("submission"), timeout=20) as client:
        client.starttls(context=site.tls())
        client.login(account.address, account.password)
        yield client


def test_submission_with_starttls(site: Site, account: Account) -> None:
    friend = site.add_account()
    message = simple("submitted", sender=account.address)
    with submission(site, account) as client:
        assert client.sendmail(account.address, [friend.address], message) == {}
    found = site.wait_for(friend, b"Subject: submitted")
    assert found.endswith(message)
    assert f"Return-Path: <{account.address}>".encode() in found
    assert b"with ESMTPSA" in found


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_each_mechanism(site: Site, account: Account, mechanism: str) -> None:
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.ehlo()
        assert {"PLAIN", "LOGIN", "SCRAM-SHA-256"} <= set(client.esmtp_features["auth"].split())
        client.user, client.password = account.address, account.password
        code, _ = client.auth(mechanism.upper(), getattr(client, f"auth_{mechanism}"))
        assert code == 235


def test_wrong_password_and_no_password(site: Site, account: Account) -> None:
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(account.address, [account.address], simple("x"))
        assert refused.value.smtp_code == 530
        with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
            client.login(account.address, "wrong")
        assert wrong.value.smtp_code == 535


def test_only_the_own_address_sends(site: Site, account: Account) -> None:
    other = site.add_account()
    with submission(site, account) as client, pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail(other.address, [account.address], simple("forged"))


def test_8bit_body(site: Site, account: Account) -> None:
    message = simple("eight", "Grüße, 8 bit: äöü\r\n.\r\n..\r\n", sender=account.address)
    with submission(site, account) as client:
        assert client.has_extn("8bitmime")
        client.sendmail(account.address, [account.address], message, ["BODY=8BITMIME"])
    assert site.wait_for(account, b"Subject: eight").endswith(message)


def test_smtputf8_message(site: Site, account: Account) -> None:
    message = EmailMessage()
    message["From"] = account.address
    message["To"] = "Émile <émile@world.test>"
    message["Subject"] = "Grüße"
    message.set_content("Hello\n")
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=20) as client:
        client.ehlo()
        assert client.has_extn("smtputf8")
        client.send_message(message, "émile@world.test", [account.address])
    found = site.wait_for(account, "Grüße".encode())
    assert "Return-Path: <émile@world.test>".encode() in found
    assert b"with UTF8SMTP" in found
    assert parse(found)["to"] == "Émile <émile@world.test>"


def test_mx_takes_mail_for_accounts_and_relays_nothing(site: Site, account: Account) -> None:
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=20) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        refused = client.sendmail(
            "a@world.test",
            [account.address, "stranger@world.test", "nobody-here@example.test"],
            simple("from outside"),
        )
    assert {address: reply[0] for address, reply in refused.items()} == {
        "stranger@world.test": 550,
        "nobody-here@example.test": 550,
    }
    site.wait_for(account, b"Subject: from outside")


def test_many_recipients_one_session(site: Site) -> None:
    people = [site.add_account() for _ in range(5)]
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=20) as client:
        client.starttls(context=site.tls())
        for title in ("one", "two"):
            client.sendmail("a@world.test", [p.address for p in people], simple(f"{title} of two"))
    for person in people:
        assert len(site.messages(person)) == 2


def test_announced_size_is_enforced(site: Site, account: Account) -> None:
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=20) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == str(50 * 1024**2)
        code, _ = client.mail("a@world.test", ["SIZE=60000000"])
        assert code == 552
        assert client.verify(account.address)[0] == 252
