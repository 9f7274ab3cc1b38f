"""Windows, backlogs and sites as values: who gets a session, and whose message is next."""

from pathlib import Path

import pytest

from smtp.outbound import sites as sites_module
from smtp.outbound.backlog import Backlog
from smtp.outbound.hop import Hop
from smtp.outbound.results import temporary
from smtp.outbound.sites import BACK_OFF, BRIEF, Sites
from smtp.outbound.window import START, Window
from storage.queue_batch import Wanted
from storage.queue_scan import DueLane
from storage.queue_values import Claim, ClaimedRecipient
from storage.values import QueueId

GONE = temporary("4.4.1", "no connection")


def claim(number: int, domain: str = "there.test") -> Claim:
    recipient = ClaimedRecipient(0, f"u@{domain}", domain, "", "", 0, False, "")
    return Claim(
        QueueId(number), "me", Path("x"), "s@x.test", 1, 0.0, "", "", "", False, False, [recipient]
    )


def fill(backlog: Backlog, lane: str, numbers: range, domain: str = "there.test") -> None:
    backlog.put([Wanted(domain, lane, 1000)], [[claim(number) for number in numbers]])


def order(backlog: Backlog) -> list[int]:
    numbers = []
    while (found := backlog.pop()) is not None:
        numbers.append(int(found[1].queue))
    return numbers


def test_window_starts_with_one_and_doubles_in_a_round_of_successes() -> None:
    window = Window(20)
    assert window.slots == 1
    window.success()
    assert window.slots == START
    for _ in range(START):
        window.success()
    assert window.slots == 2 * START
    for _ in range(100):
        window.success()
    assert window.slots == 20


def test_window_halves_once_for_failures_that_were_under_way_together() -> None:
    window = Window(20)
    for _ in range(30):
        window.success()
    for _ in range(10):
        window.failure(began=1.0, now=5.0)
    assert window.slots == 10
    window.failure(began=6.0, now=7.0)
    assert window.slots == 5


def test_window_grows_by_one_a_round_after_a_failure() -> None:
    window = Window(20)
    for _ in range(30):
        window.success()
    window.failure(began=1.0, now=2.0)
    for _ in range(10):
        window.success()
    assert window.slots == 10
    for _ in range(2):
        window.success()
    assert window.slots == 11


def test_window_never_closes() -> None:
    window = Window(20)
    for number in range(10):
        window.failure(began=number + 0.5, now=number + 1)
    assert window.slots == 1


def test_one_message_of_a_sender_does_not_wait_for_a_thousand_of_another() -> None:
    backlog = Backlog()
    fill(backlog, "09:=1", range(1000))
    fill(backlog, "09:=2", range(5000, 5001))
    assert 5000 in order(backlog)[:2]


def test_lanes_take_turns() -> None:
    backlog = Backlog()
    fill(backlog, "09:=1", range(3))
    fill(backlog, "09:=2", range(10, 13))
    assert order(backlog) == [0, 10, 1, 11, 2, 12]


def test_urgent_mail_goes_first_and_the_rest_is_not_starved() -> None:
    backlog = Backlog()
    fill(backlog, "09:=1", range(100, 110))
    fill(backlog, "05:=2", range(10))
    taken = order(backlog)
    assert taken[:4] == [0, 1, 2, 3]
    assert [number for number in taken[:10] if number >= 100] == [100, 101]
    assert sorted(taken) == [*range(10), *range(100, 110)]


def test_lane_that_gave_less_than_wanted_is_done() -> None:
    backlog = Backlog()
    backlog.add(DueLane("there.test", "09:=1"))
    (want,) = backlog.wanted(10)
    assert want == Wanted("there.test", "09:=1", 10)
    backlog.put([want], [[claim(1)]])
    assert backlog.wanted(10) == []
    assert order(backlog) == [1]
    assert len(backlog) == 0


def test_lane_that_gave_all_is_asked_again_when_little_is_ready() -> None:
    backlog = Backlog()
    backlog.add(DueLane("there.test", "09:=1"))
    backlog.put(backlog.wanted(2), [[claim(1), claim(2)]])
    assert backlog.wanted(2) == []
    backlog.pop()
    assert backlog.wanted(2) == [Wanted("there.test", "09:=1", 2)]


def test_claim_given_back_is_the_next_of_its_lane() -> None:
    backlog = Backlog()
    fill(backlog, "09:=1", range(2))
    found = backlog.pop()
    assert found is not None
    backlog.give_back(*found)
    assert backlog.claimed == 2
    assert order(backlog) == [0, 1]


def site_hops(*hosts: str) -> list[Hop]:
    return [Hop(host, ("192.0.2.1",), 25) for host in hosts]


def test_domains_with_the_same_hosts_are_one_site() -> None:
    sites = Sites()
    one = sites.add(DueLane("one.test", "09:=1"))
    two = sites.add(DueLane("two.test", "09:=1"))
    assert one is not two
    site = sites.learn("one.test", site_hops("a.test", "b.test"))
    assert sites.learn("two.test", site_hops("b.test", "a.test")) is site
    assert {due.domain for due in site.backlog.due()} == {"one.test", "two.test"}
    assert sites.add(DueLane("one.test", "09:=7")) is site
    assert sites.learn("one.test", site_hops("c.test")) is not site


def test_what_came_late_to_the_former_site_of_a_domain_moves_too() -> None:
    sites = Sites()
    former = sites.add(DueLane("one.test", "09:=1"))
    site = sites.learn("one.test", site_hops("a.test"))
    fill(former.backlog, "09:=1", range(3), "one.test")
    assert sites.learn("one.test", site_hops("a.test"), former) is site
    assert (former.backlog.claimed, site.backlog.claimed) == (0, 3)


def test_back_off_grows_and_ends_with_a_success() -> None:
    site = Sites().of("there.test")
    for expected in (*BACK_OFF, BACK_OFF[-1]):
        now = site.dead_until
        site.unreachable(GONE, now, 0)
        assert site.dead_until - now == expected
    site.success(1.0)
    assert not site.is_dead(0.0)


def test_a_site_that_took_mail_is_asked_again_soon() -> None:
    """Whatever its mail went through before: 4 attempts of the message say nothing of the site."""
    site = Sites().of("there.test")
    site.success(1.0)
    for expected in (*BRIEF, *BACK_OFF, BACK_OFF[-1]):
        now = site.dead_until
        site.unreachable(GONE, now, 4)
        assert site.dead_until - now == expected


def test_back_off_after_a_restart_goes_on_from_what_the_message_knows() -> None:
    site = Sites().of("there.test")
    site.unreachable(GONE, 0.0, 3)
    assert site.dead_until == BACK_OFF[3]


def test_what_is_remembered_of_sites_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites_module, "REMEMBERED", 10)
    sites = Sites()
    busy = sites.add(DueLane("busy.test", "09:=1"))
    for number in range(100):
        sites.learn(f"d{number}.test", site_hops(f"mx{number}.test"))
    assert sites.known <= 12
    assert sites.of("busy.test") is busy
