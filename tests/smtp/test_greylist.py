"""Greylisting (RFC 6647): who has to come again, and who is expected and passes at once."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from auth.login_values import Login
from config.sections_filters import Greylisting
from filters.authentication.results import DkimResult, Identity, Outcome, Result, SpfResult
from filters.context import Context, Kind, Peer, Recipient
from filters.greylist import Greylist, proven_domains, triplet
from net.threads import Offload
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.seen import Kind as Seen
from storage.values import AccountId
from tests.support.directories import PASSWORD, MovedClock, make_settings
from tests.support.dns_server import DnsServer, dns_server
from tests.support.smtp_receiving import ADA, OUTSIDE, Client, Receiving, receiving, without_id

SETTINGS = Greylisting.model_validate({"delay": "5m", "window": "2h", "keep": "36d"})


@asynccontextmanager
async def greylist(folder: Path) -> AsyncIterator[tuple[Greylist, Directory, MovedClock]]:
    clock, offload = MovedClock(), Offload()
    directory = await Directory.open(make_settings(folder), clock, offload)
    yield Greylist(SETTINGS, directory, clock), directory, clock
    await directory.close()
    offload.close()


def context(
    address: str = "192.0.2.1", sender: str = OUTSIDE, recipient: str = ADA, *results: Result
) -> Context:
    made = Context(Kind.MX, Peer(address))
    made.sender, made.results = sender, list(results)
    made.rcpt = Recipient(recipient, Resolution(Status.DELIVERABLE))
    return made


async def test_a_triplet_passes_after_the_delay_and_stays(tmp_path: Path) -> None:
    async with greylist(tmp_path) as (grey, _, clock):
        first = await grey.rcpt(context())
        assert (first.code, first.status) == (450, "4.7.1")
        assert first.text == "Greylisted, try again in 300 seconds"
        clock.seconds += 100
        assert (await grey.rcpt(context())).text == "Greylisted, try again in 200 seconds"
        assert (await grey.rcpt(context("198.51.100.1"))).refused
        assert (await grey.rcpt(context(recipient="ben@example.test"))).refused
        clock.seconds += 201
        assert not (await grey.rcpt(context())).refused
        assert not (await grey.rcpt(context("192.0.2.77"))).refused
        for _ in range(3):
            clock.seconds += 30 * 86400
            assert not (await grey.rcpt(context())).refused
        clock.seconds += 37 * 86400
        assert (await grey.rcpt(context())).refused


async def test_who_comes_too_late_begins_again(tmp_path: Path) -> None:
    async with greylist(tmp_path) as (grey, _, clock):
        assert (await grey.rcpt(context())).refused
        clock.seconds += 7201
        assert (await grey.rcpt(context())).text == "Greylisted, try again in 300 seconds"


async def test_friends_are_never_asked(tmp_path: Path) -> None:
    async with greylist(tmp_path) as (grey, _, _):
        local = context()
        local.peer = Peer("192.0.2.1", local=True)
        user = context()
        user.kind, user.login = Kind.SUBMISSION, Login(AccountId(1), ADA, False)
        for friend in (local, user):
            assert not (await grey.rcpt(friend)).refused


async def test_only_proof_by_spf_of_a_domain_that_proved_itself_before(tmp_path: Path) -> None:
    passed = SpfResult(Outcome.PASS, Identity.MAIL_FROM, "elsewhere.test")
    failed = SpfResult(Outcome.FAIL, Identity.MAIL_FROM, "elsewhere.test")
    helo = SpfResult(Outcome.PASS, Identity.HELO, "elsewhere.test")
    async with greylist(tmp_path) as (grey, directory, _):
        asked = ("192.0.2.1", OUTSIDE, ADA)
        assert (await grey.rcpt(context(*asked, passed))).refused
        signed = DkimResult(Outcome.PASS, "elsewhere.test")
        assert proven_domains((signed, helo, failed)) == {"elsewhere.test"}
        directory.seen.met(Seen.DOMAIN, proven_domains((signed,)))
        assert not (await grey.rcpt(context(*asked, passed))).refused
        for other in (failed, helo):
            assert (await grey.rcpt(context(*asked, other))).refused


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("192.0.2.1", "a@b.test", "c@d.test"), ("192.0.2.9", "A@b.test", "C@d.test"), True),
        (("192.0.2.1", "a@b.test", "c@d.test"), ("192.0.3.1", "a@b.test", "c@d.test"), False),
        (("2001:db8::1", "", "c@d.test"), ("2001:db8::ff", "", "c@d.test"), True),
        (("2001:db8::1", "", "c@d.test"), ("2001:db8:0:1::1", "", "c@d.test"), False),
        (
            ("192.0.2.1", "list-123-c=d.test@b.test", "c@d.test"),
            ("192.0.2.1", "list-9-c=d.test@b.test", "c@d.test"),
            True,
        ),
        (
            ("192.0.2.1", "prvs=1234abcdef=a@b.test", "c@d.test"),
            ("192.0.2.1", "prvs=9999fedcba=a@b.test", "c@d.test"),
            True,
        ),
    ],
)
def test_what_counts_as_the_same(
    first: tuple[str, str, str], second: tuple[str, str, str], same: bool
) -> None:
    assert (triplet(*first) == triplet(*second)) is same


# -- the real server


@asynccontextmanager
async def server(folder: Path, dns: DnsServer, delay: str) -> AsyncIterator[Receiving]:
    sections: dict[str, Any] = {
        "filters": {"local_networks": [], "pipeline": ["spf", "greylist"]},
        "dns": {"nameservers": [str(dns.endpoint)]},
        "smtp": {"greet_delay": "0s", "tarpit": "0s"},
        "greylist": {"delay": delay},
        "auth": {"bcrypt_rounds": 4, "plaintext_from": ["127.0.0.0/8"]},
    }
    async with receiving(folder, **sections) as running:
        yield running


async def attempt(client: Client, sender: str = OUTSIDE) -> str:
    await client.say("RSET")
    assert (await client.say(f"MAIL FROM:<{sender}>"))[:3] == "250"
    return await client.say(f"RCPT TO:<{ADA}>")


async def come_again(client: Client) -> None:
    """Returns when the recipient is taken."""
    async with asyncio.timeout(20):
        while not (await attempt(client)).startswith("250"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_server_that_comes_again_is_served(tmp_path: Path) -> None:
    async with dns_server() as dns, server(tmp_path, dns, "1s") as running:
        client = await running.client()
        await client.greet()
        assert without_id(await attempt(client))[:32] == "450 4.7.1 Greylisted, try again "
        await come_again(client)


async def test_those_whom_our_users_wrote_to_are_expected(tmp_path: Path) -> None:
    async with dns_server() as dns, server(tmp_path, dns, "1h") as running:
        client = await running.client()
        await client.greet()
        assert (await attempt(client)).startswith("450")
        user = await running.client("submission")
        await user.greet()
        await user.say("AUTH LOGIN")
        for word in (ADA, PASSWORD):
            answer = await user.say(b64encode(word.encode()))
        assert answer[:3] == "235"
        for line in (f"MAIL FROM:<{ADA}>", f"RCPT TO:<{OUTSIDE}>", "DATA"):
            assert (await user.say(line))[0] in "23"
        assert (await user.say(f"From: {ADA}\r\n\r\nhello\r\n."))[:3] == "250"
        assert (await attempt(client)).startswith("250")
        assert (await attempt(client, "other@elsewhere.test")).startswith("450")


async def test_a_domain_that_proved_itself_is_expected(tmp_path: Path) -> None:
    async with dns_server() as dns, server(tmp_path, dns, "1s") as running:
        dns.set("elsewhere.test", "TXT", '"v=spf1 ip4:127.0.0.1 -all"')
        client = await running.client()
        await client.greet()
        await come_again(client)
        assert (await client.say("DATA"))[:3] == "354"
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
        assert (await attempt(client, "another@elsewhere.test")).startswith("250")
        assert (await attempt(client, "another@other.test")).startswith("450")
