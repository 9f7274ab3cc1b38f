"""From a domain to the hosts to try: smarthost, address literal, MX or the domain itself.

RFC 5321 §5.1: a domain without MX is its own mail host; hosts of equal preference are tried in
random order; if this server is among the hosts, only better ones count. RFC 7505: a null MX takes
no mail.
"""

import asyncio
from ipaddress import ip_address
from itertools import groupby, zip_longest
from random import Random

from config.settings import Settings
from config.smarthost import Smarthost, parse_smarthost
from net.dns import Answer, DnsError, DnsUnavailable, NoRecords, NoSuchName, Resolver
from net.dns_records import MailExchanger
from net.local_address import is_local
from smtp.outbound.hop import Hop, Login, TlsUse
from smtp.outbound.policies import REQUIRES, TlsPolicies
from smtp.outbound.results import AttemptFailed, Outcome, permanent, temporary
from smtp.outbound.security import Wish

MAX_HOSTS = 10
MAX_ADDRESSES = 6


class Router:
    """Answers for one configuration."""

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        chance: Random,
        policies: TlsPolicies | None = None,
    ) -> None:
        self._settings, self._resolver, self._chance = settings, resolver, chance
        self._policies = policies
        secret = settings.outbound.smarthost.get_secret_value()
        self._smarthost = parse_smarthost(secret) if secret else None

    @property
    def one_way(self) -> bool:
        """True when all domains go to the same host."""
        return self._smarthost is not None

    async def route(self, domain: str, wish: Wish = Wish.NONE) -> list[Hop]:
        """The hosts to try, in order, each with at least one address and the protection that it
        needs. Raises AttemptFailed.
        """
        if self._smarthost is not None:
            return [await self._to_smarthost(self._smarthost)]
        if domain.startswith("["):
            if wish is Wish.REQUIRED:
                raise AttemptFailed(permanent("5.7.30", f"{REQUIRES} and {domain} is no name"))
            return [Hop(domain, (_literal(domain),), self._settings.outbound.port)]
        exchangers, secure = await self._exchangers(domain)
        hops = await self._resolve(self._better_than_us(exchangers, domain), domain, secure)
        if self._policies is None:
            return hops
        return await self._policies.protect(domain, hops, wish)

    async def _to_smarthost(self, smarthost: Smarthost) -> Hop:
        try:
            addresses = await self._resolver.addresses(smarthost.host)
        except DnsError as error:
            # A wrong name here is the operator's mistake, not the message's.
            raise AttemptFailed(temporary("4.4.3", str(error))) from None
        login = Login(smarthost.user, smarthost.password) if smarthost.user else None
        local = all(ip_address(address).is_loopback for address in addresses)
        # A certificate that may fail without a consequence would prove nothing.
        needed = smarthost.verify or (login is not None and not local)
        use = TlsUse.REQUIRED if needed else TlsUse.MAY
        return Hop(
            smarthost.host,
            tuple(addresses[:MAX_ADDRESSES]),
            smarthost.port,
            TlsUse.IMPLICIT if smarthost.implicit_tls else use,
            smarthost.verify,
            login,
        )

    async def _exchangers(self, domain: str) -> tuple[list[MailExchanger], bool]:
        """In the order to try them, and whether DNSSEC validated them."""
        try:
            found = await self._resolver.mx(domain)
        except NoRecords as error:
            return [MailExchanger(0, domain)], error.secure
        except NoSuchName as error:
            raise AttemptFailed(permanent("5.1.2", str(error))) from None
        except DnsUnavailable as error:
            raise AttemptFailed(temporary("4.4.3", str(error))) from None
        named = [exchanger for exchanger in found if exchanger.host]
        if not named:
            text = f"556 5.1.10 {domain} accepts no mail"
            raise AttemptFailed(permanent("5.1.10", text, nobody=True))
        return self._shuffled(named)[:MAX_HOSTS], found.secure

    def _shuffled(self, exchangers: list[MailExchanger]) -> list[MailExchanger]:
        ordered: list[MailExchanger] = []
        by_preference = sorted(exchangers, key=lambda exchanger: exchanger.preference)
        for _, group in groupby(by_preference, key=lambda exchanger: exchanger.preference):
            equal = list(group)
            self._chance.shuffle(equal)
            ordered += equal
        return ordered

    def _better_than_us(self, found: list[MailExchanger], domain: str) -> list[MailExchanger]:
        own = [exchanger.preference for exchanger in found if self._is_own_name(exchanger.host)]
        return _before(found, min(own), domain) if own else found

    async def _resolve(
        self, exchangers: list[MailExchanger], domain: str, secure: bool
    ) -> list[Hop]:
        answers = await asyncio.gather(
            *(self._resolver.addresses(exchanger.host) for exchanger in exchangers),
            return_exceptions=True,
        )
        hops: list[tuple[int, Hop]] = []
        errors: list[BaseException] = []
        ours: int | None = None
        for exchanger, answer in zip(exchangers, answers, strict=True):
            if isinstance(answer, BaseException):
                errors.append(answer)
            elif any(self._is_own_address(address) for address in answer):
                ours = exchanger.preference if ours is None else min(ours, exchanger.preference)
            else:
                hops.append((exchanger.preference, self._hop(exchanger.host, answer, secure)))
        if ours is not None:
            hops = [(preference, hop) for preference, hop in hops if preference < ours]
            if not hops and not _temporary(errors):
                raise AttemptFailed(_loop(domain))
        if not hops:
            raise AttemptFailed(_no_address(domain, errors))
        return [hop for _, hop in hops]

    def _hop(self, host: str, addresses: Answer[str], secure: bool) -> Hop:
        return Hop(
            host,
            tuple(self._mixed(addresses)[:MAX_ADDRESSES]),
            self._settings.outbound.port,
            named=secure,
            secure=secure and addresses.secure,
            canonical=addresses.name,
        )

    def _mixed(self, addresses: list[str]) -> list[str]:
        """Shuffled, IPv6 and IPv4 in turn, so that one broken family costs one attempt."""
        shuffled = addresses.copy()
        self._chance.shuffle(shuffled)
        six = [address for address in shuffled if ":" in address]
        four = [address for address in shuffled if ":" not in address]
        return [a for pair in zip_longest(six, four) for a in pair if a is not None]

    def _is_own_name(self, host: str) -> bool:
        return host == self._settings.hostname

    def _is_own_address(self, address: str) -> bool:
        """True when our own MX listener would answer there."""
        port = self._settings.outbound.port
        for listener in self._settings.listen.smtp:
            if listener.port != port:
                continue
            if listener.host == address:
                return True
            if listener.host in ("0.0.0.0", "::") and is_local(address):
                return True
        return False


def _before(found: list[MailExchanger], preference: int, domain: str) -> list[MailExchanger]:
    better = [exchanger for exchanger in found if exchanger.preference < preference]
    if not better:
        raise AttemptFailed(_loop(domain))
    return better


def _loop(domain: str) -> Outcome:
    return permanent("5.4.6", f"mail for {domain} would come back to this server")


def _no_address(domain: str, errors: list[BaseException]) -> Outcome:
    for error in errors:
        if not isinstance(error, DnsError):
            raise error
    if _temporary(errors):
        return temporary("4.4.3", f"the mail hosts of {domain} could not be looked up")
    return permanent("5.4.4", f"the mail hosts of {domain} have no address")


def _temporary(errors: list[BaseException]) -> bool:
    return any(isinstance(error, DnsUnavailable) for error in errors)


def _literal(domain: str) -> str:
    text = domain.strip("[]")
    if text.lower().startswith("ipv6:"):
        text = text[5:]
    try:
        return str(ip_address(text))
    except ValueError:
        raise AttemptFailed(permanent("5.1.2", f"{domain} is not an address")) from None
