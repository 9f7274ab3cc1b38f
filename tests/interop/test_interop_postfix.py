"""A real Postfix as the outside world: mail there, bounces from there, mail from there.

Postfix's log is read at the end: no complaint about the server may stand in it.
"""

import re
import smtplib
from email.message import Message

from tests.interop.databases import both_databases
from tests.interop.outside import Outside
from tests.interop.site import HOST, Account, Site, parse, simple, subject
from tests.support.programs import need_swaks, run
from tests.support.server import until

pytestmark = both_databases
FRIEND, OTHER = "friend@world.test", "other@world.test"
TEN = "ten@world.test"


def submit(site: Site, account: Account, *recipients: str, title: str) -> None:
    """By swaks over submission with STARTTLS, as a user would."""
    need_swaks()
    login = ("--auth", "PLAIN", "--auth-user", account.address, "--auth-password", account.password)
    envelope = ("--from", account.address, "--to", ",".join(recipients))
    where = ("--server", HOST, "--port", str(site.port("submission")), "--tls")
    run("swaks", *where, *login, *envelope, "--header", f"Subject: {title}", "--body", "Hello.")


def recipient_fields(report: bytes) -> Message:
    """The fields of the one recipient that a report (RFC 3464 §2.3) tells of."""
    parts = parse(report).walk()
    status = next(part for part in parts if part.get_content_type() == "message/delivery-status")
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    _, recipient = blocks
    assert isinstance(recipient, Message)
    return recipient


def hand_in(outside: Outside, sender: str, recipients: list[str], message: bytes) -> None:
    """Gives a message to Postfix, which sends it on."""
    options = ["BODY=8BITMIME", *([] if sender.isascii() else ["SMTPUTF8"])]
    with smtplib.SMTP("127.0.0.1", outside.port, timeout=20) as client:
        client.sendmail(sender, recipients, message, options)


def test_submitted_mail_arrives_outside(site: Site, account: Account, outside: Outside) -> None:
    submit(site, account, FRIEND, title="to the world")
    found = outside.wait_for("friend", b"Subject: to the world")
    assert found.startswith(f"Return-Path: <{account.address}>\r\n".encode())
    assert b"using TLSv1.3" in found
    assert b"from mx.example.test" in found
    outside.wait_for_log(r"disconnect from .* mail=1 rcpt=1 bdat=1 quit=1 ")
    until(lambda: site.server.json("queue", "list") == [])


def test_8bit_and_dots_arrive_outside(site: Site, account: Account, outside: Outside) -> None:
    body = "Grüße, 8 bit\r\n.\r\n..\r\nend\r\n"
    message = simple("eight bits go out", body, sender=account.address)
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.login(account.address, account.password)
        client.sendmail(account.address, [FRIEND, OTHER], message, ["BODY=8BITMIME"])
    for person in ("friend", "other"):
        assert outside.wait_for(person, b"eight bits go out").endswith(body.encode())


def test_smtputf8_goes_out(site: Site, account: Account, outside: Outside) -> None:
    message = simple("Grüße hinaus", sender=account.address)
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.login(account.address, account.password)
        options = ["BODY=8BITMIME", "SMTPUTF8"]
        client.sendmail(account.address, [FRIEND], message, options)
    found = outside.wait_for("friend", "Subject: Grüße hinaus".encode())
    assert b"with UTF8SMTPS" in found


def test_a_report_of_success_comes_back(site: Site, account: Account, outside: Outside) -> None:
    """NOTIFY, ORCPT, RET and ENVID reach Postfix, which reports by them."""
    message = simple("tell me", sender=account.address)
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.login(account.address, account.password)
        wishes = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first+2Bname@world.test"]
        envelope = ["RET=HDRS", "ENVID=QQ314159"]
        client.sendmail(account.address, [FRIEND], message, envelope, wishes)
    outside.wait_for("friend", b"Subject: tell me")
    report = site.wait_for(account, b"report-type=delivery-status")
    recipient = recipient_fields(report)
    assert recipient["Action"] == "delivered"
    assert recipient["Final-Recipient"] == f"rfc822; {FRIEND}"
    assert recipient["Original-Recipient"].replace(" ", "") == "rfc822;first+name@world.test"
    assert b"Original-Envelope-Id: QQ314159" in report
    assert b"Reporting-MTA: dns; mail.world.test" in report


def test_a_report_of_success_goes_there(site: Site, account: Account, outside: Outside) -> None:
    """Postfix passes on what its user wants to know, and hears it from here."""
    message = simple("tell me too", sender=OTHER)
    with smtplib.SMTP("127.0.0.1", outside.port, timeout=20) as client:
        envelope = ["RET=HDRS", "ENVID=QQ271828"]
        client.sendmail(OTHER, [account.address], message, envelope, ["NOTIFY=SUCCESS"])
    site.wait_for(account, b"Subject: tell me too")
    report = outside.wait_for("other", b"QQ271828")
    recipient = recipient_fields(report)
    assert recipient["Action"] == "delivered"
    assert recipient["Final-Recipient"].replace(" ", "") == f"rfc822;{account.address}"
    assert b"Reporting-MTA: dns; mx.example.test" in report


