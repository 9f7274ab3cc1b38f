"""Which protection each host of a domain gets: DANE, else MTA-STS, and what the sender wishes.

Invariants: of a domain that enforces its policy no other host is used; a message that requires TLS
goes only to hosts that can prove who they are; one that wants none of it goes as if there were no
policies.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from message.mta_sts import Mode, StsPolicy, format_policy
from message.tls_rpt import PolicyType, ReportPolicy, ResultType, SessionResult
from net.dns import DnsError, DnsUnavailable, Resolver
from net.dns_records import TlsaRecord
from smtp.outbound import dane
from smtp.outbound.hop import Hop
from smtp.outbound.mta_sts import StsFound, StsPolicies
from smtp.outbound.results import AttemptFailed, permanent, temporary
from smtp.outbound.security import LENIENT, Need, Security, Wish, no_policy
from smtp.outbound.tls_watch import TlsWatch
from storage.errors import StoreError

REQUIRES = "the message requires TLS (REQUIRETLS)"


class TlsPolicies:
    """Answers for the sending side."""

    def __init__(self, sts: StsPolicies, resolver: Resolver, watch: TlsWatch) -> None:
        self._sts, self._resolver, self._watch = sts, resolver, watch

    async def protect(self, domain: str, hops: Sequence[Hop], wish: Wish = Wish.NONE) -> list[Hop]:
        """Those of the hosts that may be used, each with what it must prove. Raises
        AttemptFailed when none is left.
        """
        if wish is Wish.NOT_REQUIRED:
            return [replace(hop, security=LENIENT) for hop in hops]
        found, by_dane = await asyncio.gather(
            self._sts_of(domain),
            asyncio.gather(*(self._dane_of(domain, hop) for hop in hops)),
        )
        usable: list[Hop] = []
        refused: list[str] = []
        for hop, security in zip(hops, by_dane, strict=True):
            chosen = security or self._by_sts(domain, hop, found.policy)
            if isinstance(chosen, Security):
                usable.append(replace(hop, security=chosen))
            else:
                refused.append(chosen)
        if not usable:
            raise AttemptFailed(temporary("4.7.0", "; ".join(refused)))
        return _required(domain, usable) if wish is Wish.REQUIRED else usable

    async def _sts_of(self, domain: str) -> StsFound:
        try:
            found = await self._sts.find(domain)
            if found.policy is not None and found.policy.mode is Mode.NONE:
                await self._watch.release(domain)
        except StoreError as error:
            raise AttemptFailed(temporary("4.3.0", f"TLS policies: {error}")) from None
        if found.failure is not None:
            host = f"mta-sts.{domain}"
            self._watch.failed(
                no_policy(domain), SessionResult(found.failure, host, reason=found.reason)
            )
        return found

    def _by_sts(self, domain: str, hop: Hop, policy: StsPolicy | None) -> Security | str:
        """Or why the host must not be used."""
        if policy is None or policy.mode is Mode.NONE:
            return no_policy(domain)
        listed = _listed(domain, policy)
        if policy.allows(hop.host):
            return listed
        text = f"{hop.host} is not in the MTA-STS policy of {domain}"
        failed = SessionResult(ResultType.VALIDATION_FAILURE, hop.host, reason=text)
        self._watch.failed(listed, failed)
        return Security(domain=domain) if policy.mode is Mode.TESTING else text

    async def _dane_of(self, domain: str, hop: Hop) -> Security | str | None:
        """None where the host has no TLSA records, or none that can be believed (RFC 7672 §2.2).
        Why it must not be used, when nobody can say whether it has.
        """
        for base in await self._bases(hop):
            try:
                records = await self._resolver.tlsa(f"_{hop.port}._tcp.{base}")
            except DnsUnavailable:
                text = f"the TLSA records of {base} could not be looked up"
                policy = ReportPolicy(PolicyType.TLSA, domain, mx=(hop.host,))
                asked = Security(Need.DANE, domain=domain, report=policy)
                failed = SessionResult(ResultType.DNSSEC_INVALID, hop.host, reason=text)
                self._watch.failed(asked, failed)
                return text
            except DnsError:
                continue
            if records.secure:
                return _dane(domain, hop, base, records)
        return None

    async def _bases(self, hop: Hop) -> tuple[str, ...]:
        """Names below which TLSA records are looked for: where the host's aliases lead, then its
        own (RFC 7672 §2.2.2); its own alone if it is a signed alias into an unsigned zone.
        """
        own, canonical = hop.host, hop.canonical or hop.host
        if hop.secure:
            return tuple(dict.fromkeys((canonical, own)))
        if not hop.named or canonical == own:
            return ()
        try:
            alias = await self._resolver.alias(own)
        except DnsError:
            return ()
        return (own,) if alias.secure else ()


def _dane(domain: str, hop: Hop, base: str, records: Sequence[TlsaRecord]) -> Security:
    """With records that nobody can use TLS is a must all the same (RFC 7672 §2.2)."""
    usable = dane.usable(records)
    strings = tuple(sorted(dane.presentation(record) for record in records))
    return Security(
        Need.DANE if usable else Need.ENCRYPTED,
        domain=domain,
        why=f"the TLSA records of {base} ask for TLS",
        report=ReportPolicy(PolicyType.TLSA, domain, strings, (hop.host,)),
        sni=base,
        tlsa=usable,
        names=tuple(dict.fromkeys((base, hop.host, domain))),
    )


def _listed(domain: str, policy: StsPolicy) -> Security:
    lines = tuple(format_policy(policy).decode().split("\r\n")[:-1])
    return Security(
        Need.WEB_PKI,
        enforce=policy.mode is Mode.ENFORCE,
        domain=domain,
        why=f"the MTA-STS policy of {domain} asks for verified TLS",
        report=ReportPolicy(PolicyType.STS, domain, lines, policy.mx),
    )


def _required(domain: str, hops: Sequence[Hop]) -> list[Hop]:
    """RFC 8689 §4.2.1: the host's name must be trusted, by DNSSEC or MTA-STS, and its certificate
    fit it.
    """
    usable = [
        replace(hop, security=security)
        for hop in hops
        if (security := _proof(domain, hop)) is not None
    ]
    if not usable:
        text = f"{REQUIRES} and nothing proves which hosts take mail for {domain}"
        raise AttemptFailed(permanent("5.7.30", text))
    return usable


def _proof(domain: str, hop: Hop) -> Security | None:
    if hop.security.need in (Need.WEB_PKI, Need.DANE):
        return replace(hop.security, enforce=True)
    if not hop.named:
        return None
    report = hop.security.report
    return Security(Need.WEB_PKI, domain=domain, why=REQUIRES, report=report)
