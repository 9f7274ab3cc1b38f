"""The spam filter over sockets: scores, what is done about them, what the message tells."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from filters.spam.rules.text import GTUBE
from storage.seen import Kind as Seen
from tests.support.directories import PASSWORD
from tests.support.dns_server import DnsServer, dns_server
from tests.support.smtp_receiving import ADA, BEN, Client, Receiving, receiving, without_id

Capsys = pytest.CaptureFixture[str]
# What a careless spammer sends: with the weights of the table between 5 and 15.
SPAM = (
    b"From: PayPal Service <s@sender.test>\r\nReply-To: x@gmail.com\r\n"
    b"Subject: VERIFY YOUR ACCOUNT\r\nTo: you@example.test\r\n"
    b"X-Spam-Status: No, score=-9\r\nX-Spam-Flag: NO\r\n"
    b"Content-Type: text/html\r\n\r\nYour account will be suspended."
    b'<a href="http://203.0.113.9/x">www.paypal.com</a>\r\n'
)
# Nothing in it weighs anything.
PLAIN = (
    b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nFrom: Ann <ann@sender.test>\r\n"
    b"To: ada@example.test\r\n"
    b"Subject: Minutes\r\nMessage-ID: <1@mail.sender.test>\r\n\r\nHere they are.\r\n"
)
QUIET = {"DATE_IN_PAST": 0.0, "DATE_IN_FUTURE": 0.0, "AUTH_NA": 0.0, "RDNS_NONE": 0.0}


@asynccontextmanager
async def server(
    folder: Path, dns: DnsServer | None = None, local: bool = False, **sections: Any
) -> AsyncIterator[Receiving]:
    given = {
        "filters": {"local_networks": ["127.0.0.0/8"] if local else []},
        "smtp": {"greet_delay": "0s"},
        **sections,
    }
    async with AsyncExitStack() as stack:
        if dns is None:
            dns = await stack.enter_async_context(dns_server())
            dns.set("sender.test", "A", "192.0.2.4")
        given["dns"] = {"nameservers": [str(dns.endpoint)]}
        yield await stack.enter_async_context(receiving(folder, **given))


async def send(client: Client, body: bytes, sender: str = "s@sender.test", to: str = ADA) -> str:
    await client.begin(sender, to)
    client.write(body + b".\r\n")
    return await client.reply()


async def from_stranger(running: Receiving, body: bytes, **how: str) -> str:
    return await send(await running.client_from("192.0.2.9"), body, **how)


def log_of(capsys: Capsys, event: str) -> dict[str, Any]:
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines() if one[:1] == "{"]
    return dict([one for one in lines if one["event"] == event][-1])


async def test_spam_goes_to_junk_and_says_why(tmp_path: Path) -> None:
    async with server(tmp_path, spam={"reject_at": 100.0}) as running:
        assert (await from_stranger(running, SPAM))[:3] == "250"
        (delivery,) = running.store.delivered
        (copy,) = delivery.local
        assert copy.mailbox == "Junk" and "$Junk" in copy.flags.keywords
        head = running.body.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
        status = [line for line in head.split(b"\r\n") if line.lower().startswith(b"x-spam-")]
        assert [line.split(b":")[0] for line in status] == [
            b"X-Spam-Status", b"X-Spam-Flag", b"X-Spam-Result",
        ]  # fmt: skip
        assert status[0].startswith(b"X-Spam-Status: Yes, score=") and status[0].endswith(b"=5")
        assert status[1] == b"X-Spam-Flag: YES"
        for symbol in (b"PHISHING=3 (www.paypal.com leads to 203.0.113.9)", b"MISSING_MID=2",
                       b"URL_NUMERIC_IP=", b"SUBJ_ALL_CAPS="):  # fmt: skip
            assert symbol in status[2]
        assert max(map(len, running.body.split(b"\r\n"))) < 200


async def test_a_plain_letter_goes_to_the_inbox(tmp_path: Path, capsys: Capsys) -> None:
    async with server(tmp_path, spam={"weights": QUIET}) as running:
        assert (await from_stranger(running, PLAIN, sender="ann@sender.test"))[:3] == "250"
        (copy,) = running.store.delivered[0].local
        assert copy.mailbox == "INBOX" and not copy.flags.keywords
        assert b"X-Spam-Status: No, score=" in running.body and b"X-Spam-Flag" not in running.body
        assert "FROM_EQ_ENVFROM" in log_of(capsys, "accepted")["symbols"]


async def test_much_of_it_is_refused_under_an_id(tmp_path: Path, capsys: Capsys) -> None:
    async with server(tmp_path) as running:
        refused = await from_stranger(running, SPAM.replace(b"<a", GTUBE.encode() + b"<a"))
        assert without_id(refused) == "554 5.7.1 This message looks like spam"
        line = log_of(capsys, "refused")
        assert line["stage"] == "data" and line["id"] in refused
        assert {"GTUBE", "PHISHING"} <= set(line["symbols"])
        assert running.store.delivered == []


async def test_those_who_hear_complaints_get_it_all(tmp_path: Path) -> None:
    async with server(tmp_path) as running:
        await running.directory.add_alias("abuse@example.test", [ADA])
        spam = b"Subject: x\r\n\r\n" + GTUBE.encode() + b"\r\n"
        assert (await from_stranger(running, spam, to="abuse@example.test"))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]


async def test_weights_and_limits_are_the_operators(tmp_path: Path) -> None:
    heavy = {"FROM_EQ_ENVFROM": 7.25, **QUIET}
    async with server(tmp_path, spam={"weights": heavy, "header": False}) as running:
        assert (await from_stranger(running, PLAIN, sender="ann@sender.test"))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]
        assert b"X-Spam" not in running.body
    async with server(tmp_path, spam={"tag_at": 0.0, "reject_at": 0.0}) as running:
        assert (await from_stranger(running, SPAM + GTUBE.encode() + b"\r\n"))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["INBOX"]
        assert b"X-Spam-Status: No, score=" in running.body


async def test_a_stranger_has_to_come_again_with_it(tmp_path: Path) -> None:
    limits = {"greylist_at": 5.0, "reject_at": 100.0}
    async with server(tmp_path, spam=limits, greylist={"delay": "0s"}) as running:
        early = await from_stranger(running, SPAM)
        assert without_id(early) == "451 4.7.1 This message looks like spam, try again later"
        assert (await from_stranger(running, SPAM))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]


async def test_users_are_scored_by_their_own_limit_and_never_filed(
    tmp_path: Path, capsys: Capsys
) -> None:
    spam = SPAM.replace(b"s@sender.test", BEN.encode())
    async with server(tmp_path, spam={"users_reject_at": 40.0}) as running:
        for body, code in ((spam, "250"), (spam + GTUBE.encode() + b"\r\n", "554")):
            client = await running.client("submissions")
            assert (await client.reply())[:3] == "220"
            assert (await client.say("EHLO client.test"))[:3] == "250"
            login = b64encode(f"\0{BEN}\0{PASSWORD}".encode()).decode()
            assert (await client.say(f"AUTH PLAIN {login}"))[:3] == "235"
            for line in (f"MAIL FROM:<{BEN}>", f"RCPT TO:<{ADA}>", "DATA"):
                assert (await client.say(line))[0] in "23"
            assert (await client.say(body + b"."))[:3] == code
        (delivery,) = running.store.delivered
        assert [one.mailbox for one in delivery.local] == ["INBOX"]
        assert b"X-Spam-Result" not in running.body
        assert "GTUBE" in log_of(capsys, "refused")["symbols"]


async def test_local_peers_may_write_short_letters(tmp_path: Path) -> None:
    async with server(tmp_path, local=True) as running:
        short = b"Subject: x\r\nX-Spam-Status: No\r\n\r\nx\r\n"
        assert (await send(await running.client(), short))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["INBOX"]
        assert running.body.endswith(short) and running.body.count(b"X-Spam") == 1
        spam = b"Subject: x\r\n\r\n" + GTUBE.encode() + b"\r\n"
        assert (await send(await running.client(), spam))[:3] == "554"
    async with server(tmp_path) as running:
        assert (await from_stranger(running, b"Subject: x\r\n\r\nx\r\n"))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]


async def test_a_policy_may_leave_it_out(tmp_path: Path) -> None:
    rule = {"sender_domain": "sender.test", "skip": ["spam"]}
    async with server(tmp_path, policy=[rule]) as running:
        assert (await from_stranger(running, SPAM + GTUBE.encode() + b"\r\n"))[:3] == "250"
        assert [one.mailbox for one in running.store.delivered[0].local] == ["INBOX"]
        assert b"X-Spam-Status: No, score=-9" in running.body


async def test_lists_of_links(tmp_path: Path, capsys: Capsys) -> None:
    entry = {"zone": "uri.test", "kind": "uri", "symbol": "BAD_LINKS", "weight": 6.5}
    async with dns_server() as dns:
        dns.set("test.uri.test", "A", "127.0.0.2")
        dns.set("bad.test.uri.test", "A", "127.0.0.2")
        async with server(
            tmp_path, dns, dnsbl={"list": [entry]}, spam={"weights": QUIET}
        ) as running:
            body = PLAIN + b"See http://www.bad.test/x and https://a.good.co.uk/y\r\n"
            await from_stranger(running, body, sender="ann@sender.test")
            assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]
            assert b"BAD_LINKS=6.5 (bad.test)" in running.body
            asked = {name for name, *_ in dns.asked if name.endswith(".uri.test")}
            assert asked == {"test.uri.test", "invalid.uri.test", "bad.test.uri.test",
                             "good.co.uk.uri.test"}  # fmt: skip


async def test_what_other_filters_found_counts_too(tmp_path: Path) -> None:
    entry = {"zone": "block.test", "symbol": "BLOCK", "weight": 6.5}
    async with dns_server() as dns:
        dns.set("2.0.0.127.block.test", "A", "127.0.0.2")
        dns.set("9.2.0.192.block.test", "A", "127.0.0.2")
        dns.set("sender.test", "TXT", '"v=spf1 -all"')
        given: dict[str, Any] = {
            "dnsbl": {"list": [entry]},
            "spam": {"weights": {**QUIET, "R_SPF_FAIL": 2.25}},
        }
        async with server(tmp_path, dns, **given) as running:
            assert (await from_stranger(running, PLAIN, sender="ann@sender.test"))[:3] == "250"
            assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]
            assert b"BLOCK=6.5 (192.0.2.9)" in running.body
            assert b"R_SPF_FAIL=2.25" in running.body.replace(b"\r\n ", b" ")


async def test_a_list_of_links_may_refuse(tmp_path: Path) -> None:
    entry = {"zone": "uri.test", "kind": "uri", "action": "reject"}
    async with dns_server() as dns:
        dns.set("test.uri.test", "A", "127.0.0.2")
        dns.set("bad.test.uri.test", "A", "127.0.0.2")
        async with server(tmp_path, dns, dnsbl={"list": [entry]}) as running:
            body = PLAIN + b"See http://www.bad.test/x\r\n"
            refused = await from_stranger(running, body, sender="ann@sender.test")
            assert without_id(refused) == "554 5.7.1 bad.test is listed by uri.test"
            # by the other kinds nobody is listed there, nor are senders by this one
            assert (await from_stranger(running, PLAIN, sender="a@bad.test"))[:3] == "250"


@pytest.mark.parametrize("exists", [True, False])
async def test_senders_to_whom_nothing_can_be_sent(
    tmp_path: Path, capsys: Capsys, exists: bool
) -> None:
    async with dns_server() as dns, server(tmp_path, dns) as running:
        dns.set("null.test", "MX", "0 .")
        if exists:
            dns.set("sender.test", "A", "192.0.2.4")
        for sender, found in (("ann@sender.test", not exists), ("ann@null.test", True)):
            await from_stranger(running, PLAIN, sender=sender)
            symbols = log_of(capsys, "accepted")["symbols"]
            assert ("HFILTER_FROMHOST_NORES_A_OR_MX" in symbols) is found


async def test_whom_our_users_write_to(tmp_path: Path, capsys: Capsys) -> None:
    async with dns_server() as dns, server(tmp_path, dns) as running:
        running.directory.seen.met(Seen.CORRESPONDENT, ["ann@sender.test"])
        await from_stranger(running, PLAIN, sender="ann@sender.test")
        assert "CORRESPONDENT_UNPROVED" in log_of(capsys, "accepted")["symbols"]
        dns.set("proved.test", "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"')
        running.directory.seen.met(Seen.CORRESPONDENT, ["ann@proved.test"])
        body = PLAIN.replace(b"ann@sender.test", b"ann@proved.test")
        await from_stranger(running, body, sender="ann@proved.test")
        symbols = log_of(capsys, "accepted")["symbols"]
        assert "KNOWN_CORRESPONDENT" in symbols and "AUTH_NA" not in symbols


async def test_what_was_spooled_to_disk_is_judged_too(tmp_path: Path, capsys: Capsys) -> None:
    async with server(tmp_path, spam={"reject_at": 100.0}) as running:
        body = SPAM + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 30_000
        assert (await from_stranger(running, body))[:3] == "250"
        assert {"PHISHING", "SUBJ_ALL_CAPS"} <= set(log_of(capsys, "accepted")["symbols"])
        assert [one.mailbox for one in running.store.delivered[0].local] == ["Junk"]