def test_refused_address_bounces(site: Site, account: Account, outside: Outside) -> None:
    submit(site, account, "refused@world.test", FRIEND, title="half refused")
    outside.wait_for("friend", b"Subject: half refused")
    bounce = site.wait_for(account, b"multipart/report")
    assert b"Return-Path: <>" in bounce
    parsed = parse(bounce)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert parsed["To"] == account.address
    assert parsed["Auto-Submitted"].startswith("auto-replied")
    recipient = recipient_fields(bounce)
    assert recipient["Final-Recipient"] == "rfc822; refused@world.test"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.7.1"
    assert "not wanted here" in recipient["Diagnostic-Code"]
    assert "mail.world.test" in recipient["Remote-MTA"]
    assert b"Subject: half refused" in bounce.partition(b"delivery-status")[2]
    assert len(site.messages(account)) == 1


def test_deferred_mail_waits(site: Site, account: Account, outside: Outside) -> None:
    submit(site, account, "later@world.test", title="deferred")

    def deferred() -> dict[str, object] | None:
        rows = site.server.json("queue", "list")
        return next((row for row in rows if row["state"] == "deferred"), None)

    row = until(deferred)
    assert row["sender"] == account.address
    (recipient,) = row["recipients"]
    assert recipient["address"] == "later@world.test"
    assert recipient["attempts"] == 1
    assert "450 4.2.0" in recipient["last_reply"]
    site.server.command("queue", "bounce", row["id"])
    bounce = site.wait_for(account, b"later@world.test")
    assert b"Subject: deferred" in bounce
    assert site.server.json("queue", "list") == []


def test_unknown_domain_bounces(site: Site, account: Account, outside: Outside) -> None:
    submit(site, account, "a@nowhere.test", title="no such domain")
    bounce = site.wait_for(account, b"a@nowhere.test")
    recipient = recipient_fields(bounce)
    assert recipient["Status"] == "5.1.2"


def test_mail_comes_in_over_tls(site: Site, account: Account, outside: Outside) -> None:
    hand_in(outside, FRIEND, [account.address], simple("from Postfix", sender=FRIEND))
    found = site.wait_for(account, b"Subject: from Postfix")
    assert b"Return-Path: <friend@world.test>" in found
    assert re.search(rb"Received: from mail\.world\.test .*\r\n(\s.*\r\n)*?\s.*with ESMTPS", found)
    outside.wait_for_log(r"TLS connection established to 127\.0\.0\.1.*TLSv1\.3")


def test_8bit_comes_in_as_it_is(site: Site, account: Account, outside: Outside) -> None:
    body = "Grüße\r\n.\r\n..\r\n\r\nend  \r\n"
    hand_in(outside, FRIEND, [account.address], simple("eight in", body, sender=FRIEND))
    assert site.wait_for(account, b"Subject: eight in").endswith(body.encode())
    assert any(line.endswith("BODY=8BITMIME") for line in outside.spoken())


def test_smtputf8_comes_in(site: Site, account: Account, outside: Outside) -> None:
    message = simple("Grüße", sender="émile@world.test")
    hand_in(outside, "émile@world.test", [account.address], message)
    found = site.wait_for(account, "Subject: Grüße".encode())
    assert "Return-Path: <émile@world.test>".encode() in found
    assert b"with UTF8SMTPS" in found


def test_pipelined_recipients(site: Site, outside: Outside) -> None:
    people = [site.add_account() for _ in range(10)]
    addresses = [person.address for person in people]
    hand_in(outside, TEN, addresses, simple("to ten people", sender=TEN))
    for person in people:
        assert subject(site.wait_for(person, b"to ten people")) == "to ten people"
    spoken = outside.spoken()
    start = next(n for n, line in enumerate(spoken) if line.startswith("C: MAIL FROM:<ten@"))
    sent = spoken[start : start + 12]
    assert all(line.startswith("C: ") for line in sent), spoken[start : start + 25]
    assert sent[-1] == "C: DATA"


def test_a_big_message_both_ways(site: Site, account: Account, outside: Outside) -> None:
    body = ("0123456789" * 7 + "\r\n") * (10 * 1024**2 // 72)
    hand_in(outside, FRIEND, [account.address], simple("big comes in", body, sender=FRIEND))
    assert site.wait_for(account, b"Subject: big comes in").endswith(body.encode())
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.login(account.address, account.password)
        more = body * 4  # more chunks than replies may wait to be read
        message = simple("big goes out", more, sender=account.address)
        client.sendmail(account.address, [FRIEND], message)
    assert outside.wait_for("friend", b"Subject: big goes out").endswith(more.encode())


def test_unknown_account_comes_back_to_the_sender(site: Site, outside: Outside) -> None:
    hand_in(outside, OTHER, ["nobody-here@example.test"], simple("in vain", sender=OTHER))
    bounce = outside.wait_for("other", b"nobody-here@example.test")
    recipient = recipient_fields(bounce)
    assert recipient["Status"] == "5.1.1"
    assert "550 5.1.1" in recipient["Diagnostic-Code"]
