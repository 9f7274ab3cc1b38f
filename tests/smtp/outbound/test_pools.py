"""Pools of our own addresses: which mail leaves from which, how many a day, and under what name."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.sections_sending import Outbound, PoolRoute, WarmUp
from net.threads import Offload
from smtp.outbound.results import given_up
from smtp.outbound.routing import Routing
from smtp.outbound.sources import Leave, NoWay, Sources, UsedUp, allowance, provider_of
from storage.directory import Directory
from storage.queue_scan import DueLane
from storage.queue_values import Listed, lane_name, lane_parts
from storage.values import AccountId
from tests.smtp.outbound.conftest import Sender
from tests.support.directories import make_settings
from tests.support.queue_harness import ManualClock
from tests.support.smtp_sink import Sink

TWO, THREE, FOUR = "127.0.0.2", "127.0.0.3", "127.0.0.4"
OUT2, OUT3 = "out2.example.test", "out3.example.test"
DAY = 86_400.0


def today(clock: ManualClock) -> date:
    return datetime.fromtimestamp(clock.now(), UTC).date()


def pool(name: str, *sources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "source": list(sources), **more}


def plan(clock: ManualClock, messages: int, **more: Any) -> dict[str, Any]:
    return {"start": today(clock), "messages": messages, "factor": 2.0, **more}


def gone(shown: Listed | None) -> bool:
    return shown is None


def waits(shown: Listed | None) -> bool:
    return shown is not None and shown.recipients[0].attempts == 1


def came_from(sink: Sink) -> list[tuple[str, str]]:
    """Address and EHLO name by which each message came."""
    return [(one.peer, one.helo) for one in sink.received]


@pytest.fixture
async def directory(sender: Sender, tmp_path: Path) -> AsyncIterator[Directory]:
    """With accounts, and the counts of what was sent."""
    offload = Offload(processes=1)
    settings = make_settings(tmp_path / "config")
    settings.data_dir.mkdir(parents=True)
    opened = await Directory.open(settings, sender.clock, offload)
    sender.directory = opened
    yield opened
    if sender.outbound is not None:
        await sender.outbound.stop()
        sender.outbound = None
    await opened.close()
    offload.close()


async def test_mail_leaves_by_the_pool_that_the_first_fitting_route_names(
    sender: Sender, sink: Sink, directory: Directory
) -> None:
    news = await directory.add_account("news@example.test", "hash")
    sender.dns.set("there.test", "A", "127.0.0.1")
    await sender.start(
        sink.endpoint.port,
        pool=[
            pool("bulk", {"address": TWO, "name": OUT2}),
            pool("rest", {"address": THREE}),
        ],
        route=[
            {"pool": "bulk", "account": "NEWS@example.test"},
            {"pool": "bulk", "sender_domain": "*.shop.test", "priority": [-9, -1]},
            {"pool": "rest", "recipient_domain": "there.test", "sender_domain": ["<>", "a.test"]},
        ],
    )
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"sender": "news@example.test", "account": news.id}, TWO, OUT2),
        ({"sender": "me@example.test", "account": AccountId(99)}, "127.0.0.1", "mx.example.test"),
        ({"sender": "x@eu.shop.test", "priority": -3}, TWO, OUT2),
        ({"sender": "x@eu.shop.test"}, "127.0.0.1", "mx.example.test"),
        ({"sender": ""}, THREE, "mx.example.test"),
        ({"sender": "x@a.test"}, THREE, "mx.example.test"),
    ]
    for number, (mail, address, name) in enumerate(cases):
        queue = await sender.store.put(f"u{number}@there.test", **mail)
        await sender.until(gone, queue)
        assert came_from(sink)[-1] == (address, name), mail


async def test_a_used_up_address_is_passed_over_and_then_mail_waits_for_tomorrow(
    sender: Sender, sink: Sink, directory: Directory
) -> None:
    sender.dns.set("there.test", "A", "127.0.0.1")
    warm = {"address": TWO, "warm_up": plan(sender.clock, 2, ceiling=3)}
    warmer = {"address": THREE, "warm_up": plan(sender.clock, 3)}
    outbound = {"pool": [pool("p", warm, warmer)], "route": [{"pool": "p"}]}
    await sender.start(sink.endpoint.port, **outbound)
    ids = [await sender.store.put(f"u{n}@there.test") for n in range(5)]
    for queue in ids:
        await sender.until(gone, queue)
    peers = [peer for peer, _ in came_from(sink)]
    assert (peers.count(TWO), peers.count(THREE)) == (2, 3)

    late = await sender.store.put("late@there.test")
    shown = await sender.until(waits, late)
    assert shown is not None
    (recipient,) = shown.recipients
    assert "the pool p have sent what they may today" in recipient.last_reply
    midnight = (sender.clock.now() // DAY + 1) * DAY
    assert recipient.next_attempt == midnight
    sender.advance(midnight - sender.clock.now())
    await sender.until(gone, late)
    assert len(sink.received) == 6
    assert directory.source_counts.get(TWO) + directory.source_counts.get(THREE) == 1


async def test_a_restart_does_not_begin_the_day_anew(
    sender: Sender, sink: Sink, tmp_path: Path
) -> None:
    sender.dns.set("there.test", "A", "127.0.0.1")
    one = {"address": TWO, "warm_up": plan(sender.clock, 1)}
    outbound = {"pool": [pool("p", one)], "route": [{"pool": "p"}]}
    settings = make_settings(tmp_path / "config")
    settings.data_dir.mkdir(parents=True)
    offload = Offload(processes=1)
    for number, state in enumerate((gone, waits)):
        directory = await Directory.open(settings, sender.clock, offload)
        sender.directory = directory
        await sender.start(sink.endpoint.port, **outbound)
        await sender.until(state, await sender.store.put(f"u{number}@there.test"))
        assert sender.outbound is not None
        await sender.outbound.stop()
        sender.outbound = None
        await directory.close()
    assert came_from(sink) == [(TWO, "mx.example.test")]
    offload.close()


async def test_what_nobody_took_is_not_counted_and_the_reply_names_our_address(
    sender: Sender, sink: Sink, directory: Directory
) -> None:
    sender.dns.set("there.test", "A", "127.0.0.1")
    sink.refuse["no@there.test"] = "450 4.2.0 later"
    one = {"address": TWO, "warm_up": plan(sender.clock, 1)}
    await sender.start(sink.endpoint.port, pool=[pool("p", one)], route=[{"pool": "p"}])
    shown = await sender.until(waits, await sender.store.put("no@there.test"))
    assert shown is not None
    port = sink.endpoint.port
    expected = f"there.test[127.0.0.1]:{port} from {TWO}: 450 4.2.0 later"
    assert shown.recipients[0].last_reply == expected
    await sender.until(gone, await sender.store.put("yes@there.test"))
    assert directory.source_counts.get(TWO) == 1


async def test_each_family_has_its_own_source(sender: Sender, sink: Sink) -> None:
    """The host's IPv6 address is not tried from an IPv4 source: the pool has none for it."""
    sender.dns.set("there.test", "AAAA", "::1")
    sender.dns.set("there.test", "A", "127.0.0.1")
    sender.dns.set("six.test", "AAAA", "::1")
    one = {"address": TWO, "name": OUT2}
    await sender.start(sink.endpoint.port, pool=[pool("p", one)], route=[{"pool": "p"}])
    await sender.until(gone, await sender.store.put("u@there.test"))
    assert came_from(sink) == [(TWO, OUT2)]
    shown = await sender.until(waits, await sender.store.put("u@six.test"))
    assert shown is not None
    assert "the pool p has no address that reaches six.test" in shown.recipients[0].last_reply


