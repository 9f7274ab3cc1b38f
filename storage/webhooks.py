"""Webhooks of accounts, and the events that they are told of.

Invariants: an event is durable before it is told, and told at least once while the webhook is on;
of one webhook at most WAITING events wait, and the last KEPT that are done are kept. `changed` is
called with an account whose webhooks or events are others.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_push_tables import webhook, webhook_event
from storage.directory_values import Absent, NotAllowed
from storage.values import AccountId
from storage.webhook_values import Fresh, State, Told, Webhook, WebhookEvent

MAX_OF_ACCOUNT: Final = 20
WAITING: Final = 1_000
KEPT: Final = 50
_w, _e = webhook.c, webhook_event.c


class Webhooks:
    """Belongs to the directory, whose database it uses. Everything raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.changed: Callable[[AccountId], None] = lambda account: None

    async def of(self, account: AccountId) -> list[Webhook]:
        """Those of an account, in the order in which they were made."""
        return await self._database.finish(self._list(_w.account == account))

    async def get(self, account: AccountId, number: int) -> Webhook:
        """Raises Absent."""
        mine = (_w.account == account) & (_w.id == number)
        found = await self._database.finish(self._list(mine))
        if not found:
            raise Absent("There is no such webhook")
        return found[0]

    async def accounts(self) -> list[AccountId]:
        """Those that have webhooks that are on."""
        return await self._database.finish(self._accounts())

    async def add(
        self, account: AccountId, url: str, events: Collection[str], secret: bytes, point: int
    ) -> Webhook:
        """Raises NotAllowed (too many)."""
        values = {
            "account": account,
            "url": url,
            "events": " ".join(events),
            "secret": secret,
            "created": self._clock.now(),
            "point": point,
            "ended": "",
            "dropped": 0,
        }
        made = await self._database.finish(self._add(account, values))
        self.changed(account)
        return made

    async def remove(self, account: AccountId, number: int) -> None:
        """Its events too. Raises Absent."""
        await self.get(account, number)
        await self._database.finish(self._remove(number))
        self.changed(account)

    async def switch(self, one: Webhook, why: str, point: int | None = None) -> None:
        """Off for a reason, or on again for "", then from new mail behind `point`."""
        values: dict[str, Any] = {"ended": why, "failing": None}
        if point is not None:
            values["point"] = point
        await self._database.finish(self._set(one.id, values))
        self.changed(one.account)

    async def write(self, one: Webhook, events: Sequence[Fresh], point: int | None = None) -> None:
        """Writes events down, with how far new mail was looked at; what was written before is not
        written again, what there is no room for is counted.
        """
        await self._database.finish(self._write(one, events, point))
        if events:
            self.changed(one.account)

    async def next(self, number: int) -> Told | None:
        """The event of a webhook that waits the longest."""
        return await self._database.finish(self._next(number))

    async def log(self, number: int) -> list[Told]:
        """Its events that wait and the last that do not, newest first."""
        return await self._database.finish(self._log(number))

    async def told(self, one: Told, state: State, answer: str) -> float | None:
        """What came of a try: WAITING, another is to come. Since when nothing got through."""
        return await self._database.finish(self._told(one, state, answer))

    async def _list(self, those: ColumnElement[bool]) -> list[Webhook]:
        async with self._database.reading() as at:
            rows = await at.execute(select(webhook).where(those).order_by(_w.id))
            return [_webhook(row) for row in rows]

    async def _accounts(self) -> list[AccountId]:
        async with self._database.reading() as at:
            rows = await at.execute(select(_w.account).where(_w.ended == "").distinct())
            return [AccountId(number) for (number,) in rows]

    async def _add(self, account: AccountId, values: Mapping[str, Any]) -> Webhook:
        async with self._database.writing() as at:
            count = select(func.count()).select_from(webhook).where(_w.account == account)
            if (await at.execute(count)).scalar_one() >= MAX_OF_ACCOUNT:
                raise NotAllowed(f"There are {MAX_OF_ACCOUNT} webhooks of the account")
            made = insert(webhook).values(values).returning(webhook)
            return _webhook((await at.execute(made)).one())

    async def _remove(self, number: int) -> None:
        async with self._database.writing() as at:
            await at.execute(delete(webhook_event).where(_e.webhook == number))
            await at.execute(delete(webhook).where(_w.id == number))

    async def _set(self, number: int, values: Mapping[str, Any]) -> None:
        async with self._database.writing() as at:
            await at.execute(update(webhook).where(_w.id == number).values(values))

    async def _write(self, one: Webhook, events: Sequence[Fresh], point: int | None) -> None:
        async with self._database.writing() as at:
            there = select(_w.point, _w.dropped).where(_w.id == one.id)
            row = (await at.execute(there)).first()
            if row is None or (point is not None and row.point >= point):
                return
            room = WAITING - await _count(at, one.id)
            for event in events[: max(0, room)]:
                await self._put(at, one.id, event)
            values: dict[str, Any] = {"dropped": row.dropped + max(0, len(events) - max(0, room))}
            if point is not None:
                values["point"] = point
            await at.execute(update(webhook).where(_w.id == one.id).values(values))

    async def _put(self, at: AsyncConnection, number: int, event: Fresh) -> None:
        known = select(_e.id).where(_e.webhook == number, _e.key == event.key)
        if (await at.execute(known)).first() is not None:
            return
        values = {
            "webhook": number,
            "key": event.key,
            "kind": event.kind.value,
            "body": event.body,
            "created": self._clock.now(),
            "state": State.WAITING.value,
            "tries": 0,
            "answer": "",
        }
        await at.execute(insert(webhook_event).values(values))

    async def _next(self, number: int) -> Told | None:
        waiting = (_e.webhook == number) & (_e.state == State.WAITING.value)
        async with self._database.reading() as at:
            query = select(webhook_event).where(waiting).order_by(_e.id).limit(1)
            row = (await at.execute(query)).first()
            return None if row is None else _told(row)

    async def _log(self, number: int) -> list[Told]:
        async with self._database.reading() as at:
            query = select(webhook_event).where(_e.webhook == number).order_by(_e.id.desc())
            return [_told(row) for row in await at.execute(query.limit(WAITING + KEPT))]

    async def _told(self, one: Told, state: State, answer: str) -> float | None:
        now = self._clock.now()
        values = {"state": state.value, "tries": one.tries + 1, "told": now, "answer": answer}
        async with self._database.writing() as at:
            await at.execute(update(webhook_event).where(_e.id == one.id).values(values))
            failing = select(_w.failing).where(_w.id == one.webhook)
            since: float | None = (await at.execute(failing)).scalar()
            if state is State.TOLD:
                since = None
            elif since is None:
                since = now
            await at.execute(update(webhook).where(_w.id == one.webhook).values(failing=since))
            if state is not State.WAITING:
                await _trim(at, one.webhook)
        return since


