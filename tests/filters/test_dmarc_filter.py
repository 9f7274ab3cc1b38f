"""The filter `dmarc` against a DNS server: which message is accepted, marked, put away, refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from auth.login_values import Login
from config.sections_filters import Dmarc as DmarcSettings
from filters.authentication.dmarc import Dmarc
from filters.authentication.results import (
    ArcResult,
    DkimResult,
    DmarcResult,
    Identity,
    Outcome,
    Result,
    SpfResult,
)
from filters.context import Context, Kind, Message, Peer
from filters.verdict import ACCEPT, Action, Verdict
from net.dns import Resolver
from storage.values import AccountId, Content
from tests.support.dns_server import DnsServer, dns_server

FAIL, PASS, NONE = Outcome.FAIL, Outcome.PASS, Outcome.NONE
TEMPERROR = Outcome.TEMPERROR


def spf(domain: str, outcome: Outcome = PASS, identity: Identity = Identity.MAIL_FROM) -> SpfResult:
    return SpfResult(outcome, identity, domain)


def dkim(domain: str, outcome: Outcome = PASS) -> DkimResult:
    return DkimResult(outcome, domain)


def context(header: str, *results: Result) -> Context:
    made = Context(Kind.MX, Peer("192.0.2.1"))
    made.message = Message(Content(10, b""), header.encode())
    made.results = list(results)
    if not any(isinstance(one, SpfResult) for one in results):
        made.results.append(spf("", NONE))
    if not any(isinstance(one, DkimResult) for one in results):
        made.results.append(dkim("", NONE))
    return made


class Judge:
    """The filter with its DNS server."""

    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.settings = DmarcSettings()
        self.resolver = Resolver([server.endpoint], lifetime=1.0)

    def zone(self, **records: str) -> None:
        """Records by domain, with __ for dots."""
        for name, record in records.items():
            self.server.set(f"_dmarc.{name.replace('__', '.')}", "TXT", f'"{record}"')

    async def ask(self, author: str, *results: Result) -> tuple[str, DmarcResult, Verdict]:
        """Symbol, result and verdict for a message from one author domain."""
        return await self.say(f"From: a@{author}\r\n", *results)

    async def say(self, header: str, *results: Result) -> tuple[str, DmarcResult, Verdict]:
        verdict = await self.filter().data(context(header, *results))
        (result,) = verdict.results
        assert isinstance(result, DmarcResult)
        return verdict.symbols[0], result, verdict

    def filter(self) -> Dmarc:
        return Dmarc(self.settings, self.resolver)


@asynccontextmanager
async def judge(**records: str) -> AsyncIterator[Judge]:
    async with dns_server() as server:
        made = Judge(server)
        made.zone(**records)
        yield made


STRICT = "v=DMARC1; p=reject; adkim=s; aspf=s"
REJECT = "v=DMARC1; p=reject"


@pytest.mark.parametrize(
    ("record", "results", "symbol", "action"),
    [
        (REJECT, [spf("example.com")], "DMARC_POLICY_ALLOW", Action.ACCEPT),
        (REJECT, [spf("bounce.example.com")], "DMARC_POLICY_ALLOW", Action.ACCEPT),
        (REJECT, [spf("example.net"), dkim("example.com")], "DMARC_POLICY_ALLOW", Action.ACCEPT),
        (REJECT, [dkim("x.test"), dkim("m.example.com")], "DMARC_POLICY_ALLOW", Action.ACCEPT),
        (
            STRICT,
            [dkim("m.example.com"), spf("m.example.com")],
            "DMARC_POLICY_REJECT",
            Action.REJECT,
        ),
        (STRICT, [dkim("example.com"), spf("x.test")], "DMARC_POLICY_ALLOW", Action.ACCEPT),
        (REJECT, [spf("example.com", FAIL)], "DMARC_POLICY_REJECT", Action.REJECT),
        (REJECT, [dkim("example.com", FAIL)], "DMARC_POLICY_REJECT", Action.REJECT),
        (REJECT, [], "DMARC_POLICY_REJECT", Action.REJECT),
        (REJECT, [spf("example.com.evil.test"), dkim("com")], "DMARC_POLICY_REJECT", Action.REJECT),
        ("v=DMARC1; p=quarantine", [], "DMARC_POLICY_QUARANTINE", Action.JUNK),
        ("v=DMARC1; p=none", [], "DMARC_POLICY_SOFTFAIL", Action.ACCEPT),
        ("v=DMARC1; p=reject; t=y", [], "DMARC_POLICY_QUARANTINE", Action.JUNK),
        ("v=DMARC1; p=quarantine; t=y", [], "DMARC_POLICY_SOFTFAIL", Action.ACCEPT),
        ("v=DMARC1; p=reject; pct=0", [], "DMARC_POLICY_REJECT", Action.REJECT),
        ("v=DMARC1; p=odd", [], "DMARC_BAD_POLICY", Action.ACCEPT),
        ("v=spf1 -all", [], "DMARC_NA", Action.ACCEPT),
        (REJECT, [spf("example.com", TEMPERROR)], "DMARC_DNSFAIL", Action.ACCEPT),
        (REJECT, [dkim("m.example.com", TEMPERROR)], "DMARC_DNSFAIL", Action.ACCEPT),
        (REJECT, [dkim("evil.test", TEMPERROR)], "DMARC_POLICY_REJECT", Action.REJECT),
    ],
)
async def test_what_becomes_of_a_message(
    record: str, results: list[Result], symbol: str, action: Action
) -> None:
    async with judge(example__com=record) as made:
        told, result, verdict = await made.ask("example.com", *results)
        assert (told, verdict.action) == (symbol, action)
        assert result.domain == "example.com"
        done = {Action.REJECT: "reject", Action.JUNK: "quarantine"}.get(action, "none")
        assert result.disposition == done
        if action is Action.REJECT:
            assert (verdict.code, verdict.status) == (550, "5.7.1")
            assert "DMARC policy of example.com" in verdict.text


async def test_the_null_sender_counts_by_its_helo_name() -> None:
    async with judge(example__com=REJECT) as made:
        helo = spf("mx.example.com", PASS, Identity.HELO)
        assert (await made.ask("example.com", helo))[0] == "DMARC_POLICY_ALLOW"
        both = [helo, spf("evil.test")]
        assert (await made.ask("example.com", *both))[0] == "DMARC_POLICY_REJECT"


async def test_subdomains_take_the_policy_of_their_organization() -> None:
    async with judge(
        example__com="v=DMARC1; p=none; sp=quarantine; np=reject",
        bank="v=DMARC1; p=none; sp=reject; psd=y",
    ) as made:
        made.server.set("there.example.com", "A", "192.0.2.7")
        made.server.set("mx.example.com", "MX", "10 x.test.")
        assert (await made.ask("there.example.com"))[0] == "DMARC_POLICY_QUARANTINE"
        assert (await made.ask("mx.example.com"))[0] == "DMARC_POLICY_QUARANTINE"
        assert (await made.ask("not.example.com"))[0] == "DMARC_POLICY_REJECT"
        symbol, result, verdict = await made.ask("mail.giant.bank")
        assert (symbol, result.organisation) == ("DMARC_POLICY_REJECT", "giant.bank")
        assert "DMARC policy of bank" in verdict.text
        # brothers in one organization are aligned, neighbours under one suffix are not
        assert (await made.ask("a.giant.bank", dkim("b.giant.bank")))[1].outcome is PASS
        assert (await made.ask("a.giant.bank", dkim("other.bank")))[1].outcome is FAIL


async def test_a_walk_of_many_labels_is_bounded() -> None:
    async with judge(com="v=DMARC1; p=none") as made:
        author = ".".join("abcdefghijklmnop") + ".example.com"
        await made.ask(author, dkim("x.example.com", FAIL))
        asked = [name for name, _, _ in made.server.asked if name.startswith("_dmarc.")]
        assert len(asked) == 8 and asked[0] == f"_dmarc.{author}"
        assert asked[1] == "_dmarc.l.m.n.o.p.example.com" and "_dmarc.com" in asked


async def test_a_domain_that_answers_for_itself_costs_one_question() -> None:
    async with judge(news__example__com="v=DMARC1; p=reject; psd=n") as made:
        assert (await made.ask("news.example.com", spf("news.example.com")))[1].outcome is PASS
        assert len(made.server.asked) == 1


async def test_a_record_that_ends_the_walk_ends_it() -> None:
    async with judge(news__example__com="v=DMARC1; p=reject; psd=n", example__com=REJECT) as made:
        assert (await made.ask("news.example.com", dkim("a.example.com")))[1].outcome is FAIL
        asked = [name for name, _, _ in made.server.asked]
        # the signer's own walk goes on, the author's does not
        assert asked.count("_dmarc.news.example.com") == 1
        assert (await made.ask("news.example.com", dkim("x.test")))[1].outcome is FAIL
        assert len(made.server.asked) == len(asked)


@pytest.mark.parametrize("broken", ["_dmarc.a.example.com", "_dmarc.example.com"])
@pytest.mark.parametrize("how", ["failing", "silent"])
async def test_without_an_answer_mail_is_accepted(broken: str, how: str) -> None:
    async with judge(example__com=REJECT) as made:
        getattr(made.server, how).add(broken)
        symbol, result, verdict = await made.ask("a.example.com", dkim("evil.test"))
        assert (symbol, verdict.action) == ("DMARC_DNSFAIL", Action.ACCEPT)
        assert result.outcome is TEMPERROR


async def test_a_top_level_domain_that_does_not_answer_decides_nothing() -> None:
    async with judge(example__com=REJECT) as made:
        made.server.failing.add("_dmarc.com")
        assert (await made.ask("a.example.com", dkim("example.com")))[1].outcome is PASS
        assert (await made.ask("a.example.com"))[2].action is Action.REJECT


async def test_authors_that_cannot_be_judged() -> None:
    async with judge(example__com=REJECT, example__org=REJECT) as made:
        for header in ("Subject: x\r\n", "From: nobody\r\n", "From: a@[192.0.2.1]\r\n"):
            symbol, result, verdict = await made.say(header)
            assert (symbol, result.outcome, verdict.action) == ("DMARC_NA", NONE, Action.ACCEPT)
        for header in (
            "From: a@example.com, b@example.org\r\n",
            "From: a@other.test\r\nFrom: a@example.com\r\n",
        ):
            symbol, result, verdict = await made.say(header, dkim("example.com"))
            assert (symbol, verdict.action) == ("DMARC_SEVERAL_FROM", Action.JUNK)
            assert result.outcome is Outcome.PERMERROR
        assert (await made.say("From: a@example.com, b@EXAMPLE.com\r\n"))[2].action is Action.REJECT


async def test_mail_that_is_not_judged() -> None:
    async with judge(example__com=REJECT) as made:
        asked = context("From: a@example.com\r\n")
        asked.login = Login(AccountId(1), "a@b.test", False)
        assert await made.filter().data(asked) is ACCEPT
        asked = context("From: a@example.com\r\n")
        asked.kind = Kind.LMTP
        assert await made.filter().data(asked) is ACCEPT
        asked = context("From: a@example.com\r\n")
        asked.peer = Peer("127.0.0.1", local=True)
        assert await made.filter().data(asked) is ACCEPT
        for left in (spf("example.com", FAIL), dkim("example.com", FAIL)):
            asked = context("From: a@example.com\r\n")
            asked.results = [left]
            assert (await made.filter().data(asked)).symbols == ("DMARC_DNSFAIL",)


async def test_a_policy_can_be_told_and_not_enforced() -> None:
    async with judge(example__com=REJECT) as made:
        made.settings = DmarcSettings(enforce=False)
        symbol, result, verdict = await made.ask("example.com")
        assert (symbol, verdict.action) == ("DMARC_POLICY_REJECT", Action.ACCEPT)
        assert (result.policy, result.disposition) == ("reject", "none")
        assert (await made.say("From: a@b.test, c@d.test\r\n"))[2].action is Action.ACCEPT


PASSED = b"i=1; lists.test; dmarc=pass header.from=example.com; spf=fail"
CHAIN = ArcResult(PASS, ("lists.test",), (PASSED,))


@pytest.mark.parametrize(
    ("chain", "vouched"),
    [
        (CHAIN, True),
        (replace(CHAIN, sealers=("mx.lists.test",)), True),
        (replace(CHAIN, outcome=FAIL), False),
        (replace(CHAIN, sealers=("evil.test",)), False),
        (replace(CHAIN, claims=(b"i=1; lists.test; dmarc=fail header.from=example.com",)), False),
        (replace(CHAIN, claims=(b"i=1; lists.test; dmarc=pass header.from=other.test",)), False),
        (replace(CHAIN, claims=(b'i=1; lists.test; x=y reason="dmarc=pass"',)), False),
        (ArcResult(PASS, ("lists.test", "lists.test"), (PASSED, b"i=2; l; dmarc=fail")), True),
        (ArcResult(PASS, ("lists.test", "evil.test"), (PASSED, b"i=2; l; arc=pass")), False),
        (ArcResult(PASS, ("evil.test", "lists.test"), (PASSED, b"i=2; l; dmarc=fail")), False),
        (ArcResult(NONE), False),
    ],
)
async def test_trusted_forwarders_vouch(chain: ArcResult, vouched: bool) -> None:
    async with judge(example__com=REJECT) as made:
        made.settings = DmarcSettings(trusted_arc=["lists.test"])
        _, result, verdict = await made.ask("example.com", chain)
        assert verdict.action is (Action.ACCEPT if vouched else Action.REJECT)
        assert result.outcome is FAIL and ("vouches" in result.reason) is vouched


async def test_a_chain_that_cannot_be_validated_now_comes_again() -> None:
    async with judge(example__com=REJECT) as made:
        unknown = ArcResult(FAIL, temporary=True)
        assert (await made.ask("example.com", unknown))[2].action is Action.REJECT
        made.settings = DmarcSettings(trusted_arc=["lists.test"])
        asked = context("From: a@example.com\r\n", unknown)
        verdict = await made.filter().data(asked)
        assert (verdict.action, verdict.code, verdict.status) == (Action.DEFER, 451, "4.4.3")


async def test_the_chain_is_validated_only_when_it_matters() -> None:
    async with judge(example__com=REJECT) as made:
        asked: list[Context] = []

        async def arc(context: Context) -> ArcResult:
            asked.append(context)
            return CHAIN

        settings = DmarcSettings(trusted_arc=["lists.test"])
        tested = Dmarc(settings, made.resolver, arc=arc)
        passing = context("From: a@example.com\r\n", dkim("example.com"))
        assert (await tested.data(passing)).action is Action.ACCEPT and not asked
        failing = context("From: a@example.com\r\n")
        verdict = await tested.data(failing)
        assert verdict.action is Action.ACCEPT and asked == [failing]
        assert verdict.results[0] is CHAIN, "it is told, so that nobody validates it again"
