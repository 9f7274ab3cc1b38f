"""Sites: where mail goes, one for all domains with the same mail hosts, and what is known of them.

A site has a window of sessions, the backlog of its domains, and, when none of its hosts could be
talked to, a time before which nobody asks again. A domain is a site of its own until its hosts are
known. Mail that leaves by different pools of our addresses has sites of its own: what a host thinks
of one address says nothing of another. What is remembered of sites and domains without work is
bounded.
"""

from collections import OrderedDict
from collections.abc import Iterable

from smtp.outbound.backlog import Backlog
from smtp.outbound.hop import Hop
from smtp.outbound.results import Outcome
from smtp.outbound.routing import Routing
from smtp.outbound.window import Window
from storage.queue_scan import DueLane

REMEMBERED = 10_000
BACK_OFF = (60.0, 300.0, 900.0, 1800.0, 3600.0)
"""Seconds without an attempt after so many failures in a row."""
BRIEF = (10.0, 30.0)
"""Before these, at a site that took mail since the start: most who vanish are only restarted."""


class Site:
    """Times are Unix seconds, those of attempts monotonic."""

    def __init__(self, key: str, most: int, pool: str = "") -> None:
        self.key, self.pool = key, pool
        self.window = Window(most)
        self.backlog = Backlog()
        self.active = 0
        self.failures = 0
        self.dead_until = 0.0
        self.outcome: Outcome | None = None
        self.succeeded_at = float("-inf")
        self.fetching = self.putting_off = False
        self.abandoned = False
        """The settings lead its mail elsewhere: what comes back here goes back to the queue."""

    @property
    def idle(self) -> bool:
        """Nothing to do and nobody at work."""
        return not self.active and not len(self.backlog)

    @property
    def room(self) -> int:
        """Sessions that may be opened."""
        return self.window.slots - self.active

    def is_dead(self, now: float) -> bool:
        return now < self.dead_until

    def success(self, at: float) -> None:
        """A host took a message, or refused it in good order."""
        self.window.success()
        self.succeeded_at = at
        self.failures, self.dead_until, self.outcome = 0, 0.0, None

    def unreachable(self, outcome: Outcome, now: float, tried: int) -> None:
        """None of its hosts could be talked to; `tried`: attempts of the message before, which
        say how long that has been so where nobody remembers the site.
        """
        waits: tuple[float, ...] = BACK_OFF
        if self.succeeded_at > float("-inf"):
            waits = (*BRIEF, *BACK_OFF)
        else:
            self.failures = max(self.failures, min(tried, len(waits) - 1))
        self.failures += 1
        self.dead_until = now + waits[min(self.failures, len(waits)) - 1]
        self.outcome = outcome
        self.window.restart()

    def revive(self) -> None:
        """The operator wants it tried at once."""
        self.dead_until = 0.0


class Sites:
    """`one_way`: everything goes to one host."""

    def __init__(self) -> None:
        self._most, self.one_way = 1, False
        self.routing = Routing()
        self._sites: OrderedDict[str, Site] = OrderedDict()
        self._site_of: OrderedDict[str, str] = OrderedDict()
        self._working: dict[str, Site] = {}

    @property
    def together(self) -> bool:
        """Whether one session takes recipients of every domain."""
        return self.one_way and not self.routing.by_recipient

    @property
    def known(self) -> int:
        """How many sites are remembered."""
        return len(self._sites)

    def configure(self, most: int, *, one_way: bool, routing: Routing | None = None) -> list[Site]:
        """`most` sessions a site. Between a smarthost and none, and with other rules for pools,
        all sites are abandoned: those that were, whose claims are to go back to the queue.
        """
        routing = routing or Routing()
        abandoned: list[Site] = []
        if one_way != self.one_way or routing.rules != self.routing.rules:
            abandoned = list(self._sites.values())
            for known in (self._sites, self._site_of, self._working):
                known.clear()
        self._most, self.one_way, self.routing = most, one_way, routing
        for site in self._sites.values():
            site.window.most = most
        for site in abandoned:
            site.abandoned = True
        return abandoned

    def working(self) -> list[Site]:
        """Sites with something due."""
        for site in [site for site in self._working.values() if not len(site.backlog)]:
            del self._working[site.key]
        return list(self._working.values())

    def lanes(self) -> int:
        """How many lanes have something due."""
        return sum(len(site.backlog) for site in self.working())

    def of(self, domain: str, pool: str = "") -> Site:
        """The site of a domain's mail by a pool, as far as is known."""
        if self.one_way:
            return self._site(_by_pool("", pool), pool)
        place = _by_pool(domain, pool)
        key = self._site_of.get(place)
        if key is not None:
            self._site_of.move_to_end(place)
        return self._site(key or f"domain {place}", pool)

    def of_lane(self, due: DueLane) -> Site:
        """The site of a lane's mail."""
        return self.of(due.domain, self.routing.pool_of(due))

    def look_up(self, due: DueLane) -> Site | None:
        """The site of a lane's mail if anything is known of it."""
        place = _by_pool("" if self.one_way else due.domain, self.routing.pool_of(due))
        return self._sites.get(
            place if self.one_way else self._site_of.get(place, f"domain {place}")
        )

    def add(self, due: DueLane) -> Site:
        """Something is due; the site it belongs to."""
        site = self.of_lane(due)
        site.backlog.add(due)
        self._working[site.key] = site
        return site

    def receive(self, due: DueLane) -> Site:
        """A claim of that lane is handed over; the site it belongs to."""
        site = self.of_lane(due)
        self._working[site.key] = site
        return site

    def learn(self, domain: str, hops: Iterable[Hop], before: Site | None = None) -> Site:
        """The hosts of a domain are known: what `before` (else: the site so far) has of it moves
        to their site.
        """
        before = before or self.of(domain)
        if self.one_way or before.abandoned:
            return before
        key, place = _by_pool(_key(hops), before.pool), _by_pool(domain, before.pool)
        self._site_of[place] = key
        self._site_of.move_to_end(place)
        site = self._site(key, before.pool)
        if site is not before:
            self._move(domain, before, site)
        self._forget()
        return site

    def _move(self, domain: str, before: Site, site: Site) -> None:
        for due in [due for due in before.backlog.due() if due.domain == domain]:
            claims = before.backlog.take(due)
            site.backlog.add(due)
            for claim in reversed(claims):
                site.backlog.give_back(due, claim)
            self._working[site.key] = site

    def revive(self) -> None:
        """Forgets which sites could not be reached."""
        for site in self._sites.values():
            site.revive()

    def _site(self, key: str, pool: str) -> Site:
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = Site(key, self._most, pool)
            self._forget()
        self._sites.move_to_end(key)
        return site

    def _forget(self) -> None:
        """The oldest of what has no work, above REMEMBERED."""
        while len(self._site_of) > REMEMBERED:
            self._site_of.popitem(last=False)
        looked = 0
        while len(self._sites) > REMEMBERED and looked < 100:
            looked += 1
            key, site = next(iter(self._sites.items()))
            if site.idle:
                del self._sites[key]
            else:
                self._sites.move_to_end(key)


def _by_pool(text: str, pool: str) -> str:
    return f"{text} by {pool}" if pool else text


def _key(hops: Iterable[Hop]) -> str:
    """Hosts and how they are talked to; not in which order, nor where their addresses are."""
    return " ".join(sorted({repr(hop.manner) for hop in hops}))
