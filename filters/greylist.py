"""The filter `greylist` (RFC 6647): a stranger that has never written to a recipient comes again.

Programs that try once give up; servers try again. Those whose mail is expected pass at once:
addresses that our users wrote to, and domains that proved themselves before and do so by SPF
again. What was seen is storage/seen.py's.
"""

import re
from dataclasses import replace

from config.clock import Clock
from config.sections_filters import Greylisting
from filters.authentication.results import (
    DkimResult,
    DmarcResult,
    Identity,
    Outcome,
    Result,
    SpfResult,
)
from filters.context import Context
from filters.filter import Filter
from filters.stranger import is_known
from filters.verdict import ACCEPT, Verdict, defer
from net.limits import address_key, network_key
from storage.directory import Directory
from storage.seen import DAY, Kind, Sight

_VARYING = re.compile(r"\d+")
_BATV = re.compile(r"^prvs=[^=]*=", re.IGNORECASE)


class Greylist(Filter):
    """`450 4.7.1` until the triplet of network, sender and recipient is old enough."""

    name = "greylist"

    def __init__(self, settings: Greylisting, directory: Directory, clock: Clock) -> None:
        self._settings, self._directory, self._clock = settings, directory, clock
        bounds = directory.seen.bounds
        bounds[Kind.TRIPLET] = replace(
            bounds[Kind.TRIPLET], passed=settings.keep, unpassed=settings.window
        )

    async def rcpt(self, context: Context) -> Verdict:
        if is_known(context) or context.rcpt is None or await self._is_expected(context):
            return ACCEPT
        what = triplet(context.peer.address, context.sender, context.rcpt.address)
        seen, now = self._directory.seen, self._clock.now()
        sight = await seen.get(Kind.TRIPLET, *what)
        if sight is None:
            seen.put(Kind.TRIPLET, Sight(now, now), *what)
            return _later(self._settings.delay)
        left = sight.first + self._settings.delay - now
        if sight.passed is None and left > 0:
            return _later(left)
        if sight.passed is None or now - sight.last > DAY:
            passed = sight.passed if sight.passed is not None else now
            seen.put(Kind.TRIPLET, replace(sight, last=now, passed=passed), *what)
        return ACCEPT

    async def _is_expected(self, context: Context) -> bool:
        seen = self._directory.seen
        if context.sender and await seen.get(Kind.CORRESPONDENT, context.sender.lower()):
            return True
        for domain in _domains_by_spf(context.results):
            if await seen.get(Kind.DOMAIN, domain):
                return True
        return False


def triplet(address: str, sender: str, recipient: str) -> tuple[str, str, str]:
    """What counts as the same attempt: an IPv4 /24 or IPv6 /64, and a sender without the parts that
    change with each message (numbers of VERP, tags of BATV).
    """
    network = address_key(address) if ":" in address else network_key(address)
    plain = _VARYING.sub("#", _BATV.sub("", sender.lower()))
    return network, plain, recipient.lower()


def proven_domains(results: tuple[Result, ...]) -> set[str]:
    """The domains that a message was authenticated for, by SPF of the sender, DKIM or DMARC."""
    return {
        one.domain
        for one in results
        if isinstance(one, SpfResult | DkimResult | DmarcResult)
        and one.outcome is Outcome.PASS
        and one.domain
        and not (isinstance(one, SpfResult) and one.identity is Identity.HELO)
    }


def _domains_by_spf(results: list[Result]) -> set[str]:
    return proven_domains(tuple(one for one in results if isinstance(one, SpfResult)))


def _later(seconds: float) -> Verdict:
    whole = max(1, int(seconds + 0.999))
    return defer(f"Greylisted, try again in {whole} seconds", symbol="GREYLIST")
