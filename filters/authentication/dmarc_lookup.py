"""DMARC's questions to DNS: records at `_dmarc.NAME` and the tree walk (RFC 9989 §4.10).

One Walker serves one message. A walk is at most eight questions: the domain's own first, since it
often answers all, then those above it at once.
"""

import asyncio

from message.dmarc import Found, ends_walk, organizational_domain, walk_names
from message.dmarc_record import Record, select_record
from net.dns import DnsUnavailable, NoRecords, NoSuchName, Questions


class Walker:
    """Remembers what it was told. Raises DnsUnavailable where an answer may change."""

    def __init__(self, resolver: Questions) -> None:
        self._resolver = resolver
        self._records: dict[str, Record | None] = {}
        self._walks: dict[str, list[Found]] = {}

    async def record(self, domain: str) -> Record | None:
        """The record that a domain itself publishes."""
        if domain not in self._records:
            self._records[domain] = await self._ask(domain)
        return self._records[domain]

    async def for_policy(self, author: str) -> list[Found]:
        """The author's own record alone where there is one, else the whole walk."""
        own = await self.record(author)
        return await self.walk(author) if own is None else [Found(author, own)]

    async def walk(self, domain: str) -> list[Found]:
        """All that the walk from a domain finds, longest first."""
        if domain not in self._walks:
            self._walks[domain] = await self._walk(domain)
        return self._walks[domain]

    async def organization(self, domain: str) -> str:
        """The Organizational Domain."""
        return organizational_domain(domain, await self.walk(domain))

    async def exists(self, domain: str) -> bool:
        """Whether a domain has any address or MX record (RFC 9989 §3.2)."""
        for ask in (self._resolver.a, self._resolver.mx, self._resolver.aaaa):
            try:
                await ask(domain)
            except NoSuchName:
                return False
            except NoRecords:
                continue
            return True
        return False

    async def _walk(self, domain: str) -> list[Found]:
        own = await self.record(domain)
        found = [] if own is None else [Found(domain, own)]
        if own is not None and ends_walk(own):
            return found
        names = walk_names(domain)[1:]
        waiting = [name for name in names if not self._is_known(name)]
        answers: dict[str, Record | DnsUnavailable | None] = {}
        if len(waiting) > 1:
            told = await asyncio.gather(*map(self._try, waiting))
            answers = dict(zip(waiting, told, strict=True))
        for name in names:
            answer = answers[name] if name in answers else await self._try(name)
            if isinstance(answer, DnsUnavailable):
                # Top-level domains hardly ever have a record; their servers must not decide.
                if "." not in name:
                    continue
                raise DnsUnavailable(str(answer))
            if answer is not None:
                found.append(Found(name, answer))
                if ends_walk(answer):
                    break
        return found

    def _is_known(self, domain: str) -> bool:
        return domain in self._records or self._resolver.knows_txt(f"_dmarc.{domain}")

    async def _try(self, domain: str) -> Record | DnsUnavailable | None:
        try:
            return await self.record(domain)
        except DnsUnavailable as unavailable:
            return unavailable

    async def _ask(self, domain: str) -> Record | None:
        try:
            return select_record(await self._resolver.txt(f"_dmarc.{domain}"))
        except (NoSuchName, NoRecords):
            return None
