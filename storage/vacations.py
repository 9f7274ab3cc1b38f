"""What accounts answer while their users are away (RFC 8621 §8): rows of config.db.

It stands beside the account's script, which may be of any form, and answers whatever that does.
Invariants: a change is one transaction with its row of the journal; once it is known, no SQL is run
to look it up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache
from sqlalchemy import insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, modseq_of, note
from storage.config_sending_tables import vacation as table
from storage.values import AccountId

MAX_SUBJECT: Final = 500
MAX_BODY: Final = 64 * 1024
SINGLETON: Final = "singleton"
_OCTETS: Final = 4 * 1024 * 1024
_OVERHEAD: Final = 200
_c = table.c
_COLUMNS = (
    _c.enabled,
    _c.from_date,
    _c.to_date,
    _c.subject,
    _c.text_body,
    _c.html_body,
    _c.changed,
)


@dataclass(frozen=True, slots=True)
class VacationResponse:
    """It answers from `from_date` on, up to `to_date` without it; None where there is no bound.
    What is None of subject and bodies the server makes up. Times in seconds since 1970.
    """

    enabled: bool = False
    from_date: float | None = None
    to_date: float | None = None
    subject: str | None = None
    text_body: str | None = None
    html_body: str | None = None
    changed: float = 0.0

    def answers_at(self, now: float) -> bool:
        """Whether the user is away."""
        begun = self.from_date is None or self.from_date <= now
        return self.enabled and begun and (self.to_date is None or now < self.to_date)


_NONE: Final = VacationResponse()


class Vacations:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._known: LRUCache[AccountId, VacationResponse] = LRUCache(_OCTETS, _size_of)
        self._listeners: dict[object, Callable[[AccountId], None]] = {}
        self._changes = 0

    def on_change(self, listener: Callable[[AccountId], None]) -> Callable[[], None]:
        """Calls back in the loop when that of an account may have changed; returns the
        unsubscriber.
        """
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        self._changes += 1
        self._known.pop(account, None)

    async def get(self, account: AccountId) -> VacationResponse:
        """One that is not enabled where none was set."""
        known = self._known.get(account)
        if known is not None:
            return known
        before = self._changes
        found = await self._database.finish(self._get(account))
        if before == self._changes:
            self._known[account] = found
        return found

    async def set(self, account: AccountId, made: VacationResponse) -> None:
        """In place of what there was. Raises NoSuchAccount."""
        try:
            await self._database.finish(self._set(account, made))
        finally:
            self.forget(account)
            for listener in tuple(self._listeners.values()):
                listener(account)

    async def _get(self, account: AccountId) -> VacationResponse:
        async with self._database.reading() as at:
            query = select(*_COLUMNS).where(_c.account == account)
            row = (await at.execute(query)).first()
        return _NONE if row is None else VacationResponse(bool(row[0]), *row[1:])

    async def _set(self, account: AccountId, made: VacationResponse) -> None:
        values = {name: getattr(made, name) for name in made.__slots__}
        values["changed"] = self._clock.now()
        async with self._database.writing() as at:
            await modseq_of(at, account)
            mine = update(table).where(_c.account == account).values(values)
            if not (await at.execute(mine)).rowcount:
                await at.execute(insert(table).values(account=account, **values))
            await note(at, account, [Change(Kind.VACATION, How.UPDATED, SINGLETON)])


def _size_of(found: VacationResponse) -> int:
    texts = (found.subject, found.text_body, found.html_body)
    return _OVERHEAD + sum(len(text) for text in texts if text is not None)
