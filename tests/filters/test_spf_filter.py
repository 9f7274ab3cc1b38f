"""The filter `spf` against a DNS server: whose mail it looks at, what it finds, what it refuses."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from auth.login_values import Login
from config.clock import SystemClock
from filters.authentication import spf_names
from filters.authentication.results import Identity, Outcome, SpfResult
from filters.authentication.spf import Spf
from filters.authentication.spf_check import check_host
from filters.authentication.spf_names import Client, plain_address
from filters.context import Context, Kind, Peer
from filters.verdict import ACCEPT, Action, Verdict
from net.dns import Resolver
from net.lookups import Lookups
from storage.values import AccountId
from tests.support.directories import make_settings
from tests.support.dns_server import DnsServer, dns_server

PEER = Peer("192.0.2.1")


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        running.set("mx.example.org", "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"')
        running.set("example.org", "TXT", '"v=spf1 a:mx.example.org -all"')
        running.set("mx.example.org", "A", "192.0.2.1")
        running.set("no.test", "TXT", '"v=spf1 -all exp=why.no.test"')
        running.set("why.no.test", "TXT", '"%{i} is not ours"')
        yield running


def context(sender: str, *, helo: str = "mx.example.org", peer: Peer = PEER) -> Context:
    return Context(Kind.MX, peer, helo=helo, sender=sender)


async def ask(
    folder: Path, server: DnsServer, about: Context, *, reject: bool = False, lifetime: float = 5.0
) -> Verdict:
    settings = make_settings(folder, spf={"reject": reject})
    resolver = Resolver([server.endpoint], lifetime=lifetime)
    return await Spf(settings, resolver, SystemClock()).mail(about)


def told(verdict: Verdict) -> list[tuple[Identity, str, Outcome]]:
    results = [one for one in verdict.results if isinstance(one, SpfResult)]
    return [(one.identity, one.domain, one.outcome) for one in results]


async def test_both_identities_are_checked(tmp_path: Path, server: DnsServer) -> None:
    verdict = await ask(tmp_path, server, context("ada@Example.org"))
    assert told(verdict) == [
        (Identity.HELO, "mx.example.org", Outcome.PASS),
        (Identity.MAIL_FROM, "example.org", Outcome.PASS),
    ]
    assert (verdict.action, verdict.symbols) == (Action.ACCEPT, ("R_SPF_ALLOW",))
    assert verdict.results[1].reason == "example.org has a:mx.example.org"


async def test_helo_alone_counts_for_the_null_sender(tmp_path: Path, server: DnsServer) -> None:
    verdict = await ask(tmp_path, server, context(""))
    assert told(verdict) == [(Identity.HELO, "mx.example.org", Outcome.PASS)]
    verdict = await ask(tmp_path, server, context("", helo="[192.0.2.1]"))
    assert told(verdict) == [(Identity.HELO, "", Outcome.NONE)]
    assert verdict.symbols == ("R_SPF_NA",)


async def test_a_helo_that_is_no_domain_is_not_told(tmp_path: Path, server: DnsServer) -> None:
    for helo in ("[192.0.2.1]", "laptop", "a..b", "-", "\u00fc" * 300):
        verdict = await ask(tmp_path, server, context("ada@example.org", helo=helo))
        assert told(verdict) == [(Identity.MAIL_FROM, "example.org", Outcome.PASS)]


async def test_a_fail_is_refused_only_where_that_is_configured(
    tmp_path: Path, server: DnsServer
) -> None:
    about = context("ada@no.test")
    verdict = await ask(tmp_path, server, about)
    assert (verdict.action, verdict.symbols) == (Action.ACCEPT, ("R_SPF_FAIL",))
    verdict = await ask(tmp_path, server, about, reject=True)
    assert (verdict.action, verdict.code, verdict.status) == (Action.REJECT, 550, "5.7.23")
    assert verdict.text == (
        "SPF: no.test says that 192.0.2.1 does not send its mail; "
        "it explains: 192.0.2.1 is not ours"
    )
    assert told(verdict)[-1] == (Identity.MAIL_FROM, "no.test", Outcome.FAIL)


@pytest.mark.parametrize(
    ("record", "symbol"),
    [
        ("v=spf1 ~all", "R_SPF_SOFTFAIL"),
        ("v=spf1 ?all", "R_SPF_NEUTRAL"),
        ("v=spf1 nonsense", "R_SPF_PERMFAIL"),
        ("v=spf1 a:broken.test -all", "R_SPF_DNSFAIL"),
        ("something else", "R_SPF_NA"),
    ],
)
async def test_symbols_and_what_is_accepted(
    tmp_path: Path, server: DnsServer, record: str, symbol: str
) -> None:
    server.failing.add("broken.test")
    server.set("some.test", "TXT", f'"{record}"')
    verdict = await ask(tmp_path, server, context("ada@some.test"), reject=True)
    assert (verdict.action, verdict.symbols) == (Action.ACCEPT, (symbol,))


async def test_only_strangers_are_looked_at(tmp_path: Path, server: DnsServer) -> None:
    about = context("ada@no.test")
    login = Login(AccountId(1), "ada@example.test", admin=False)
    for other in (
        replace(about, kind=Kind.LMTP),
        replace(about, kind=Kind.LOCAL),
        replace(about, kind=Kind.SUBMISSION, login=login),
        replace(about, peer=Peer("192.0.2.1", local=True)),
    ):
        assert await ask(tmp_path, server, other, reject=True) is ACCEPT
    assert server.asked == []


async def test_a_mapped_address_is_an_ipv4_address(tmp_path: Path, server: DnsServer) -> None:
    verdict = await ask(tmp_path, server, context("a@example.org", peer=Peer("::ffff:192.0.2.1")))
    assert verdict.symbols == ("R_SPF_ALLOW",)


async def test_internationalized_senders(tmp_path: Path, server: DnsServer) -> None:
    server.set("xn--bcher-kva.test", "TXT", '"v=spf1 exists:%{l}.users.test ip4:192.0.2.1 -all"')
    server.set("ada.users.test", "A", "127.0.0.2")
    verdict = await ask(tmp_path, server, context("ada@b\u00fccher.test"))
    assert told(verdict)[-1] == (Identity.MAIL_FROM, "xn--bcher-kva.test", Outcome.PASS)
    assert verdict.results[-1].reason == "xn--bcher-kva.test has exists:%{l}.users.test"
    server.set("xn--bcher-kva.test", "A", "192.0.2.1")
    server.set("helo.test", "TXT", '"v=spf1 a:%{h} -all"')
    verdict = await ask(tmp_path, server, context("a@helo.test", helo="B\u00fccher.test"))
    assert verdict.symbols == ("R_SPF_ALLOW",)
    verdict = await ask(tmp_path, server, context("\u00e4da@b\u00fccher.test"))
    assert verdict.results[-1].reason == "xn--bcher-kva.test has ip4:192.0.2.1"


async def test_an_explanation_is_one_short_printable_line(
    tmp_path: Path, server: DnsServer
) -> None:
    server.set("why.no.test", "TXT", *['"' + "a\\013\\010%{s}" * 20 + '" "' + "b" * 250 + '"'])
    verdict = await ask(tmp_path, server, context("ada@no.test"), reject=True)
    assert verdict.text.isprintable() and "explains" not in verdict.text
    server.set("why2.test", "TXT", *['"' + "b" * 250 + '" "' + "c" * 250 + '"'])
    server.set("no.test", "TXT", '"v=spf1 -all exp=why2.test"')
    verdict = await ask(tmp_path, server, context("ada@no.test"), reject=True)
    assert len(verdict.text) < 450


async def find(server: DnsServer, sender: str, seconds: float = 5.0) -> tuple[Outcome, str]:
    lookups = Lookups(Resolver([server.endpoint]), seconds=seconds)
    client = Client(plain_address("192.0.2.1"), "helo.test", "mx.test", time.time())
    local, _, domain = sender.rpartition("@")
    found = await check_host(lookups, client, local, domain)
    return found.outcome, found.reason


async def test_time_is_limited_for_the_whole_check(server: DnsServer) -> None:
    names = [f"s{number}.test" for number in range(8)]
    server.silent.update(names[1:])
    server.set("slow.test", "TXT", '"v=spf1 ' + " ".join(f"ptr:{name}" for name in names) + '"')
    server.set("1.2.0.192.in-addr.arpa", "PTR", *(f"{name}." for name in names))
    server.set("slow2.test", "TXT", '"v=spf1 a:s1.test a:s2.test -all"')
    outcome, reason = await find(server, "a@slow2.test", seconds=0.3)
    assert outcome is Outcome.TEMPERROR
    assert reason == "s1.test: no answer in the time for one message"
    # silence about names of the peer is no mistake of the domain: no match, and the time is over
    outcome, _ = await find(server, "a@slow.test", seconds=0.3)
    assert outcome is Outcome.NEUTRAL


async def test_a_slow_reverse_zone_uses_up_its_share_alone(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spf_names, "CLIENT_SECONDS", 0.2)
    server.silent.add("1.2.0.192.in-addr.arpa")
    server.set("bank.test", "TXT", '"v=spf1 ptr:%{p}.test include:more.bank.test -all"')
    server.set("more.bank.test", "TXT", '"v=spf1 ?all"')
    assert await find(server, "a@bank.test", seconds=2.0) == (Outcome.FAIL, "bank.test has -all")


async def test_helo_has_the_time_that_the_sender_leaves(tmp_path: Path, server: DnsServer) -> None:
    await ask(tmp_path, server, context("ada@no.test", helo="slow.test"))
    texts = [name for name, kind, _ in server.asked if kind == "TXT"]
    assert texts == ["no.test", "why.no.test", "slow.test"]


async def test_addresses_that_mail_hosts_lack_are_not_counted(server: DnsServer) -> None:
    hosts = [f"mx{number}.many.test" for number in range(5)]
    server.set("many.test", "TXT", '"v=spf1 mx ip4:192.0.2.1 -all"')
    server.set("many.test", "MX", *(f"10 {host}." for host in hosts))
    assert (await find(server, "a@many.test"))[0] is Outcome.PASS


def quoted(record: str) -> str:
    pieces = [record[at : at + 250] for at in range(0, len(record), 250)]
    return " ".join(f'"{piece}"' for piece in pieces)


@pytest.mark.parametrize(
    ("terms", "outcome"),
    [
        ("a " * 10_000 + "-all", Outcome.PERMERROR),
        ("ip4:10.0.0.1 " * 4_500 + "ip4:192.0.2.1 -all", Outcome.PASS),
        ("x=y " * 10_000 + "+all", Outcome.PASS),
        ("?all " * 10_000 + "bad:", Outcome.PERMERROR),
        ("a:" + "%{d}" * 14_000 + ".test -all", Outcome.PERMERROR),
        ("exists:" + "%{l99999999999999999999r.}." * 70 + "x.test -all", Outcome.FAIL),
    ],
)
async def test_ten_thousand_terms(server: DnsServer, terms: str, outcome: Outcome) -> None:
    server.set("vast.test", "TXT", quoted(f"v=spf1 {terms}"))
    assert (await find(server, "a@vast.test"))[0] is outcome


async def test_an_included_loop_ends_at_the_limit(server: DnsServer) -> None:
    server.set("loop.test", "TXT", '"v=spf1 include:loop.test -all"')
    assert await find(server, "a@loop.test") == (
        Outcome.PERMERROR,
        "more than 10 terms that ask DNS",
    )
    assert len(server.asked) == 1
