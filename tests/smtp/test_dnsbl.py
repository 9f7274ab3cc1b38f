"""DNS lists (RFC 5782) with a real DNS server: listings, what is none, and lists that lie."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from config.dnsbl import parse_codes, symbol_of
from tests.support.dns_server import DnsServer, dns_server
from tests.support.smtp_receiving import ADA, Client, Receiving, receiving, without_id

Capsys = pytest.CaptureFixture[str]
BLOCK = {"zone": "block.test", "action": "reject", "symbol": "BLOCK", "weight": 4.5}
NAMES = {"zone": "names.test", "kind": "domain", "symbol": "NAMES", "action": "quarantine"}


@asynccontextmanager
async def listing(
    folder: Path, *lists: dict[str, Any], local: bool = False
) -> AsyncIterator[tuple[DnsServer, Receiving]]:
    """A server with these lists, whose zones have their test points."""
    async with dns_server() as dns:
        dns.set("2.0.0.127.block.test", "A", "127.0.0.2", ttl=0)
        dns.set("test.names.test", "A", "127.0.0.2")
        sections: dict[str, Any] = {
            "filters": {"local_networks": ["192.0.2.0/24"] if local else []},
            "dns": {"nameservers": [str(dns.endpoint)]},
            "smtp": {"greet_delay": "0s"},
            "dnsbl": {"list": list(lists)},
        }
        async with receiving(folder, **sections) as running:
            yield dns, running


def listed(dns: DnsServer, *answers: str, address: str) -> None:
    label = ".".join(reversed(address.split(".")))
    dns.set(f"{label}.block.test", "A", *answers, ttl=0)


async def accepted(running: Receiving, client: Client, capsys: Capsys) -> dict[str, Any]:
    """The log line of a message that the client delivers."""
    assert (await client.greet())[:3] == "250"
    for line in ("MAIL FROM:<a@sender.test>", f"RCPT TO:<{ADA}>", "DATA"):
        assert (await client.say(line))[0] in "23"
    assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines() if one[:1] == "{"]
    (line,) = [one for one in lines if one["event"] == "accepted"]
    return dict(line)


async def test_the_listed_are_refused_with_the_lists_words(tmp_path: Path) -> None:
    async with listing(tmp_path, BLOCK) as (dns, running):
        listed(dns, "127.0.0.4", address="192.0.2.9")
        dns.set("9.2.0.192.block.test", "TXT", '"see http://block.test/9"')
        refused = await running.client_from("192.0.2.9")
        expected = "554 5.7.1 192.0.2.9 is listed by block.test: see http://block.test/9"
        assert without_id(await refused.reply()) == expected
        assert await refused.closed()
        assert (await (await running.client_from("192.0.2.8")).reply())[:3] == "220"
        # submission is for users, whose addresses are on many lists
        user = await running.client("submission")
        assert (await user.reply())[:3] == "220"


async def test_local_peers_are_not_looked_up(tmp_path: Path) -> None:
    async with listing(tmp_path, BLOCK, local=True) as (dns, running):
        listed(dns, "127.0.0.4", address="192.0.2.9")
        assert (await (await running.client_from("192.0.2.9")).reply())[:3] == "220"
        assert "9.2.0.192.block.test" not in {name for name, *_ in dns.asked}


@pytest.mark.parametrize(
    ("answers", "codes", "found"),
    [
        (["127.0.0.4"], [], True),
        (["127.0.0.4"], ["127.0.0.2-127.0.0.3"], False),
        (["127.0.0.4", "127.0.0.3"], ["127.0.0.2-3"], True),
        (["127.0.0.12"], ["&4"], True),
        (["127.0.0.8"], ["&4"], False),
        (["192.0.2.1"], [], False),
        (["0.0.0.0"], [], False),
        (["127.255.255.254"], [], False),
    ],
)
async def test_which_answers_count(
    tmp_path: Path, capsys: Capsys, answers: list[str], codes: list[str], found: bool
) -> None:
    entry = {"zone": "block.test", "codes": codes, "weight": 2.0}
    async with listing(tmp_path, entry) as (dns, running):
        listed(dns, *answers, address="192.0.2.9")
        client = await running.client_from("192.0.2.9")
        line = await accepted(running, client, capsys)
        assert ("DNSBL_BLOCK_TEST" in line["symbols"]) is found


async def test_domains_of_the_sender_and_the_names_of_the_peer(
    tmp_path: Path, capsys: Capsys
) -> None:
    async with listing(tmp_path, NAMES) as (dns, running):
        dns.set("9.2.0.192.in-addr.arpa", "PTR", "spam.peer.test.")
        dns.set("spam.peer.test", "A", "192.0.2.9")
        client = await running.client_from("192.0.2.9")
        line = await accepted(running, client, capsys)
        assert "NAMES" not in line["symbols"]
        asked = {name for name, *_ in dns.asked if name.endswith(".names.test")}
        assert asked == {
            "test.names.test", "invalid.names.test",
            "sender.test.names.test", "client.test.names.test", "spam.peer.test.names.test",
        }  # fmt: skip


async def test_quarantine_puts_the_mail_into_junk(tmp_path: Path, capsys: Capsys) -> None:
    async with listing(tmp_path, NAMES) as (dns, running):
        dns.set("sender.test.names.test", "A", "127.0.1.2")
        line = await accepted(running, await running.client(), capsys)
        assert "NAMES" in line["symbols"]
        (delivery,) = running.store.delivered
        assert [one.mailbox for one in delivery.local] == ["Junk"]


async def test_lists_that_do_not_serve_us_are_off_until_they_do(
    tmp_path: Path, capsys: Capsys
) -> None:
    async with listing(tmp_path, BLOCK) as (dns, running):
        listed(dns, "127.0.0.4", address="192.0.2.9")
        running.lists.reload([])
        running.lists.reload(running.settings.dnsbl.list)
        # not checked: off
        assert (await (await running.client_from("192.0.2.9")).reply())[:3] == "220"
        for answers, reason in (
            (["127.255.255.254"], "it answers 127.255.255.254: it does not serve this resolver"),
            (["192.0.2.1"], "it does not list its test point 2.0.0.127"),
        ):
            dns.set("2.0.0.127.block.test", "A", *answers, ttl=0)
            await running.lists.check()
            assert running.lists.problems["block.test"].startswith(reason)
            assert (await (await running.client_from("192.0.2.9")).reply())[:3] == "220"
        dns.set("2.0.0.127.block.test", "A", "127.0.0.2", ttl=0)
        await running.lists.check()
        assert running.lists.problems == {}
        assert (await (await running.client_from("192.0.2.9")).reply())[:3] == "554"


async def test_a_list_of_everything_and_a_silent_one(tmp_path: Path) -> None:
    async with listing(tmp_path) as (dns, running):
        dns.set("2.0.0.127.all.test", "A", "127.0.0.2")
        dns.set("1.0.0.127.all.test", "A", "127.0.0.2")
        dns.failing |= {"2.0.0.127.dead.test", "1.0.0.127.dead.test"}
        entries = [{"zone": "all.test"}, {"zone": "dead.test"}, {"zone": "none.test"}]
        changed = type(running.settings.dnsbl).model_validate({"list": entries})
        running.lists.reload(changed.list)
        await running.lists.check()
        problems = running.lists.problems
        assert problems["all.test"].startswith("it lists 1.0.0.127, which no list may")
        assert set(problems) == {"all.test", "dead.test", "none.test"}


async def test_an_error_code_switches_a_list_off(tmp_path: Path) -> None:
    async with listing(tmp_path, BLOCK) as (dns, running):
        listed(dns, "127.255.255.252", address="192.0.2.9")
        listed(dns, "127.0.0.2", address="192.0.2.8")
        assert (await (await running.client_from("192.0.2.9")).reply())[:3] == "220"
        assert "127.255.255.252" in running.lists.problems["block.test"]
        assert (await (await running.client_from("192.0.2.8")).reply())[:3] == "220"


@pytest.mark.parametrize("text", ["", "127.0.0", "10.0.0.1", "127.0.0.9-127.0.0.2", "&0", "&256"])
def test_codes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="an answer such as"):
        parse_codes(text)


def test_ranges_and_names() -> None:
    codes = parse_codes("127.0.0.4-7")
    assert [IPv4Address(f"127.0.0.{n}") in codes for n in (3, 4, 7, 8)] == [0, 1, 1, 0]
    assert symbol_of("b.bar-racuda.test") == "DNSBL_B_BAR_RACUDA_TEST"
