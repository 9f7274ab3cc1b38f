"""The first filters: rate limit, blocklist, syntax and tagging."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.login import Login
from config.settings import Limits, TaggingRule
from filters.blocklist import Blocklist
from filters.context import Context, Kind, Message, Peer
from filters.ratelimit import Gcra, RateLimit, address_key
from filters.syntax import Syntax
from filters.tagging import Tagging
from storage.values import AccountId, Content
from tests.support.directories import MovedClock


def context(address: str = "192.0.2.1", *, local: bool = False, header: bytes = b"") -> Context:
    made = Context(Kind.MX, Peer(address, local=local))
    made.message = Message(Content(10, b""), header)
    return made


def test_a_burst_is_the_rate_and_then_one_by_one() -> None:
    clock = MovedClock()
    limit = Gcra(60, clock)
    assert [limit.take("a") for _ in range(61)] == [True] * 60 + [False]
    assert limit.take("b")
    clock.seconds += 1.0
    assert [limit.take("a"), limit.take("a")] == [True, False]
    clock.seconds += 60.0
    assert [limit.take("a") for _ in range(61)] == [True] * 60 + [False]


@given(st.integers(1, 200), st.lists(st.floats(0, 5), max_size=100))
def test_never_more_than_twice_the_rate_in_a_minute(rate: int, gaps: list[float]) -> None:
    clock = MovedClock(0.0)
    limit, taken = Gcra(rate, clock), []
    for gap in gaps:
        clock.seconds += gap
        if limit.take("k"):
            taken.append(clock.seconds)
    for start in taken:
        assert sum(start <= at < start + 60 for at in taken) <= 2 * rate


def test_forgetting_bounds_the_memory() -> None:
    limit = Gcra(1, MovedClock(), keys=2)
    assert all(limit.take(key) for key in "abc")
    assert limit.take("a") and not limit.take("c")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_what_an_address_counts_as(address: str, key: str) -> None:
    assert address_key(address) == key


async def test_accounts_count_wherever_they_are() -> None:
    limit = RateLimit(1, MovedClock())
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


async def test_blocked_networks_of_both_families() -> None:
    block = Blocklist([ip_network("192.0.2.0/25"), ip_network("2001:db8::/32")])
    for address, refused in [
        ("192.0.2.1", True),
        ("192.0.2.200", False),
        ("2001:db8::1", True),
        ("::ffff:192.0.2.1", True),
    ]:
        assert (await block.connect(context(address))).refused is refused


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