async def test_happy_eyeballs_connects_from_the_source_of_the_family(sender: Sender) -> None:
    sink = Sink()
    await sink.start("::1")
    try:
        sender.dns.set("there.test", "AAAA", "::1")
        sender.dns.set("there.test", "A", "127.0.0.9")
        sources = ({"address": TWO, "name": OUT2}, {"address": "::1", "name": OUT3})
        await sender.start(sink.endpoint.port, pool=[pool("p", *sources)], route=[{"pool": "p"}])
        await sender.until(gone, await sender.store.put("u@there.test"))
        assert came_from(sink) == [("::1", OUT3)]
    finally:
        await sink.close()


async def test_sessions_are_not_shared_between_pools(sender: Sender, sink: Sink) -> None:
    sender.dns.set("there.test", "A", "127.0.0.1")
    pools = [pool("a", {"address": TWO}), pool("b", {"address": THREE})]
    routes = [{"pool": "a", "sender_domain": "a.test"}, {"pool": "b"}]
    mail = [
        await sender.store.put(f"u{n}@there.test", sender=f"x@{domain}.test")
        for n in range(10)
        for domain in ("a", "b")
    ]
    await sender.start(sink.endpoint.port, pool=pools, route=routes)
    for queue in mail:
        await sender.until(gone, queue)
    for one in sink.received:
        assert one.peer == (TWO if one.sender == "x@a.test" else THREE)
    assert sink.sessions < len(mail)


