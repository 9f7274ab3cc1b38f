"""How much accounts have sent, by the minute, for a day: what limits of sending count from after a
restart (filters/sendlimit.py).

What a crash takes with it, of the last seconds, is sent without being counted. A reader sees what
was added.
"""

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from storage.config_schema import sent_count
from storage.values import AccountId
from storage.write_behind import WriteBehind

MINUTE = 60.0
KEPT = 90_000.0
"""Seconds: a day, and the longest step of a limit."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What went out in the minute from `at` on, in seconds since 1970."""

    at: float
    messages: int = 0
    recipients: int = 0


_Key = tuple[AccountId, float]


class SentCounts(WriteBehind[_Key, Sent]):
    """By account and minute; what is put is added to what is there. Where the database fails in a
    commit that was made, its rows count twice: a limit comes early rather than late.
    """

    log_of = "submission"
    not_written = "what was sent is not stored"
    flush_seconds = 5.0

    def add(self, account: AccountId, recipients: int) -> None:
        """One message to so many; in SQL within some seconds."""
        now = self._clock.now()
        minute = now - now % MINUTE
        self._put((account, minute), Sent(minute, 1, recipients))

    async def of(self, account: AccountId) -> list[Sent]:
        """What the account sent within KEPT seconds, the oldest first. Raises StoreError."""
        async with self._writing:
            found = await self._database.finish(self._load(account))
            # nothing may come between the rows and what is not in them yet
            found += [sent for (of, _), sent in self._waiting.items() if of == account]
        totals: dict[float, Sent] = {}
        for sent in found:
            known = totals.get(sent.at)
            totals[sent.at] = sent if known is None else self._joined(known, sent)
        return [totals[at] for at in sorted(totals)]

    async def prune(self) -> None:
        """Removes what no limit counts any more."""
        old = sent_count.c.at < self._clock.now() - KEPT
        async with self._database.writing() as connection:
            await connection.execute(delete(sent_count).where(old))

    def _joined(self, earlier: Sent, later: Sent) -> Sent:
        messages = earlier.messages + later.messages
        return Sent(later.at, messages, earlier.recipients + later.recipients)

    async def _load(self, account: AccountId) -> list[Sent]:
        c = sent_count.c
        query = select(c.at, c.messages, c.recipients).where(
            c.account == account, c.at >= self._clock.now() - KEPT
        )
        async with self._database.reading() as connection:
            return [Sent(*row) for row in await connection.execute(query)]

    async def _write(self, waiting: dict[_Key, Sent]) -> None:
        c = sent_count.c
        async with self._database.writing() as connection:
            for (account, at), sent in waiting.items():
                more = {
                    "messages": c.messages + sent.messages,
                    "recipients": c.recipients + sent.recipients,
                }
                here = update(sent_count).where(c.account == account, c.at == at).values(**more)
                if (await connection.execute(here)).rowcount:
                    continue
                values = {
                    "account": account,
                    "at": at,
                    "messages": sent.messages,
                    "recipients": sent.recipients,
                }
                await connection.execute(insert(sent_count).values(values))
