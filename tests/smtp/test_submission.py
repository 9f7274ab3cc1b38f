"""Submission over real sockets: who must log in, how, as whom, and what is added."""

import asyncio
import smtplib
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from storage.directory_values import ChangeKind
from tests.support.directories import PASSWORD
from tests.support.smtp_receiving import ADA, BEN, Client, client_context, receiving

PLAINTEXT: dict[str, Any] = {"auth": {"bcrypt_rounds": 4, "plaintext_from": ["127.0.0.0/8"]}}


def plain(user: str = ADA, password: str = PASSWORD, authzid: str = "") -> str:
    return b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()


async def logged_in(client: Client, user: str = ADA) -> None:
    await client.greet()
    assert (await client.say(f"AUTH PLAIN {plain(user)}")) == (
        "235 2.7.0 Authentication successful"
    )


async def test_nothing_without_a_login(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        for listener in ("submission", "submissions"):
            client = await running.client(listener)
            await client.greet()
            for sender in (ADA, "", "x@y.test"):
                assert (await client.say(f"MAIL FROM:<{sender}>"))[:9] == "530 5.7.0"
            assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "503"
            assert (await client.say("DATA"))[:3] == "503"


async def test_auth_waits_for_tls(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submission")
        offered = await client.greet()
        assert "AUTH" not in offered and "STARTTLS" in offered
        assert (await client.say(f"AUTH PLAIN {plain()}"))[:10] == "538 5.7.11"
        assert "STARTTLS" in await client.say("MAIL FROM:<ada@example.test>")
        assert (await client.say("STARTTLS"))[:3] == "220"
        await client.starttls()
        assert (await client.say(f"AUTH PLAIN {plain()}"))[:3] == "503"
        offered = await client.say("EHLO again")
        assert " PLAIN LOGIN " in offered and "STARTTLS" not in offered
        assert (await client.say(f"AUTH PLAIN {plain()}"))[:3] == "235"
        assert (await client.say("STARTTLS"))[:3] == "503"


async def test_plaintext_from_allows_auth_without_tls(tmp_path: Path) -> None:
    async with receiving(tmp_path, **PLAINTEXT) as running:
        client = await running.client("submission")
        assert " PLAIN LOGIN " in await client.greet()
        assert (await client.say(f"AUTH PLAIN {plain()}"))[:3] == "235"


async def test_login_challenges_are_exact(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        for first in (["AUTH LOGIN", b64encode(ADA.encode()).decode()],
                      [f"AUTH LOGIN {b64encode(ADA.encode()).decode()}"]):  # fmt: skip
            client = await running.client("submissions")
            await client.greet()
            answers = [await client.say(line) for line in first]
            assert answers == ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"][-len(first) :]
            assert (await client.say(b64encode(PASSWORD.encode())))[:3] == "235"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("AUTH", "501 5.5.4"),
        ("AUTH PLAIN a b", "501 5.5.4"),
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH PLAIN !!!", "501 5.5.2"),
        ("AUTH PLAIN " + plain(authzid=BEN), "535 5.7.8"),
        ("AUTH PLAIN " + plain(password="wrong"), "535 5.7.8"),
        ("AUTH PLAIN " + plain(user="nobody@example.test"), "535 5.7.8"),
        ("AUTH PLAIN " + plain(user="gone@example.test"), "535 5.7.8"),
        ("AUTH PLAIN " + "A" * 12_300, "500 5.5.6"),
        ("AUTH PLAIN " + "A" * 20_000, "500 5.5.6"),
    ],
)
async def test_refused_logins(tmp_path: Path, line: str, answer: str) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await client.greet()
        assert (await client.say(line)).startswith(answer)
        assert (await client.say(f"MAIL FROM:<{ADA}>"))[:3] == "530"


async def test_a_cancelled_exchange(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await client.greet()
        assert (await client.say("AUTH PLAIN")) == "334 "
        assert (await client.say("*"))[:9] == "501 5.7.0"
        assert (await client.say("AUTH plain")) == "334 "
        assert (await client.say(plain()))[:3] == "235"
        assert (await client.say("AUTH PLAIN"))[:3] == "503"


async def test_a_long_initial_response_is_taken(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await client.greet()
        answer = await client.say(f"AUTH PLAIN {plain(password='p' * 9000)}")
        assert answer.startswith("535 5.7.8")


async def test_guessing_ends_the_connection(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await client.greet()
        for _ in range(5):
            assert (await client.say(f"AUTH PLAIN {plain(password='no')}"))[:3] in ("535", "454")
        assert (await client.reply())[:9] == "421 4.7.0"
        assert await client.closed()


async def test_senders_are_their_own(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await logged_in(client)
        for sender in (BEN, "x@elsewhere.test", "nobody@example.test"):
            assert (await client.say(f"MAIL FROM:<{sender}>"))[:9] == "553 5.7.1"
        for sender in (ADA, "ada+shop@example.test", "both@example.test", ""):
            assert (await client.say(f"MAIL FROM:<{sender}>"))[:3] == "250"
            await client.say("RSET")


async def test_mail_goes_anywhere(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await logged_in(client)
        await client.say(f"MAIL FROM:<{ADA}>")
        for recipient in ("x@elsewhere.test", BEN):
            assert (await client.say(f"RCPT TO:<{recipient}>"))[:3] == "250"
        assert (await client.say("RCPT TO:<nobody@example.test>"))[:3] == "550"
        await client.say("DATA")
        assert (await client.say("Subject: x\r\n\r\nhello\r\n."))[:3] == "250"
        delivery = running.store.delivered[0]
        assert [one.address for one in delivery.queued] == ["x@elsewhere.test"]
        assert [one.address for one in delivery.local] == [BEN]
        ada = await running.directory.account(ADA)
        assert ada is not None and delivery.account == ada.id
        assert b"with ESMTPSA id" in running.body and b"(using TLSv1.3 " in running.body
        assert b"\r\nDate: " in running.body and b"\r\nMessage-ID: <" in running.body


async def test_what_is_there_is_not_added(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submissions")
        await logged_in(client)
        await client.say(f"MAIL FROM:<{ADA}>")
        await client.say(f"RCPT TO:<{BEN}>")
        await client.say("DATA")
        await client.say("date: Mon, 2 Jan 2006 15:04:05 +0000\r\nMessage-Id: <1@x>\r\n\r\n.")
        assert running.body.lower().count(b"\r\ndate:") == 1
        assert running.body.lower().count(b"\r\nmessage-id:") == 1


@pytest.mark.parametrize("kind", [ChangeKind.DISABLED, ChangeKind.PASSWORD, ChangeKind.DELETED])
async def test_a_revoked_account_loses_its_connection(tmp_path: Path, kind: ChangeKind) -> None:
    async with receiving(tmp_path) as running:
        client, other = await running.client("submissions"), await running.client("submissions")
        await logged_in(client, BEN)
        await logged_in(other, ADA)
        if kind is ChangeKind.DISABLED:
            await running.directory.set_enabled(BEN, False)
        elif kind is ChangeKind.PASSWORD:
            await running.directory.set_password(BEN, "x")
        else:
            await running.directory.delete_account(BEN)
        assert (await client.reply())[:9] == "421 4.7.0"
        assert await client.closed()
        assert (await other.say("NOOP"))[:3] == "250"


@pytest.mark.parametrize("implicit", [True, False])
async def test_smtplib_submits(tmp_path: Path, implicit: bool) -> None:
    async with receiving(tmp_path) as running:
        at = running.at("submissions" if implicit else "submission")
        context: ssl.SSLContext = client_context()

        def send() -> Any:
            kind: Any = smtplib.SMTP_SSL if implicit else smtplib.SMTP
            options = {"context": context} if implicit else {}
            with kind(at.host, at.port, timeout=20, **options) as smtp:
                if not implicit:
                    smtp.starttls(context=context)
                smtp.login(ADA, PASSWORD)
                return smtp.sendmail(ADA, ["x@elsewhere.test"], "Subject: x\r\n\r\nhi\r\n")

        assert await asyncio.to_thread(send) == {}
        assert len(running.store.delivered) == 1
