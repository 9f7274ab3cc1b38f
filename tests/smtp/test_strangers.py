"""Strangers on the MX port: who speaks too early, how they greet, names, waits and guesses."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from filters.helo import judge_helo
from smtp.manners import FREE_STRIKES, KnownPeers, Tarpit
from tests.support.directories import MovedClock
from tests.support.dns_server import DnsServer, dns_server
from tests.support.smtp_receiving import ADA, OUTSIDE, Client, Receiving, receiving, without_id

Capsys = pytest.CaptureFixture[str]
# With a delay of minutes a greeting that comes at all came without it.
PATIENT = {"greet_delay": "10m"}


@asynccontextmanager
async def strangers(
    folder: Path, dns: DnsServer, *, smtp: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[Receiving]:
    """A server to which every peer is a stranger, and which nobody waits for."""
    sections: dict[str, Any] = {
        "filters": {"local_networks": []},
        "dns": {"nameservers": [str(dns.endpoint)]},
        "smtp": {"greet_delay": "0s", "tarpit": "0s", **(smtp or {})},
        "limits": limits,
    }
    async with receiving(folder, **sections) as running:
        yield running


def log_of(capsys: Capsys) -> list[dict[str, Any]]:
    text = capsys.readouterr().out
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


async def deliver(client: Client) -> str:
    for line in (f"MAIL FROM:<{OUTSIDE}>", f"RCPT TO:<{ADA}>", "DATA"):
        assert (await client.say(line))[0] in "23"
    return await client.say("Subject: x\r\n\r\n.")


# -- before the greeting


async def test_who_speaks_before_the_greeting_is_refused(tmp_path: Path) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns, smtp={"greet_delay": "5s"}) as running:
        client = await running.client()
        client.write(b"EHLO early.test\r\nMAIL FROM:<>\r\n")
        assert without_id(await client.reply()) == "554 5.5.1 You spoke before the greeting"
        assert await client.closed()


async def test_early_talkers_may_be_marked_only(tmp_path: Path, capsys: Capsys) -> None:
    marked = {"greet_delay": "5s", "early_talkers": "mark"}
    async with dns_server() as dns, strangers(tmp_path, dns, smtp=marked) as running:
        client = await running.client()
        client.write(b"EHLO early.test\r\n")
        assert (await client.reply())[:3] == "220"
        await client.reply()
        assert (await deliver(client))[:3] == "250"
        (line,) = [line for line in log_of(capsys) if line["event"] == "accepted"]
        assert "EARLY_TALKER" in line["symbols"]


async def test_users_and_known_peers_do_not_wait(tmp_path: Path) -> None:
    async with (
        dns_server() as dns,
        strangers(tmp_path, dns, smtp=PATIENT) as running,
    ):
        user = await running.client("submission")
        user.write(b"EHLO eager.test\r\n")
        assert (await user.reply())[:3] == "220"
        async with asyncio.timeout(20):
            running.server._shared.manners.known.add("127.0.0.1")
            assert (await (await running.client()).reply())[:3] == "220"


async def test_mail_that_was_taken_makes_a_peer_known(tmp_path: Path) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns) as running:
        known = running.server._shared.manners.known
        client = await running.client()
        await client.greet()
        assert "127.0.0.1" not in known
        assert (await deliver(client))[:3] == "250"
        assert "127.0.0.1" in known


async def test_a_stop_does_not_wait_for_the_delay(tmp_path: Path) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns, smtp=PATIENT) as running:
        client = await running.client()
        while not running.server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(running.server.stop())
        assert (await client.reply()).startswith("421 4.3.2")
        await stopping


def test_peers_are_known_for_a_week() -> None:
    clock = MovedClock()
    known = KnownPeers(clock)
    known.add("2001:db8::1")
    assert "2001:db8::ffff" in known and "2001:db8:0:1::1" not in known
    clock.seconds += 7 * 86400 + 1
    assert "2001:db8::1" not in known


# -- names


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("mail.peer.test", ""),
        ("mail.peer.test.", ""),
        ("WIN_HOST.corp.test", ""),
        ("sub.example.test", ""),
        ("mx.example.test", "HELO_OURS"),
        ("EXAMPLE.test", "HELO_OURS"),
        ("[192.0.2.9]", "HELO_LITERAL"),
        ("[192.0.2.10]", "HELO_FOREIGN_LITERAL"),
        ("[198.51.100.1]", "HELO_OURS"),
        ("198.51.100.1", "HELO_OURS"),
        ("192.0.2.9", "HELO_BARE_ADDRESS"),
        ("2001:db8::1", "HELO_BARE_ADDRESS"),
        ("[IPv6:2001:db8::1]", "HELO_FOREIGN_LITERAL"),
        ("[2001:db8::1]", "HELO_SYNTAX"),
        ("[IPv6:192.0.2.9]", "HELO_SYNTAX"),
        ("[192.0.2.9", "HELO_SYNTAX"),
        ("user", "HELO_UNQUALIFIED"),
        ("localhost.localdomain", "HELO_UNQUALIFIED"),
        ("-x.test", "HELO_SYNTAX"),
        ("a b.test", "HELO_SYNTAX"),
        ("ä.test", "HELO_SYNTAX"),
        ("a..test", "HELO_SYNTAX"),
        (f"{'a' * 64}.test", "HELO_SYNTAX"),
    ],
)
def test_what_a_name_tells(name: str, symbol: str) -> None:
    ours = {"mx.example.test", "example.test"}
    found = judge_helo(name, "192.0.2.9", ours.__contains__, {"198.51.100.1"}.__contains__)
    assert found == symbol


async def test_names_are_refused_where_the_configuration_says_so(tmp_path: Path) -> None:
    chosen = {"refuse_helo": ["HELO_OURS", "HELO_UNQUALIFIED"]}
    async with dns_server() as dns, strangers(tmp_path, dns, smtp=chosen) as running:
        client = await running.client()
        await client.reply()
        refused = await client.say("EHLO mx.example.test")
        assert without_id(refused) == "550 5.7.1 mx.example.test is no name for you to greet with"
        assert (await client.say(f"MAIL FROM:<{OUTSIDE}>"))[:3] == "503"
        assert (await client.say("HELO user"))[:3] == "550"
        assert (await client.say("EHLO 192.0.2.9"))[:3] == "250"
        user = await running.client("submission")
        await user.reply()
        assert (await user.say("EHLO mx.example.test"))[:3] == "250"


async def test_verified_names_stand_in_the_trace(tmp_path: Path, capsys: Capsys) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns) as running:
        dns.set("5.2.0.192.in-addr.arpa", "PTR", "liar.test.", "Mail.Peer.test.")
        dns.set("liar.test", "A", "192.0.2.1")
        dns.set("mail.peer.test", "A", "192.0.2.2", "192.0.2.5")
        dns.set("6.2.0.192.in-addr.arpa", "PTR", "liar.test.")
        dns.failing.add("7.2.0.192.in-addr.arpa")
        expected = {5: "", 6: "RDNS_MISMATCH", 7: "RDNS_DNSFAIL", 8: "RDNS_NONE"}
        for last in expected:
            client = await running.client_from(f"192.0.2.{last}")
            await client.greet()
            assert (await deliver(client))[:3] == "250"
        lines = [line for line in log_of(capsys) if line["event"] == "accepted"]
        for line, symbol in zip(lines, expected.values(), strict=True):
            rdns = [one for one in line["symbols"] if one.startswith("RDNS")]
            assert rdns == ([symbol] if symbol else [])
        assert b"from client.test (mail.peer.test [192.0.2.5])" in running.store.bodies[0]
        assert b"from client.test ([192.0.2.6])" in running.store.bodies[1]


async def test_dns_that_does_not_answer_keeps_nobody_out(tmp_path: Path, capsys: Capsys) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns) as running:
        dns.silent |= {"5.2.0.192.in-addr.arpa", "slow.test", "client.test", "elsewhere.test"}
        client = await running.client_from("192.0.2.5")
        await client.greet()
        assert (await deliver(client))[:3] == "250"
        (line,) = [line for line in log_of(capsys) if line["event"] == "accepted"]
        assert "RDNS_DNSFAIL" in line["symbols"]


async def test_a_host_of_a_thousand_names_is_asked_for_a_few(tmp_path: Path) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns) as running:
        names = [f"n{number}.peer.test" for number in range(100)]
        dns.set("5.2.0.192.in-addr.arpa", "PTR", *(f"{name}." for name in names))
        assert (await (await running.client_from("192.0.2.5")).reply())[:3] == "220"
        asked = {name for name, kind, _ in dns.asked if kind == "A" and name in names}
        assert 0 < len(asked) <= 5


async def test_behind_a_proxy_the_real_peer_is_judged(tmp_path: Path) -> None:
    others: dict[str, Any] = {name: [] for name in ("submission", "submissions", "lmtp")}
    listen = {"smtp": ["127.0.0.1:0"], "proxy_protocol_from": ["127.0.0.0/8"], **others}
    async with dns_server() as dns:
        sections: dict[str, Any] = {
            "listen": listen,
            "filters": {"local_networks": ["127.0.0.0/8"]},
            "dns": {"nameservers": [str(dns.endpoint)]},
            "smtp": {"greet_delay": "200ms"},
        }
        async with receiving(tmp_path, **sections) as running:
            await running.directory.blocks.add(ip_network("192.0.2.0/24"))
            heads = [
                (b"PROXY TCP4 198.51.100.1 127.0.0.1 999 25\r\n", "220"),
                (b"PROXY TCP4 198.51.100.2 127.0.0.1 999 25\r\nEHLO early.test\r\n", "554 5.5.1"),
                (b"PROXY TCP4 192.0.2.1 127.0.0.1 999 25\r\n", "554 5.7.1"),
            ]
            for head, expected in heads:
                client = await running.client()
                client.write(head)
                assert (await client.reply()).startswith(expected)


# -- waits


def test_waits_grow_and_end() -> None:
    pit = Tarpit(2.0)
    waits = [pit.wait(strikes) for strikes in range(1, 41)]
    assert waits[:FREE_STRIKES] == [0.0] * FREE_STRIKES
    assert waits[FREE_STRIKES : FREE_STRIKES + 5] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert sum(waits) == pytest.approx(10.0) and waits[-1] == 0
    assert pit.wait(40) == 0.0
    assert not any(Tarpit(0.0).wait(strikes) for strikes in range(40))


async def test_only_who_errs_waits(tmp_path: Path) -> None:
    """The one in the tarpit waits on; others are served, and it may go when it likes."""
    async with dns_server() as dns, strangers(tmp_path, dns, smtp={"tarpit": "10m"}) as running:
        client = await running.client()
        await client.greet()
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        client.write(b"RCPT TO:<nobody@example.test>\r\n" * 16 + b"NOOP\r\n")
        for _ in range(8):
            assert (await client.reply())[:3] == "550"
        other = await running.client()
        await other.greet()
        assert (await deliver(other))[:3] == "250"
        # the rest takes more than an hour
        assert b"250 2.0.0" not in bytes(client.reader._buffer)  # type: ignore[attr-defined]
        client.reset()
        other.close()
        await running.quiet()


async def test_parts_of_a_message_are_not_kept_waiting(tmp_path: Path) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns, smtp={"tarpit": "10m"}) as running:
        client = await running.client()
        await client.greet()
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        await client.say(f"RCPT TO:<{ADA}>")
        assert (await client.say(b"BDAT 6\r\nA: b"))[:3] == "250"
        for _ in range(20):
            assert (await client.say("NONSENSE"))[:3] == "500"
        assert (await client.say(b"BDAT 5 LAST\r\n\r\nx"))[:3] == "250"


# -- guesses


async def test_guesses_end_a_connection(tmp_path: Path) -> None:
    async with dns_server() as dns, strangers(tmp_path, dns, unknown_recipients=5) as running:
        client = await running.client()
        await client.greet()
        await client.say(f"MAIL FROM:<{OUTSIDE}>")
        for guess in range(6):
            assert (await client.say(f"RCPT TO:<{guess}@example.test>"))[:9] == "550 5.1.1"
        assert (await client.reply())[:9] == "421 4.7.0"
        assert await client.closed()


async def test_guesses_of_many_connections_count_together(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"unknown_recipients_per_hour_per_address": 4}
    async with dns_server() as dns, strangers(tmp_path, dns, **limits) as running:
        for guess in range(4):
            client = await running.client()
            await client.greet()
            await client.say(f"MAIL FROM:<{OUTSIDE}>")
            assert (await client.say(f"RCPT TO:<{guess}@example.test>"))[:3] == "550"
        for recipient in (ADA, "another@example.test"):
            answer = without_id(await client.say(f"RCPT TO:<{recipient}>"))
            assert answer.startswith("450 4.7.1 Too many unknown recipients")
        elsewhere = await running.client_from("192.0.2.9")
        await elsewhere.greet()
        assert (await deliver(elsewhere))[:3] == "250"
