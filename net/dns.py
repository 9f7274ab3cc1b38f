"""DNS look-ups: the only file that knows dnspython.

A look-up ends within its lifetime whatever the servers do. Absent names, absent data and failures
that may pass are different errors, since mail is bounced for the first and kept for the last.
Answers are cached for their TTL in a bounded cache, absent ones included.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from config.settings import Endpoint

LIFETIME = 5.0
CACHE_ANSWERS = 10_000
MAX_CNAMES = 8
MAX_RECORDS = 100


class DnsError(Exception):
    """Base. `str(error)` is one plain line without secrets."""


class NoSuchName(DnsError):
    """NXDOMAIN, or a name that DNS can't hold: it does not exist."""


class NoRecords(DnsError):
    """The name exists without records of this type."""


class DnsUnavailable(DnsError):
    """No answer in time, SERVFAIL, refused, or a CNAME loop: it may be otherwise later."""


@dataclass(frozen=True, slots=True)
class MailExchanger:
    """One MX record; `host` lower case without a final dot, "" for the null MX (RFC 7505)."""

    preference: int
    host: str


class Resolver:
    """Asks the name servers given, or the system's when there are none."""

    def __init__(self, nameservers: Sequence[Endpoint] = (), *, lifetime: float = LIFETIME) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if nameservers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(server.host, server.port) for server in nameservers
            ]
        self._lifetime = lifetime
        self._resolver.lifetime = lifetime
        self._resolver.timeout = max(lifetime / 3, 0.2)
        self._resolver.search = []
        self._resolver.cache = dns.resolver.LRUCache(CACHE_ANSWERS)
        self._resolver.use_edns(0, 0, 1232)

    async def mx(self, domain: str) -> list[MailExchanger]:
        """MX records by preference. Raises NoSuchName, NoRecords, DnsUnavailable."""
        found = await self._ask(domain, dns.rdatatype.MX)
        records = (
            MailExchanger(rdata.preference, _text(rdata.exchange))
            for rdata in found
            if isinstance(rdata, MX)
        )
        return sorted(records, key=lambda record: (record.preference, record.host))

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and IPv4 addresses of a host, both asked at once; a literal is its own address.

        When only one of the two questions fails, the other's answer is taken.
        Raises NoSuchName, NoRecords, DnsUnavailable.
        """
        literal = _literal(host)
        if literal:
            return literal
        both = await asyncio.gather(
            self._ask(host, dns.rdatatype.AAAA),
            self._ask(host, dns.rdatatype.A),
            return_exceptions=True,
        )
        found: list[str] = []
        errors: list[BaseException] = []
        for answer in both:
            if isinstance(answer, BaseException):
                errors.append(answer)
            else:
                found += [rdata.address for rdata in answer if isinstance(rdata, A | AAAA)]
        if found:
            return found
        raise next((e for e in errors if isinstance(e, DnsUnavailable)), errors[0])

    async def txt(self, name: str) -> list[bytes]:
        """TXT records, each with its strings joined. Raises as `mx`."""
        found = await self._ask(name, dns.rdatatype.TXT)
        return [b"".join(rdata.strings) for rdata in found if isinstance(rdata, TXT)]

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[object]:
        """Records of one type, behind at most MAX_CNAMES aliases."""
        try:
            current = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            raise NoSuchName(f"{name}: not a domain name") from None
        try:
            async with asyncio.timeout(self._lifetime):
                for _ in range(MAX_CNAMES):
                    answer = await self._resolve(current, kind)
                    if answer.rrset is not None:
                        return list(answer.rrset)[:MAX_RECORDS]
                    if (alias := _alias(answer)) is None:
                        raise NoRecords(f"{name}: no {kind.name} records")
                    current = alias
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(f"{name}: no such domain") from None
        except (dns.exception.DNSException, OSError, TimeoutError):
            raise DnsUnavailable(f"{name}: the name servers gave no usable answer") from None
        raise DnsUnavailable(f"{name}: too many aliases")

    async def _resolve(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> dns.resolver.Answer:
        return await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False)


def _alias(answer: dns.resolver.Answer) -> dns.name.Name | None:
    """Where an answer without the records asked for points on to (a server that does not
    recurse leaves the rest to us).
    """
    target: dns.name.Name = answer.canonical_name
    if target != answer.qname:
        return target
    for rrset in answer.response.answer:
        if rrset.rdtype == dns.rdatatype.CNAME and rrset.name == answer.qname:
            record = rrset[0]
            return record.target if isinstance(record, CNAME) else None
    return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _literal(host: str) -> list[str]:
    """An address written out, or localhost, which never leaves the machine (RFC 6761 §6.3)."""
    if host.rstrip(".").lower() == "localhost":
        return ["127.0.0.1", "::1"]
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []
