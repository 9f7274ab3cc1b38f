"""check_host(): whether a host may send for a domain (RFC 7208 §4), over awaited look-ups.

Look-ups that find nothing count once a term and only for the name that the term is about: hosts of
an mx without addresses of the client's family are no mistake of the domain's.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from filters.authentication.results import Outcome
from filters.authentication.spf_names import Client, Names, is_name, is_within
from message.spf_macro import MacroString, SpfSyntaxError, parse_explanation
from message.spf_record import (
    Directive,
    Mechanism,
    Qualifier,
    Record,
    RecordParser,
    parse_record,
    select_record,
)
from net.dns import DnsError, DnsUnavailable, NoRecords, NoSuchName
from net.lookups import Lookups

MAX_LOOKUPS = 10
MAX_VOID = 2
MAX_MX = 10
MAX_EXPLANATION = 300
# Records up to this many octets are parsed at once, and remembered.
SMALL = 2048
STEP = 100

_OUTCOMES = {
    Qualifier.PASS: Outcome.PASS,
    Qualifier.FAIL: Outcome.FAIL,
    Qualifier.SOFTFAIL: Outcome.SOFTFAIL,
    Qualifier.NEUTRAL: Outcome.NEUTRAL,
}
_remembered = lru_cache(maxsize=512)(parse_record)


@dataclass(frozen=True, slots=True)
class Finding:
    """`reason` says in plain ASCII what decided; `explanation` is the domain's text for a fail."""

    outcome: Outcome
    reason: str = ""
    explanation: str = ""


async def check_host(lookups: Lookups, client: Client, local: str, domain: str) -> Finding:
    """The result for the sender `local@domain`; `domain` in A-labels. Raises nothing."""
    domain = domain.removesuffix(".").lower()
    if not is_name(domain) or "." not in domain:
        return Finding(Outcome.NONE, "not a domain name")
    check = _Check(lookups, client, local or "postmaster", domain)
    try:
        return await check.run(domain)
    except DnsUnavailable as error:
        return Finding(Outcome.TEMPERROR, _plain(str(error)))
    except (SpfSyntaxError, _PermError) as error:
        return Finding(Outcome.PERMERROR, _plain(str(error)))


class _PermError(Exception):
    """More look-ups than RFC 7208 §4.6.4 allows, or a record that isn't there where it must be."""


@dataclass(frozen=True, slots=True)
class _Decision:
    """What a record came to; the explanation belongs to it and to the domain that has it."""

    outcome: Outcome
    reason: str
    domain: str
    explanation: MacroString | None = None