async def _count(at: AsyncConnection, number: int) -> int:
    waiting = (_e.webhook == number) & (_e.state == State.WAITING.value)
    query = select(func.count()).select_from(webhook_event).where(waiting)
    return int((await at.execute(query)).scalar_one())


async def _trim(at: AsyncConnection, number: int) -> None:
    """Keeps the last of those that are done."""
    done = (_e.webhook == number) & (_e.state != State.WAITING.value)
    oldest = select(_e.id).where(done).order_by(_e.id.desc()).offset(KEPT).limit(1)
    last: int | None = (await at.execute(oldest)).scalar()
    if last is not None:
        await at.execute(delete(webhook_event).where(done, _e.id <= last))


def _webhook(row: Row[*tuple[Any, ...]]) -> Webhook:
    return Webhook(
        row.id,
        AccountId(row.account),
        row.url,
        tuple(WebhookEvent(name) for name in row.events.split()),
        bytes(row.secret),
        row.created,
        row.point,
        row.failing,
        row.ended,
        row.dropped,
    )


def _told(row: Row[*tuple[Any, ...]]) -> Told:
    return Told(
        row.id,
        row.webhook,
        WebhookEvent(row.kind),
        row.key,
        row.body,
        row.created,
        State(row.state),
        row.tries,
        row.told,
        row.answer,
    )
