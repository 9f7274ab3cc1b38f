"""DNS lists (RFC 5782): asking them, and whether each answers our resolver at all.

A list that does not know its test point, lists what it must not, or answers with an error code
tells nothing about anybody: it is switched off with a warning until it answers again.
Invariants: look-ups run side by side and end within SECONDS; a list that fails lists nobody.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from config.clock import Clock
from config.dnsbl import is_error, is_listing, parse_codes, symbol_of
from config.logging import Logger
from config.sections_filters import DnsList
from filters.verdict import ACCEPT, Action, Scored, Verdict, merge
from net.dns import DnsError, NoRecords, NoSuchName, Resolver
from net.networks import parse_address

SECONDS = 5.0
CHECK_SECONDS = 300.0
_ACTIONS = {
    "mark": Action.ACCEPT,
    "quarantine": Action.JUNK,
    "defer": Action.DEFER,
    "reject": Action.REJECT,
}
_REASON = 200


@dataclass(slots=True)
class Zone:
    """One zone that is asked, for however many entries of the configuration. `problem` is why it is
    off; it begins off.
    """

    name: str
    domains: bool
    test: str
    entries: list[DnsList] = field(default_factory=list)
    problem: str = "not checked yet"


class DnsLists:
    """`reload` with the lists of the configuration, `start`, ask, `stop`."""

    def __init__(self, resolver: Resolver, clock: Clock, log: Logger) -> None:
        self._resolver, self._clock, self._log = resolver, clock, log
        self._zones: list[Zone] = []
        self._lists: Sequence[DnsList] = ()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def reload(self, lists: Sequence[DnsList]) -> None:
        """Takes changed lists; each is checked before it counts."""
        if list(lists) == list(self._lists):
            return
        self._lists = tuple(lists)
        zones: dict[tuple[str, bool], Zone] = {}
        for one in lists:
            key = (one.zone, one.kind != "address")
            zones.setdefault(key, Zone(*key, one.test)).entries.append(one)
        self._zones = list(zones.values())
        self._wake.set()

    def start(self) -> None:
        """Checks every list at once and from time to time."""
        self._task = asyncio.create_task(self._keep_checking())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def check(self) -> None:
        """Asks every list for its test points and switches it on or off."""
        zones = list(self._zones)
        problems = await asyncio.gather(*(probe(self._resolver, zone) for zone in zones))
        for zone, problem in zip(zones, problems, strict=True):
            self._switch(zone, problem)

    @property
    def problems(self) -> dict[str, str]:
        """Why a list is off, by zone."""
        return {zone.name: zone.problem for zone in self._zones if zone.problem}

    async def judge_address(self, address: str) -> Verdict:
        """What the lists of addresses say of a peer."""
        parsed = parse_address(address)
        zones = [zone for zone in self._zones if not zone.domains and not zone.problem]
        if not zones or parsed is None:
            return ACCEPT
        label = parsed.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
        return await self._judge("address", [(zone, label, str(parsed)) for zone in zones])

    async def judge_domains(self, names: Iterable[str]) -> Verdict:
        """What the lists of domains say of names that a transaction showed."""
        return await self._judge_names("domain", names)

    async def judge_links(self, names: Iterable[str]) -> Verdict:
        """What the lists of links say of domains that links in a message lead to."""
        return await self._judge_names("uri", names)

    async def _judge_names(self, kind: str, names: Iterable[str]) -> Verdict:
        zones = [
            zone
            for zone in self._zones
            if zone.domains and not zone.problem and any(one.kind == kind for one in zone.entries)
        ]
        wanted = {name.rstrip(".").lower() for name in names} if zones else set()
        asked = sorted(name for name in wanted if _is_askable(name))
        return await self._judge(kind, [(zone, name, name) for zone in zones for name in asked])

    async def _judge(self, kind: str, questions: list[tuple[Zone, str, str]]) -> Verdict:
        if not questions:
            return ACCEPT
        asking = [asyncio.create_task(self._ask(kind, *one)) for one in questions]
        done, late = await asyncio.wait(asking, timeout=SECONDS)
        for task in late:
            task.cancel()
        return merge([task.result() for task in asking if task in done])

    async def _ask(self, kind: str, zone: Zone, label: str, subject: str) -> Verdict:
        name = f"{label}.{zone.name}"
        try:
            answers = [IPv4Address(one) for one in await self._resolver.a(name)]
        except DnsError:
            return ACCEPT
        if any(is_error(one) for one in answers):
            self._switch(zone, f"it answers {answers[0]}: it does not serve this resolver")
            return ACCEPT
        listings = [one for one in answers if is_listing(one)]
        entries = [one for one in zone.entries if one.kind == kind]
        found = [one for one in entries if listings and _applies(one, listings)]
        return merge(
            [_verdict(one, subject, await self._text(one, name, subject)) for one in found]
        )

    async def _text(self, entry: DnsList, name: str, subject: str) -> str:
        """What the peer is told; with what the list itself says to it."""
        if entry.action not in ("defer", "reject"):
            return ""
        text = f"{subject} is listed by {entry.zone}"
        try:
            said = (await self._resolver.txt(name))[0]
        except DnsError:
            return text
        plain = said.decode("ascii", "replace").replace("\ufffd", "?")
        return f"{text}: {plain[:_REASON]}"

    def _switch(self, zone: Zone, problem: str) -> None:
        if problem and problem != zone.problem:
            self._log.warning("DNS list off", zone=zone.name, reason=problem)
        elif zone.problem and not problem:
            self._log.info("DNS list on", zone=zone.name)
        zone.problem = problem

    async def _keep_checking(self) -> None:
        while True:
            self._wake.clear()
            await self.check()
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue


async def probe(resolver: Resolver, zone: Zone) -> str:
    """Why a list can't be used, "" when it can (RFC 5782 §5)."""
    if zone.domains:
        listed, free = zone.test or "test", "invalid"
    else:
        listed, free = "2.0.0.127", "1.0.0.127"
    try:
        async with asyncio.timeout(SECONDS):
            there, absent = await asyncio.gather(
                _answers(resolver, f"{listed}.{zone.name}"),
                _answers(resolver, f"{free}.{zone.name}"),
            )
    except TimeoutError:
        return "no answer within 5 seconds"
    except DnsError as error:
        return str(error)
    for answer in (*there, *absent):
        if is_error(answer):
            return f"it answers {answer}: it does not serve this resolver"
    if not any(map(is_listing, there)):
        return f"it does not list its test point {listed}: the zone or the resolver is wrong"
    if any(map(is_listing, absent)):
        return f"it lists {free}, which no list may: the zone lists everything"
    return ""