class _Check:
    """One run of check_host() with all that it includes; it counts over all of them."""

    def __init__(self, lookups: Lookups, client: Client, local: str, domain: str) -> None:
        self._lookups = lookups
        self._names = Names(lookups, client, local, domain)
        self._number = int(client.address)
        self._is_four = client.address.version == 4
        self._terms = self._void = 0

    async def run(self, domain: str) -> Finding:
        decision = await self._decide(domain)
        if decision is None:
            return Finding(Outcome.NONE, "no SPF record")
        explanation = ""
        if decision.outcome is Outcome.FAIL and decision.explanation is not None:
            explanation = await self._explain(decision.explanation, decision.domain)
        return Finding(decision.outcome, decision.reason, explanation)

    async def _decide(self, domain: str) -> _Decision | None:
        """None when the domain has no record. Raises DnsUnavailable and what permerror is."""
        record = await self._record(domain)
        if record is None:
            return None
        for directive in record.directives:
            matched = self._quick(directive)
            if matched is None:
                matched = await self._asks(directive, domain)
            if matched:
                reason = f"{domain} has {_plain(directive.text)}"
                outcome = _OUTCOMES[directive.qualifier]
                return _Decision(outcome, reason, domain, record.explanation)
        if record.redirect is not None:
            return await self._redirect(record.redirect, domain)
        return _Decision(Outcome.NEUTRAL, f"nothing in the record of {domain} matches", domain)

    async def _record(self, domain: str) -> Record | None:
        try:
            text = select_record(await self._lookups.txt(domain))
        except (NoSuchName, NoRecords):
            return None
        except SpfSyntaxError as error:
            raise SpfSyntaxError(f"{domain}: {error}") from None
        try:
            return None if text is None else await _parsed(text)
        except SpfSyntaxError as error:
            raise SpfSyntaxError(f"record of {domain}: {error}") from None

    async def _redirect(self, spec: MacroString, domain: str) -> _Decision:
        """RFC 7208 §6.1."""
        self._count()
        target = await self._names.target(spec, domain)
        decision = None if target is None else await self._decide(target)
        if decision is None:
            raise _PermError(f"redirect={spec.text} of {domain} leads to no record")
        return decision

    def _quick(self, directive: Directive) -> bool | None:
        """Whether it matches, None when that takes look-ups."""
        mechanism = directive.mechanism
        if mechanism is Mechanism.IP4:
            return self._is_four and self._holds(directive.network, directive)
        if mechanism is Mechanism.IP6:
            return not self._is_four and self._holds(directive.network, directive)
        return True if mechanism is Mechanism.ALL else None

    def _holds(self, number: int, directive: Directive) -> bool:
        """Whether the client is in the network of this size around an address."""
        shift = 32 - directive.four if self._is_four else 128 - directive.six
        return number >> shift == self._number >> shift

    async def _asks(self, directive: Directive, domain: str) -> bool:
        self._count()
        target = await self._names.target(directive.domain, domain)
        match directive.mechanism:
            case Mechanism.INCLUDE:
                return await self._include(target, directive, domain)
            case Mechanism.A:
                return target is not None and await self._a(target, directive)
            case Mechanism.MX:
                return target is not None and await self._mx(target, directive)
            case Mechanism.PTR:
                return target is not None and await self._ptr(target)
            case _:
                return target is not None and await self._exists(target)

    async def _include(self, target: str | None, directive: Directive, domain: str) -> bool:
        """RFC 7208 §5.2: only a pass matches, and there must be a record."""
        decision = None if target is None else await self._decide(target)
        if decision is None:
            raise _PermError(f"{directive.text} of {domain} leads to no record")
        return decision.outcome is Outcome.PASS

    async def _a(self, target: str, directive: Directive) -> bool:
        try:
            found = await self._names.addresses(target)
        except (NoSuchName, NoRecords):
            return self._found_nothing()
        return any(self._holds(int(ip_address(one)), directive) for one in found)

    async def _mx(self, target: str, directive: Directive) -> bool:
        try:
            found = await self._lookups.mx(target)
        except (NoSuchName, NoRecords):
            return self._found_nothing()
        if len(found) > MAX_MX:
            raise _PermError(f"{target} has more than {MAX_MX} MX records")
        for exchanger in found:
            try:
                addresses = await self._names.addresses(exchanger.host) if exchanger.host else []
            except (NoSuchName, NoRecords):
                continue
            if any(self._holds(int(ip_address(one)), directive) for one in addresses):
                return True
        return False

    async def _ptr(self, target: str) -> bool:
        """RFC 7208 §5.5: a failure of DNS is no match here."""
        try:
            names = await self._names.of_client()
        except (NoSuchName, NoRecords):
            return self._found_nothing()
        except DnsUnavailable:
            return False
        within = [name for name in names if is_within(name, target)]
        return await self._names.validated(within) is not None

    async def _exists(self, target: str) -> bool:
        try:
            return bool(await self._lookups.a(target))
        except (NoSuchName, NoRecords):
            return self._found_nothing()

    def _count(self) -> None:
        self._terms += 1
        if self._terms > MAX_LOOKUPS:
            raise _PermError(f"more than {MAX_LOOKUPS} terms that ask DNS")

    def _found_nothing(self) -> bool:
        self._void += 1
        if self._void > MAX_VOID:
            raise _PermError(f"more than {MAX_VOID} look-ups that found nothing")
        return False

    async def _explain(self, spec: MacroString, domain: str) -> str:
        """RFC 7208 §6.2: whatever goes wrong here, there is no explanation."""
        try:
            target = await self._names.target(spec, domain)
            texts = [] if target is None else await self._lookups.txt(target)
            if len(texts) != 1:
                return ""
            told = parse_explanation(texts[0].decode("ascii"))
            return _plain(await self._names.expand(told, domain), MAX_EXPLANATION)
        except (DnsError, SpfSyntaxError, UnicodeDecodeError):
            return ""


async def _parsed(text: bytes) -> Record:
    if len(text) <= SMALL:
        return _remembered(text)
    parser = RecordParser(text)
    while True:
        if parser.step(STEP):
            return parser.record
        await asyncio.sleep(0)


def _plain(text: str, limit: int = 200) -> str:
    """Printable ASCII only, and not long: it goes into logs, header fields and replies."""
    return "".join(one if " " <= one <= "~" else "?" for one in text[:limit])