async def test_other_settings_take_effect_at_once(sender: Sender, sink: Sink) -> None:
    sender.dns.set("there.test", "A", "127.0.0.1")
    port = sink.endpoint.port
    await sender.start(port)
    await sender.until(gone, await sender.store.put("u1@there.test"))
    sender.reload(port=port, pool=[pool("p", {"address": FOUR})], route=[{"pool": "p"}])
    await sender.until(gone, await sender.store.put("u2@there.test"))
    assert [peer for peer, _ in came_from(sink)] == ["127.0.0.1", FOUR]


class Counted:
    """Counts in memory."""

    def __init__(self, day: date) -> None:
        self.today, self.tomorrow = day, 5.0
        self.counts: dict[tuple[str, str], int] = {}

    def get(self, address: str, provider: str = "") -> int:
        return self.counts.get((address, provider), 0)

    def add(self, address: str, provider: str, messages: int) -> None:
        self.counts[address, provider] = self.get(address, provider) + messages


def sources(used_up: str = "next", **warm_up: Any) -> Sources:
    warm = {"start": date(2026, 1, 1), "messages": 2, **warm_up}
    pools = [pool("p", *({"address": a, "warm_up": warm} for a in (TWO, THREE)), used_up=used_up)]
    settings = Outbound.model_validate({"pool": pools, "route": [{"pool": "p"}]})
    return Sources(settings, Counted(date(2026, 1, 1)), ManualClock())


def send(made: Sources, leave: Leave, host: str) -> str:
    source = made.choose(leave, host, ["192.0.2.1"]).source_for("192.0.2.1")
    assert source is not None
    assert made.take(source, host)
    return source.address


def may_send(made: Sources, leave: Leave) -> bool:
    try:
        made.choose(leave, "h", ["192.0.2.1"])
    except UsedUp:
        return False
    return True


def test_a_sender_keeps_to_one_address_and_waits_for_it() -> None:
    made = sources("wait")
    for whose in ("a.test", "b.test", "=5:c.test"):
        leave = Leave("p", whose)
        assert made.serves(leave, made.choose(leave, "h", ["192.0.2.1"]).source_for("192.0.2.1"))
    leave = Leave("p", "a.test")
    assert send(made, leave, "mx.h.test") == send(made, leave, "mx.h.test")
    with pytest.raises(UsedUp, match="sent what they may") as caught:
        made.choose(leave, "mx.h.test", ["192.0.2.1"])
    assert caught.value.until == 5.0
    free = [one for one in range(20) if may_send(made, Leave("p", f"{one}.test"))]
    assert 0 < len(free) < 20  # those that keep to the other address


