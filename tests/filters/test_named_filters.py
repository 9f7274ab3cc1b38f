"""The first filters: rate limit, blocklist, syntax and tagging."""

import pytest

from auth.login_values import Login
from config.sections_filters import TaggingRule
from config.sections_server import Limits
from filters.context import Context, Kind, Message, Peer
from filters.ratelimit import RateLimit, Rates
from filters.syntax import Syntax
from filters.tagging import Tagging
from storage.values import AccountId, Content
from tests.support.directories import MovedClock


def context(address: str = "192.0.2.1", *, local: bool = False, header: bytes = b"") -> Context:
    made = Context(Kind.MX, Peer(address, local=local))
    made.message = Message(Content(10, b""), header)
    return made


def rate_limit(**limits: int) -> RateLimit:
    rates = Rates(MovedClock())
    rates.reload(Limits.model_validate(limits))
    return RateLimit(rates)


async def test_accounts_count_wherever_they_are() -> None:
    limit = rate_limit(messages_per_minute_per_address=1, messages_per_minute_per_account=1)
    first, second = context("192.0.2.1"), context("192.0.2.2")
    first.login = second.login = Login(AccountId(1), "a@b.test", False)
    assert not (await limit.mail(first)).refused
    refused = await limit.mail(second)
    assert (refused.code, refused.status) == (450, "4.7.1")
    second.login = None
    assert not (await limit.mail(second)).refused
    assert (await limit.mail(second)).refused
    assert not (await limit.mail(context(local=True))).refused
    assert not (await limit.mail(context(local=True))).refused


async def test_a_network_has_a_multiple_of_an_address() -> None:
    limit = rate_limit(messages_per_minute_per_address=1, network_factor=2)
    refused = [(await limit.mail(context(f"192.0.2.{n}"))).refused for n in range(3)]
    assert refused == [False, False, True]
    assert not (await limit.mail(context("192.0.3.1"))).refused


async def test_recipients_count_too() -> None:
    limit = rate_limit(
        recipients_per_minute_per_address=2, recipients_per_minute_per_account=1, network_factor=0
    )
    asked = context()
    assert [(await limit.rcpt(asked)).code for _ in range(3)] == [0, 0, 450]
    asked.login = Login(AccountId(1), "a@b.test", False)
    assert [(await limit.rcpt(asked)).code for _ in range(2)] == [0, 450]
    assert not (await limit.rcpt(context(local=True))).refused


async def test_sizes() -> None:
    syntax = Syntax(Limits(message_size=10))
    assert not (await syntax.data(context())).refused
    large = context()
    large.message = Message(Content(11, b""), b"")
    assert (await syntax.data(large)).status == "5.3.4"
    endless = context()
    endless.message = Message(Content(10, b""), b"", whole_header=False)
    assert (await syntax.data(endless)).status == "5.3.4"


def rule(header: str, contains: str, tag: str) -> TaggingRule:
    return TaggingRule(header=header, contains=contains, tag=tag)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        (b"List-Id: <python-dev.PYTHON.org>\r\n", {"lists"}),
        (b"list-id: a\r\n fold python\r\n", {"lists"}),
        (b"Subject: =?utf-8?q?P=C3=BCnktlich?=\r\nList-Id: python\r\n", {"lists", "time"}),
        (b"X-List-Id: python\r\n", set()),
        (b"Subject: List-Id: python\r\n", set()),
        (b"", set()),
    ],
)
async def test_tags(header: bytes, tags: set[str]) -> None:
    tagging = Tagging([rule("List-Id", "python", "lists"), rule("Subject", "pünktlich", "time")])
    assert (await tagging.data(context(header=header))).keywords == tags
