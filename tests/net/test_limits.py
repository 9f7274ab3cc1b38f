"""Rates and numbers at once by key: arithmetic, bounds, and what an address counts as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.limits import AddressRate, Gcra, OpenCount, address_key, network_key
from tests.support.directories import MovedClock


def test_a_burst_is_the_rate_and_then_one_by_one() -> None:
    clock = MovedClock()
    limit = Gcra(60, clock)
    assert [limit.take("a") for _ in range(61)] == [True] * 60 + [False]
    assert limit.take("b")
    clock.seconds += 1.0
    assert [limit.take("a"), limit.take("a")] == [True, False]
    clock.seconds += 60.0
    assert [limit.take("a") for _ in range(61)] == [True] * 60 + [False]


def test_events_of_several_at_once_and_how_long_to_wait() -> None:
    clock = MovedClock(0.0)
    limit = Gcra(60, clock)
    assert limit.take("a", 50) and not limit.take("a", 11) and limit.take("a", 10)
    assert limit.wait("a") == pytest.approx(1.0, abs=0.01)
    assert limit.wait("a", 5) == pytest.approx(5.0, abs=0.01)
    clock.seconds += limit.wait("a", 5)
    assert limit.take("a", 5)
    assert limit.wait("b") == 0


def test_a_changed_rate_keeps_what_was_counted_and_zero_limits_nothing() -> None:
    limit = Gcra(2, MovedClock())
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    limit.change(0)
    assert all(limit.take("a") for _ in range(1000))
    limit.change(2)
    assert not limit.take("a")


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


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 2)), max_size=300))
def test_forgetting_bounds_the_memory(events: list[tuple[int, float]]) -> None:
    clock = MovedClock(0.0)
    limit = Gcra(1, clock, keys=10)
    for key, gap in events:
        clock.seconds += gap
        limit.take(key)
        assert len(limit) <= 10


def test_the_keys_longest_unseen_are_forgotten() -> None:
    limit = Gcra(1, MovedClock(), keys=2)
    assert all(limit.take(key) for key in "abc")
    assert limit.take("a") and not limit.take("c")


def test_neighbours_share_the_rate_of_their_network() -> None:
    limit = AddressRate(2, 3, MovedClock())
    assert [limit.take("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [limit.take("192.0.2.2") for _ in range(3)] == [True, True, False]
    assert [limit.take("192.0.2.3") for _ in range(3)] == [True, True, False]
    assert not limit.take("192.0.2.4")
    assert limit.take("192.0.3.4")


def test_open_at_once_by_address_and_network() -> None:
    count = OpenCount()
    assert [count.enter("192.0.2.1", 2, 3) for _ in range(3)] == [True, True, False]
    assert [count.enter("192.0.2.2", 2, 3) for _ in range(2)] == [True, False]
    count.leave("192.0.2.1")
    assert count.enter("192.0.2.3", 2, 3)
    assert all(count.enter("2001:db8::1", 0, 0) for _ in range(100))
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3", *["2001:db8::2"] * 100):
        count.leave(address)
    assert len(count) == 0


@pytest.mark.parametrize(
    ("address", "key", "network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::/48"),
        ("2001:db8:1:2::9", "2001:db8:1:2::", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::", "fe80::/48"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
        ("", "", ".0/24"),
    ],
)
def test_what_an_address_counts_as(address: str, key: str, network: str) -> None:
    assert address_key(address) == key
    assert network_key(address) == network