def test_each_provider_has_a_number_of_its_own() -> None:
    made = sources(per_provider=True)
    for host in ("mx1.one.test", "mx2.one.test", "mx.two.test"):
        for _ in range(2):
            send(made, Leave("p"), host)
    with pytest.raises(UsedUp):
        made.choose(Leave("p"), "mx3.one.test", ["192.0.2.1"])
    assert send(made, Leave("p"), "mx.two.test")
    with pytest.raises(NoWay):
        made.choose(Leave("p"), "mx.two.test", ["2001:db8::1"])
    assert provider_of("a.mail.protection.outlook.com") == "outlook.com"
    assert provider_of("[192.0.2.1]") == "[192.0.2.1]"


@given(
    st.integers(1, 1000),
    st.floats(1, 100),
    st.integers(0, 10**6),
    st.integers(-5, 20_000),
)
def test_the_plan_grows_to_its_ceiling(first: int, factor: float, top: int, days: int) -> None:
    warm = WarmUp(start=date(1970, 1, 1), messages=first, factor=factor, ceiling=top)
    day = date.fromordinal(date(1970, 1, 1).toordinal() + days)
    allowed = allowance(warm, day)
    if days < 0:
        assert allowed == 0
        return
    later = allowance(warm, date.fromordinal(day.toordinal() + 1))
    assert later is None or (allowed is not None and later >= allowed)
    if top:
        assert allowed is not None
        assert min(first, top) <= allowed <= top


def test_plan_by_day() -> None:
    warm = WarmUp(start=date(2026, 1, 1), messages=50, factor=1.5, ceiling=200)
    days = [allowance(warm, date(2026, 1, n)) for n in range(1, 7)]
    assert days == [50, 75, 112, 168, 200, 200]
    assert allowance(WarmUp(start=date(1990, 1, 1)), date(2026, 1, 1)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"route": [{"pool": "p"}]},
        {"pool": [{"name": "p", "source": []}]},
        {"pool": [{"name": "p", "source": [{"address": "mx.test"}]}]},
        {"pool": [{"name": "p", "source": [{"address": TWO}]}] * 2, "route": []},
        {"pool": [{"name": "p", "source": [{"address": TWO, "warm_up": {}}]}]},
    ],
)
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Outbound.model_validate(wrong)


@given(
    st.sampled_from(["", "a@b.test", "A@B.test", "x@[IPv6:::1]", "y@=7"]),
    st.none() | st.integers(1, 10**12).map(AccountId),
    st.integers(-9, 9),
)
def test_a_lane_says_whose_mail_it_is(
    sender: str, account: AccountId | None, priority: int
) -> None:
    domain, whose, how = lane_parts(lane_name(sender, account, priority))
    assert how == priority
    if not sender.endswith("=7"):
        assert (domain, whose) == (sender.rpartition("@")[2].lower(), account)


def test_a_lane_of_an_older_version_is_no_null_sender() -> None:
    assert lane_parts("05:=12") == ("", AccountId(12), 4)
    rules = [PoolRoute.model_validate({"pool": "p", "sender_domain": "<>"})]
    assert Routing(rules).pool_of(DueLane("there.test", "09:=12")) == ""
    assert Routing(rules).pool_of(DueLane("there.test", "09:")) == "p"


def test_a_bounce_tells_the_last_words_without_our_address() -> None:
    line = f"mx.there.test[192.0.2.1]:25 from {TWO}: 450 4.2.0 later"
    last = given_up(line, "given up")
    assert (last.text, last.remote) == ("450 4.2.0 later", "mx.there.test[192.0.2.1]:25")


async def test_more_sessions_than_messages_allowed_send_no_more(
    sender: Sender, sink: Sink, directory: Directory
) -> None:
    sender.dns.set("there.test", "A", "127.0.0.1")
    sink.pause = 0.05
    one = {"address": TWO, "warm_up": plan(sender.clock, 5)}
    ids = [await sender.store.put(f"u{n}@there.test") for n in range(30)]
    await sender.start(sink.endpoint.port, pool=[pool("p", one)], route=[{"pool": "p"}])
    shown = await asyncio.gather(*(sender.until(lambda s: s is None or waits(s), q) for q in ids))
    assert sum(one is None for one in shown) == len(sink.received) == 5
