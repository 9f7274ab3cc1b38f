"""What has to be asked elsewhere about a message: lists of domains, its sender's domain in DNS, and
whom our users write to. All side by side, within SECONDS.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from filters.authentication.results import Result
from filters.context import Context
from filters.dnslists import DnsLists
from filters.greylist import proven_domains
from filters.spam.domains import registered
from filters.spam.judging import Judgement
from filters.spam.rules.mail import Found
from filters.stranger import is_known
from filters.verdict import ACCEPT, Verdict
from net.dns import DnsError, NoRecords, NoSuchName, Resolver
from storage.directory import Directory
from storage.errors import StoreError
from storage.seen import Kind

SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """`found` counts by the table; `listed` is what lists of domains say, with their weights."""

    found: tuple[Found, ...] = ()
    listed: Verdict = ACCEPT


class Questions:
    """What has no answer in time is not found."""

    def __init__(self, resolver: Resolver, directory: Directory, lists: DnsLists | None) -> None:
        self._resolver, self._directory, self._lists = resolver, directory, lists

    async def ask(self, context: Context, judgement: Judgement) -> Asked:
        """Of users nothing is asked, of local networks nothing in DNS."""
        if context.login is not None:
            return Asked()
        known = await self._known(context, judgement.author)
        if is_known(context):
            return Asked(known)
        listed, homeless = await asyncio.gather(
            self._listed(judgement.domains), self._homeless(context.sender)
        )
        return Asked((*known, *homeless), listed)

    async def _listed(self, domains: tuple[str, ...]) -> Verdict:
        if self._lists is None or not domains:
            return ACCEPT
        return await self._lists.judge_links(domains)

    async def _homeless(self, sender: str) -> tuple[Found, ...]:
        """Nothing can be sent to the sender: no MX, or a null one (RFC 7505), and no address."""
        domain = sender.rpartition("@")[2]
        if "." not in domain or domain.startswith("["):
            return ()
        try:
            async with asyncio.timeout(SECONDS):
                gone = await self._takes_no_mail(domain)
        except (TimeoutError, DnsError):
            return ()
        return (Found("HFILTER_FROMHOST_NORES_A_OR_MX", domain),) if gone else ()

    async def _takes_no_mail(self, domain: str) -> bool:
        try:
            hosts = await self._resolver.mx(domain)
            return all(one.host in ("", ".") for one in hosts)
        except NoSuchName:
            return True
        except NoRecords:
            pass
        try:
            await self._resolver.addresses(domain)
        except (NoSuchName, NoRecords):
            return True
        return False

    async def _known(self, context: Context, author: str) -> tuple[Found, ...]:
        if not author:
            return ()
        try:
            seen = await self._directory.seen.get(Kind.CORRESPONDENT, author)
        except StoreError:
            return ()
        if seen is None:
            return ()
        proved = is_proved(author, tuple(context.results))
        return (Found("KNOWN_CORRESPONDENT" if proved else "CORRESPONDENT_UNPROVED", author),)


def is_proved(author: str, results: tuple[Result, ...]) -> bool:
    """Whether the domain of an address is proved by SPF, DKIM or DMARC, as its owner's at least."""
    owner = registered(author.rpartition("@")[2])
    return any(registered(domain) == owner for domain in proven_domains(results))
