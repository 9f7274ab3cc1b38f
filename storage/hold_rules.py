"""Standing rules that put newly queued recipients on hold, looked up in memory.

Invariants: one process writes; a change is committed, then in force; a look-up runs no SQL. A rule
that is deleted lets go of nothing: what it held waits for its release.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, insert, select

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_schema import hold_rule
from storage.directory_values import Absent, AlreadyExists, NotAllowed
from storage.queue_filter import QueueFilter
from storage.values import AccountId, Hold, QueuedRecipient

MAX_RULES = 10_000
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class HoldRule:
    """`account` is the address by which the filter's account was named; `by` made it at
    `created`, in seconds since 1970.
    """

    id: int
    which: QueueFilter
    account: str = ""
    reason: str = ""
    by: str = ""
    created: float = 0.0


class HoldRules:
    """Belongs to the directory, whose database it uses."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._rules: dict[int, HoldRule] = {}

    async def load(self) -> None:
        """Reads the rules."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(hold_rule).order_by(hold_rule.c.id))).all()
        for row in rows:
            number = None if row.account is None else AccountId(row.account)
            which = QueueFilter(row.sender, row.recipient, row.domain, number)
            self._rules[row.id] = HoldRule(
                row.id, which, row.account_address, row.reason, row.by, row.created
            )

    def listed(self) -> list[HoldRule]:
        """All of them, the oldest first."""
        return list(self._rules.values())

    async def add(self, rule: HoldRule) -> HoldRule:
        """Takes a rule; its `id` and `created` are given here. Raises AlreadyExists, NotAllowed."""
        return await self._database.finish(self._add(rule))

    async def delete(self, number: int) -> HoldRule:
        """Ends a rule. Raises Absent."""
        return await self._database.finish(self._delete(number))

    def marked(
        self, sender: str, account: AccountId | None, queued: Sequence[QueuedRecipient]
    ) -> tuple[QueuedRecipient, ...]:
        """The recipients of one message, those on hold that a rule means; the oldest such rule."""
        rules = [one for one in self._rules.values() if one.which.fits_message(sender, account)]
        if not rules:
            return tuple(queued)
        meant = _Meant(rules)
        now = self._clock.now()
        return tuple(_marked(one, meant.rule_for(one.address), now) for one in queued)

    async def _add(self, rule: HoldRule) -> HoldRule:
        for known in self._rules.values():
            if known.which == rule.which:
                raise AlreadyExists(f"rule {known.id} holds the same mail already")
        if len(self._rules) >= MAX_RULES:
            raise NotAllowed(f"there are {MAX_RULES} rules already")
        which, now = rule.which, self._clock.now()
        kept = replace(rule, reason=rule.reason[:MAX_TEXT], by=rule.by[:MAX_TEXT], created=now)
        values = {
            "sender": which.sender,
            "recipient": which.recipient,
            "domain": which.domain,
            "account": which.account,
            "account_address": kept.account,
            "reason": kept.reason,
            "by": kept.by,
            "created": now,
        }
        async with self._database.writing() as connection:
            made = await connection.execute(insert(hold_rule).values(values))
            number = made.inserted_primary_key
        assert number is not None
        kept = replace(kept, id=int(number[0]))
        self._rules[kept.id] = kept
        return kept

    async def _delete(self, number: int) -> HoldRule:
        known = self._rules.get(number)
        if known is None:
            raise Absent(f"There is no rule {number}; see: mailserver queue rule list")
        async with self._database.writing() as connection:
            await connection.execute(delete(hold_rule).where(hold_rule.c.id == number))
        del self._rules[number]
        return known


class _Meant:
    """Rules that fit a message, by what they ask of a recipient: a thousand rules and a thousand
    recipients are three look-ups for each recipient.
    """

    def __init__(self, rules: Sequence[HoldRule]) -> None:
        self._by_place: dict[tuple[str | None, str | None], HoldRule] = {}
        for rule in rules:
            self._by_place.setdefault((rule.which.recipient, rule.which.domain), rule)

    def rule_for(self, address: str) -> HoldRule | None:
        """The oldest that fits."""
        lower = address.lower()
        domain = lower.rpartition("@")[2]
        places = ((None, None), (lower, None), (None, domain), (lower, domain))
        found = [self._by_place[place] for place in places if place in self._by_place]
        return min(found, key=lambda rule: rule.id, default=None)


def _marked(one: QueuedRecipient, rule: HoldRule | None, now: float) -> QueuedRecipient:
    if rule is None:
        return one
    return replace(one, hold=Hold(now, rule.by, rule.id, rule.reason))
