"""DNS look-ups: what can be asked, and how what came of it is told.

A look-up ends within its lifetime whatever the servers do. Absent names, absent data and failures
that may pass are different errors, since mail is bounced for the first and kept for the last.
`secure` is true only by the AD bit, and that is believed only when every name server asked is a
loopback address (RFC 7672 §2.2: the path to the validating resolver must be secure).
How answers are asked for and kept stands in dns_finder.py, what records say in dns_records.py.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import TypeVar, cast

from config.fields import Endpoint
from net.dns_finder import Finder, Key, Known
from net.dns_message import Absent
from net.dns_names import literal_addresses, numeric, system_servers
from net.dns_records import (
    AAAA,
    CNAME,
    MX,
    PTR,
    SRV,
    TLSA,
    TXT,
    A,
    Kind,
    MailExchanger,
    ServiceRecord,
    TlsaRecord,
)

T = TypeVar("T")

LIFETIME = 5.0


class DnsError(Exception):
    """Base. `str(error)` is one plain line without secrets. `secure` as for Answer."""

    def __init__(self, text: str = "", *, secure: bool = False) -> None:
        super().__init__(text)
        self.secure = secure


class NoSuchName(DnsError):
    """NXDOMAIN, or a name that DNS can't hold: it does not exist."""


class NoRecords(DnsError):
    """The name exists without records of this type."""


class DnsUnavailable(DnsError):
    """No answer in time, SERVFAIL, refused, or a CNAME loop: it may be otherwise later."""


class Answer(list[T]):
    """The records of an answer, at most MAX_RECORDS of them, never none.

    `secure`: validated by DNSSEC, aliases included. `name`: where aliases led, lower case without
    a final dot.
    """

    def __init__(self, records: Iterable[T] = (), *, secure: bool = False, name: str = "") -> None:
        super().__init__(records)
        self.secure, self.name = secure, name


class Questions(ABC):
    """What can be asked; how an answer is found is its heirs' affair."""

    @abstractmethod
    def remembered(self, key: Key) -> Known | None:
        """The answer where it is known."""

    @abstractmethod
    async def find(self, key: Key) -> Known:
        """The answer where it must be asked for. It never raises."""

    async def mx(self, domain: str) -> Answer[MailExchanger]:
        """MX records by preference. Raises NoSuchName, NoRecords, DnsUnavailable."""
        found = await self._ask(domain, MX)
        found.sort(key=lambda record: (record.preference, record.host))
        return found

    async def addresses(self, host: str) -> Answer[str]:
        """IPv6 and IPv4 addresses of a host, both asked at once; a literal is its own address.

        When only one of the two questions fails, the other's answer is taken.
        Raises NoSuchName, NoRecords, DnsUnavailable.
        """
        literal = literal_addresses(host)
        if literal:
            return Answer(literal, name=host)
        both = await asyncio.gather(self.aaaa(host), self.a(host), return_exceptions=True)
        found = [one for one in both if isinstance(one, Answer)]
        errors = [one for one in both if isinstance(one, BaseException)]
        if found:
            together = [address for one in found for address in one]
            return Answer(together, secure=all(one.secure for one in found), name=found[0].name)
        try:
            raise next((e for e in errors if isinstance(e, DnsUnavailable)), errors[0])
        finally:
            del both, errors  # they refer to the error, and it to this frame

    async def a(self, host: str) -> Answer[str]:
        """IPv4 addresses of a name. Raises as `mx`."""
        return await self._ask(host, A)

    async def aaaa(self, host: str) -> Answer[str]:
        """IPv6 addresses of a name. Raises as `mx`."""
        return await self._ask(host, AAAA)

    async def txt(self, name: str) -> Answer[bytes]:
        """TXT records, each with its strings joined. Raises as `mx`."""
        return await self._ask(name, TXT)

    def knows_txt(self, name: str) -> bool:
        """Whether `txt` of a name would answer at once."""
        return self.remembered((name.lower(), TXT)) is not None

    async def ptr(self, address: str) -> Answer[str]:
        """The names of an IPv4 or IPv6 address, not verified, lower case without a final dot.

        Raises as `mx`; ValueError for what is no address.
        """
        reverse = ip_address(address.partition("%")[0]).reverse_pointer
        return await self._ask(reverse, PTR)

    async def srv(self, name: str) -> Answer[ServiceRecord]:
        """SRV records of `_service._tcp.domain`, in no order. Raises as `mx`."""
        return await self._ask(name, SRV)

    async def tlsa(self, name: str) -> Answer[TlsaRecord]:
        """TLSA records of `_25._tcp.host`. Raises as `mx`."""
        return await self._ask(name, TLSA)

    async def alias(self, name: str) -> Answer[str]:
        """What a name is an alias for, one step, lower case without a final dot. Raises as `mx`."""
        return await self._ask(name, CNAME)

    async def exists(self, name: str) -> bool:
        """False when there is no such name, with or below it (RFC 8020). Raises DnsUnavailable."""
        try:
            await self.a(name)
        except NoSuchName:
            return False
        except NoRecords:
            return True
        return True

    async def _ask(self, text: str, kind: Kind[T]) -> Answer[T]:
        key = text.removesuffix(".").lower(), kind
        known = self.remembered(key) or await self.find(key)
        if known.failure:
            raise DnsUnavailable(f"{text}: {known.failure}")
        if known.absent is Absent.NAME:
            raise NoSuchName(f"{text}: no such domain", secure=known.secure)
        if not known.values:
            raise NoRecords(f"{text}: no {kind.name} records", secure=known.secure)
        # `kind` decoded them
        return Answer(cast("tuple[T, ...]", known.values), secure=known.secure, name=known.name)


class Resolver(Questions):
    """Asks the name servers given, or the system's when there are none."""

    def __init__(self, nameservers: Sequence[Endpoint] = (), *, lifetime: float = LIFETIME) -> None:
        servers = [(numeric(one.host), one.port) for one in nameservers] or system_servers()
        self._finder = Finder(servers, lifetime=lifetime)

    @property
    def validates(self) -> bool:
        """Whether answers can be secure at all: every name server is on this machine."""
        return self._finder.trusted

    def remembered(self, key: Key) -> Known | None:
        return self._finder.remembered(key)

    async def find(self, key: Key) -> Known:
        return await self._finder.find(key)
