"""The MX over real sockets: order, recipients, no relaying, pipelining, quota, failures."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from filters.context import Context
from filters.filter import Filter
from filters.verdict import Verdict, defer, reject
from storage.errors import StoreFull, StoreUnavailable
from storage.values import Usage
from tests.support.smtp_receiving import ADA, BEN, OUTSIDE, receiving, without_id

FOREIGN = [
    "user@elsewhere.test",
    "user%elsewhere.test@example.test",
    "elsewhere.test!user@example.test",
    '"user@elsewhere.test"@example.test',
    "@example.test:user@elsewhere.test",
    "user@elsewhere.test@example.test",
    "user@sub.example.test",
    "user@example.test.elsewhere.test",
    "user@[192.0.2.1]",
    "user@localhost",
    "user@127.0.0.1",
    '"user@elsewhere.test"',
    "user@EXAMPLE.test.",
]
SENDERS = ["", OUTSIDE, ADA, "postmaster@example.test", "root@localhost.test"]


async def test_a_message_arrives(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin(OUTSIDE, ADA)
        answer = await client.say("Subject: x\r\n\r\nhello\r\n.")
        delivery = running.store.delivered[0]
        assert answer == f"250 2.0.0 Ok, id {delivery.trace}"
        assert delivery.sender == OUTSIDE and delivery.queued == ()
        assert [one.address for one in delivery.local] == [ADA]
        lines = running.body.split(b"\r\n")
        assert lines[0] == b"Return-Path: <friend@elsewhere.test>"
        assert lines[1] == b"Received: from client.test ([127.0.0.1])"
        assert lines[2] == b"\tby mx.example.test with ESMTP id " + delivery.trace.encode()
        assert lines[3] == b"\tfor <ada@example.test>;"
        assert (await client.say("QUIT"))[:3] == "221"
        assert await client.closed()


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
async def test_no_open_relay(tmp_path: Path, sender: str, listener: str) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client(listener)
        await client.greet("LHLO" if listener == "lmtp" else "EHLO")
        assert (await client.say(f"MAIL FROM:<{sender}>"))[:3] == "250"
        for recipient in FOREIGN:
            answer = await client.say(f"RCPT TO:<{recipient}>")
            assert answer[:3] in ("550", "501"), recipient
        assert (await client.say("DATA"))[:3] == "503"


async def test_no_relay_for_a_naked_address(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        assert (
            without_id(await client.say("RCPT TO:user@elsewhere.test"))
            == "550 5.7.1 Relaying denied"
        )


@pytest.mark.parametrize(
    ("recipient", "answer"),
    [
        ("nobody@example.test", "550 5.1.1"),
        ("gone@example.test", "550 5.2.1"),
        ("x@elsewhere.test", "550 5.7.1"),
        ("ADA@Example.Test", "250 2.1.5"),
        ("ada+lists@example.test", "250 2.1.5"),
        ("postmaster", "250 2.1.5"),
        ("PostMaster@example.test", "250 2.1.5"),
        ("postmaster@[127.0.0.1]", "250 2.1.5"),
        ("both@example.test", "250 2.1.5"),
        ("away@example.test", "250 2.1.5"),
        ("ada@", "501 5.1.3"),
        ("zoë@example.test", "553 5.6.7"),
    ],
)
async def test_recipients(tmp_path: Path, recipient: str, answer: str) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<>")
        assert (await client.say(f"RCPT TO:<{recipient}>")).startswith(answer)


async def test_one_copy_for_an_account_named_often(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin(
            OUTSIDE, ADA, "both@example.test", "ada+x@example.test", "away@example.test"
        )
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
        delivery = running.store.delivered[0]
        assert len(delivery.local) == 2
        assert [one.address for one in delivery.queued] == ["friend@far.test"]
        assert delivery.queued[0].orcpt == "rfc822;away@example.test"
        assert b"Return-Path" not in delivery.content.prefix
        assert running.body.startswith(b"Return-Path: <friend@elsewhere.test>\r\n")


async def test_order_of_commands(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.reply()
        for line, code in [
            ("MAIL FROM:<a@b.test>", "503"),
            ("RCPT TO:<ada@example.test>", "503"),
            ("DATA", "503"),
            ("EHLO", "501"),
            ("LHLO x", "500"),
            ("HELO x", "250"),
            ("RCPT TO:<ada@example.test>", "503"),
            ("MAIL FROM:<a@b.test>", "250"),
            ("MAIL FROM:<a@b.test>", "503"),
            ("DATA", "503"),
            ("RCPT TO:<ada@example.test>", "250"),
            ("DATA now", "501"),
            ("NOOP whatever", "250"),
            ("VRFY ada", "252"),
            ("EXPN all", "502"),
            ("HELP", "214"),
            ("AUTH PLAIN", "502"),
            ("FROB", "500"),
            ("RSET now", "501"),
            ("RSET", "250"),
            ("DATA", "503"),
        ]:
            assert (await client.say(line))[:3] == code, line


async def test_auth_is_not_offered_on_the_mx(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        offered = await client.greet()
        assert "AUTH" not in offered
        for word in (
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            "DSN",
        ):
            assert f"250-{word}" in offered
        assert (await client.say("AUTH PLAIN AGEAYgBj"))[:9] == "502 5.5.1"


async def test_pipelining_is_answered_in_one_write(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        client.write(
            b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ada@example.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n"
        )
        data = await client.reader.read(4096)
        assert [line[:3] for line in data.split(b"\r\n")] == [b"250", b"250", b"550", b"354", b""]
        client.write(b"Subject: 1\r\n\r\n.\r\nMAIL FROM:<a@b.test>\r\nQUIT\r\n")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "221"]


async def test_what_came_before_the_end_of_file_is_answered(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        client.write(b"HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ada@example.test>\r\nDATA\r\n")
        client.write(b"Subject: eof\r\n\r\n.\r\n")
        client.writer.write_eof()
        answers = (await client.reader.read()).split(b"\r\n")
        assert [line[:3] for line in answers] == [
            b"220",
            b"250",
            b"250",
            b"250",
            b"354",
            b"250",
            b"",
        ]
        assert len(running.store.delivered) == 1


async def test_bad_lines(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        client.write(b"NOOP\nNO\0OP\r\n\r\n\xff\xfe\r\n" + b"x" * 5000 + b"\r\nNOOP\r\n")
        answers = [(await client.reply())[:9] for _ in range(6)]
        bad = "500 5.5.2"
        assert answers == [bad, bad, bad, bad, "500 5.5.6", "250 2.0.0"]


async def test_endless_line_ends_the_connection(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()

        async def flood() -> None:
            while True:
                client.write(b"y" * 500_000)
                await client.writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(), 20)


async def test_too_many_errors_end_the_connection(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        client.write(b"FROB\r\n" * 100)
        answers = (await client.reader.read()).split(b"\r\n")
        assert answers[-2] == b"421 4.7.0 Too many errors, closing connection"
        assert len(answers) == 33


async def test_hundred_thousand_recipients(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"recipients": 1000}) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        commands = b"".join(b"RCPT TO:<ada+%d@example.test>\r\n" % n for n in range(1000))
        taken = refused = 0
        for _ in range(100):
            client.write(commands)
            answers = b""
            while answers.count(b"\n") < 1000:
                answers += await client.reader.read(65536)
            taken += answers.count(b"250 2.1.5")
            refused += answers.count(b"452 4.5.3")
        assert (taken, refused) == (1000, 99_000)
        assert (await client.say("DATA"))[:3] == "354"
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"


async def test_quota(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        ada = await running.directory.account(ADA)
        ben = await running.directory.account(BEN)
        assert ada is not None and ben is not None
        running.store.usages[ada.id] = Usage(900, 1, limit_bytes=1000)
        running.store.usages[ben.id] = Usage(0, 3, limit_messages=3)
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test> SIZE=200")
        assert without_id(await client.say(f"RCPT TO:<{ADA}>")) == "452 4.2.2 Mailbox full"
        assert without_id(await client.say(f"RCPT TO:<{BEN}>")) == "452 4.2.2 Mailbox full"
        assert (
            without_id(await client.say("RCPT TO:<both@example.test>")) == "452 4.2.2 Mailbox full"
        )
        running.store.usages[ben.id] = Usage(0, 2, limit_messages=3)
        assert (await client.say("RCPT TO:<both@example.test>"))[:3] == "250"
        assert without_id(await client.say(f"RCPT TO:<{BEN}>")) == "452 4.2.2 Mailbox full"
        await client.say("RSET")
        await client.say("MAIL FROM:<a@b.test> SIZE=60")
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "250"
        other = await running.client()
        await other.greet()
        await other.say("MAIL FROM:<a@b.test> SIZE=60")
        assert without_id(await other.say(f"RCPT TO:<{ADA}>")) == "452 4.2.2 Mailbox full"
        await client.say("RSET")
        assert (await other.say(f"RCPT TO:<{ADA}>"))[:3] == "250"


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (StoreFull("disk full"), "452 4.3.1"),
        (StoreUnavailable("read-only"), "451 4.3.0"),
        (OSError("boom"), "451 4.3.0"),
        (RuntimeError("a bug"), "451 4.3.0"),
    ],
)
async def test_store_failures(tmp_path: Path, failure: Exception, answer: str) -> None:
    async with receiving(tmp_path) as running:
        running.store.failure = failure
        client = await running.client()
        await client.begin()
        client.write(b"Subject: x\r\n\r\n" + (b"m" * 76 + b"\r\n") * 20_000 + b".\r\n")
        assert (await client.reply()).startswith(answer)
        assert list(running.store.spool_dir.iterdir()) == []
        running.store.failure = None
        await client.say("RSET")
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say("DATA")
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"


async def test_no_room_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filters.delivery.ADMISSION_SECONDS", 0.1)
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        running.store.room = False
        assert (await client.say("Subject: x\r\n\r\n.")).startswith("452 4.3.1")
        assert (await client.say("MAIL FROM:<a@b.test>")).startswith("452 4.3.1")
        running.store.room = True
        assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "250"


async def test_answer_comes_after_the_commit(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        running.store.gate = asyncio.Event()
        client = await running.client()
        await client.begin()
        client.write(b"Subject: x\r\n\r\n.\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readline(), 0.1)
        running.store.gate.set()
        assert (await client.reply())[:3] == "250"


@pytest.mark.parametrize("count", [50, 51])
async def test_loops_end(tmp_path: Path, count: int) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        hops = b"Received: from a by b with ESMTP id 1; now\r\n" * count
        answer = await client.say(hops + b"Subject: x\r\n\r\n.")
        assert answer.startswith("250" if count == 50 else "554 5.4.6")


async def test_a_forwarding_circle_is_broken(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin(OUTSIDE, "away@example.test")
        assert (await client.say("Subject: x\r\n\r\nhello\r\n."))[:3] == "250"
        again = running.body
        await client.say("MAIL FROM:<a@b.test>")
        await client.say("RCPT TO:<away@example.test>")
        await client.say("DATA")
        assert (await client.say(again + b".")).startswith("554 5.4.6")
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say("DATA")
        assert (await client.say(again + b"."))[:3] == "250"


async def test_smtputf8(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        assert (await client.say("MAIL FROM:<zoë@b.test> SMTPUTF8 BODY=8BITMIME"))[:3] == "250"
        assert (await client.say("RCPT TO:<zoë@example.test>"))[:9] == "550 5.1.1"
        assert (await client.say("RCPT TO:<away@example.test>"))[:3] == "250"
        await client.say("DATA")
        assert (await client.say("Subject: ë\r\n\r\n."))[:3] == "250"
        delivery = running.store.delivered[0]
        assert delivery.smtputf8 and delivery.eightbit
        assert delivery.sender.endswith("=b.test=zoë@example.test")  # forwarded
        assert b"with UTF8SMTP id" in running.body


async def test_dsn_wishes_reach_the_queue(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test> RET=HDRS ENVID=QQ+2B1")
        await client.say("RCPT TO:<away@example.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@y.test")
        await client.say("DATA")
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
        delivery = running.store.delivered[0]
        assert (delivery.ret, delivery.envid) == ("HDRS", "QQ+1")
        queued = delivery.queued[0]
        assert (queued.notify, queued.orcpt) == ("FAILURE,DELAY", "rfc822;x@y.test")


async def test_success_is_reported_when_asked_for(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<ben@example.test> ENVID=42")
        await client.say(f"RCPT TO:<{ADA}> NOTIFY=SUCCESS")
        await client.say("RCPT TO:<ada+quiet@example.test>")
        await client.say("DATA")
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
        _, report = running.store.delivered
        assert report.sender == "" and [one.address for one in report.local] == [BEN]
        text = running.store.bodies[1]
        assert b"Action: delivered" in text and b"Original-Envelope-Id: 42" in text
        assert text.count(b"Final-Recipient:") == 1


class Opinion(Filter):
    """Says what a test wants at one stage."""

    name = "opinion"

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    async def data(self, context: Context) -> Verdict:
        return self._verdict


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (reject("no thanks"), "550 5.7.1 no thanks"),
        (defer("later"), "450 4.7.1 later"),
        (reject("a\r\n250 ok"), "550 5.7.1 a  250 ok"),
    ],
)
async def test_filters_refuse_content(tmp_path: Path, verdict: Verdict, answer: str) -> None:
    async with receiving(tmp_path, own_filters=[Opinion(verdict)]) as running:
        client = await running.client()
        await client.begin()
        assert without_id(await client.say("Subject: x\r\n\r\n.")) == answer
        assert running.store.delivered == []


async def test_smtplib_sends(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        at = running.at()

        def send() -> dict[str, tuple[int, bytes]]:
            with smtplib.SMTP(at.host, at.port, timeout=20) as smtp:
                return smtp.sendmail(
                    OUTSIDE, [ADA, "no@example.test"], "Subject: x\r\n\r\n.dot\r\n"
                )

        refused = await asyncio.to_thread(send)
        (code, text) = refused.pop("no@example.test")
        assert (code, text[:25], refused) == (550, b"5.1.1 No such user here (", {})
        assert running.body.endswith(b"\r\n\r\n.dot\r\n")