def zones_of(lists: Sequence[DnsList]) -> list[Zone]:
    """The zones to ask, each once, for `mailserver check`."""
    found: dict[tuple[str, bool], Zone] = {}
    for one in lists:
        key = (one.zone, one.kind != "address")
        found.setdefault(key, Zone(*key, one.test))
    return list(found.values())


async def _answers(resolver: Resolver, name: str) -> list[IPv4Address]:
    try:
        return [IPv4Address(one) for one in await resolver.a(name)]
    except (NoSuchName, NoRecords):
        return []


def _applies(entry: DnsList, listings: list[IPv4Address]) -> bool:
    codes = [parse_codes(text) for text in entry.codes]
    return not codes or any(one in code for one in listings for code in codes)


def _verdict(entry: DnsList, subject: str, text: str) -> Verdict:
    action = _ACTIONS[entry.action]
    symbol = entry.symbol or symbol_of(entry.zone)
    told = Verdict(
        action,
        scored=(Scored(symbol, entry.weight, subject),) if entry.weight else (),
        symbols=(symbol,),
    )
    if action is Action.REJECT:
        return replace(told, code=554, status="5.7.1", text=text)
    if action is Action.DEFER:
        return replace(told, code=450, status="4.7.1", text=text)
    return told


def _is_askable(name: str) -> bool:
    """A domain name of two labels or more; an address is for other lists."""
    return "." in name and len(name) < 200 and name.isascii() and parse_address(name) is None
