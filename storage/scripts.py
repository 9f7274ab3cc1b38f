"""The Sieve scripts of accounts, rows of config.db: by name, at most one of them active.

Whether a text is a script at all is for the caller to find out before. Invariants: a change is one
transaction with its row of the journal, committed, then seen by look-ups, then told; an account has
no more than script_values' bounds; the active script is looked up without SQL once it is known.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from cachetools import LRUCache
from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, modseq_of, note
from storage.config_user_tables import script
from storage.script_values import (
    MAX_SCRIPTS,
    MAX_SIZE,
    MAX_TOTAL,
    NoSuchScript,
    Script,
    ScriptActive,
    ScriptChanged,
    ScriptExists,
    ScriptLine,
    ScriptsTooLarge,
    ScriptTooLarge,
    TooManyScripts,
    script_name,
)
from storage.values import AccountId

P = ParamSpec("P")
T = TypeVar("T")
CACHE_OCTETS = 16 * 1024 * 1024
_OVERHEAD = 512
_s = script.c
_COLUMNS = (_s.id, _s.name, _s.text, _s.active, _s.changed)
_LINE = (_s.id, _s.name, func.length(_s.text).label("size"), _s.active, _s.changed)


def _change(
    method: Callable[Concatenate["Scripts", AccountId, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Scripts", AccountId, P], Coroutine[Any, Any, T]]:
    """The method, not interrupted when its caller is cancelled; what was looked up is forgotten."""

    async def run(self: "Scripts", account: AccountId, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(self, account, *args, **kwargs)
        finally:
            self.forget(account)
            for listener in tuple(self._listeners.values()):
                listener(account)

    @wraps(method)
    async def finished(
        self: "Scripts", account: AccountId, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._database.finish(run(self, account, *args, **kwargs))

    return finished


class Scripts:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._active: LRUCache[AccountId, Script | None] = LRUCache(CACHE_OCTETS, _size_of)
        self._listeners: dict[object, Callable[[AccountId], None]] = {}
        self.changes = 0

    def on_change(self, listener: Callable[[AccountId], None]) -> Callable[[], None]:
        """Calls back in the loop when scripts of an account may have changed; returns the
        unsubscriber.
        """
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        self.changes += 1
        self._active.pop(account, None)

    # Reading.

    async def listed(self, account: AccountId) -> list[ScriptLine]:
        """In order of name."""
        query = select(*_LINE).where(_s.account == account).order_by(_s.name)
        rows = await self._database.finish(self._rows(query))
        return sorted(map(_line, rows), key=lambda one: one.name)

    async def all(self, account: AccountId) -> list[Script]:
        """With their texts, in order of name."""
        rows = await self._database.finish(
            self._rows(select(*_COLUMNS).where(_s.account == account))
        )
        return sorted(map(_script, rows), key=lambda one: one.name)

    async def get(self, account: AccountId, name: str) -> Script:
        """Raises NoSuchScript, BadScriptName."""
        where = (_s.account == account) & (_s.name == script_name(name))
        rows = await self._database.finish(self._rows(select(*_COLUMNS).where(where)))
        if not rows:
            raise _absent(name)
        return _script(rows[0])

    async def active(self, account: AccountId) -> Script | None:
        """The script that runs for an account's mail, if any."""
        if account in self._active:
            return self._active[account]
        before = self.changes
        where = (_s.account == account) & _s.active
        rows = await self._database.finish(self._rows(select(*_COLUMNS).where(where)))
        found = _script(rows[0]) if rows else None
        if before == self.changes:
            self._active[account] = found
        return found

    async def check_room(self, account: AccountId, name: str, size: int) -> None:
        """Raises what `put` of a script of `size` octets would: ScriptTooLarge, TooManyScripts,
        BadScriptName.
        """
        _check(await self.listed(account), script_name(name), size)

    async def _rows(self, query: Any) -> list[Row[Any]]:
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).all())

    # Changing.

    @_change
    async def put(
        self,
        account: AccountId,
        name: str,
        text: bytes,
        *,
        new: bool = False,
        over: bytes | None = None,
    ) -> bool:
        """Stores a script under a name; whether it is the first of it. The active script stays
        active. `new`: only when there is none; `over`: only in place of that text. Raises
        ScriptTooLarge, TooManyScripts, BadScriptName, ScriptExists, ScriptChanged, NoSuchAccount.
        """
        name = script_name(name)
        async with self._database.writing() as at:
            await modseq_of(at, account)
            lines = await _lines(at, account)
            present = _named(lines, name)
            if new and present is not None:
                raise ScriptExists(f"There is a script {name!r} already")
            _check(lines, name, len(text))
            values = {"text": text, "changed": self._clock.now()}
            if over is not None and (present is None or await _text(at, present) != over):
                raise ScriptChanged(f"The script {name!r} has been changed meanwhile")
            if present is None:
                row = {"account": account, "name": name, "active": False, **values}
                made = await at.execute(insert(script).values(row).returning(_s.id))
                await _note(at, account, How.CREATED, made.scalar_one())
            else:
                await at.execute(update(script).where(_s.id == present.id).values(values))
                await _note(at, account, How.UPDATED, present.id)
        return present is None

    @_change
    async def activate(self, account: AccountId, name: str) -> None:
        """The script that runs from here on; "" is none. Raises NoSuchScript, BadScriptName."""
        async with self._database.writing() as at:
            lines = await _lines(at, account)
            chosen = _present(lines, name) if name else None
            switched = [one for one in lines if one.active is not (one is chosen)]
            for one in sorted(switched, key=lambda one: not one.active):  # never two at a time
                change = update(script).where(_s.id == one.id).values(active=not one.active)
                await at.execute(change)
                await _note(at, account, How.UPDATED, one.id)

    @_change
    async def rename(self, account: AccountId, old: str, name: str) -> None:
        """It stays active if it was. Raises NoSuchScript, ScriptExists, BadScriptName."""
        name = script_name(name)
        async with self._database.writing() as at:
            lines = await _lines(at, account)
            present = _present(lines, old)
            if present.name == name:
                return
            if _named(lines, name) is not None:
                raise ScriptExists(f"There is a script {name!r} already")
            await at.execute(update(script).where(_s.id == present.id).values(name=name))
            await _note(at, account, How.UPDATED, present.id)

    @_change
    async def delete(self, account: AccountId, name: str) -> None:
        """Raises NoSuchScript, ScriptActive, BadScriptName."""
        async with self._database.writing() as at:
            present = _present(await _lines(at, account), name)
            if present.active:
                raise ScriptActive("The active script can't be deleted")
            await at.execute(delete(script).where(_s.id == present.id))
            await _note(at, account, How.DELETED, present.id)


def _script(row: Any) -> Script:
    return Script(row.id, row.name, bytes(row.text), row.active, row.changed)


def _line(row: Any) -> ScriptLine:
    return ScriptLine(row.id, row.name, row.size, row.active, row.changed)


def _size_of(found: Script | None) -> int:
    return _OVERHEAD + (len(found.text) if found is not None else 0)


async def _lines(at: AsyncConnection, account: AccountId) -> list[ScriptLine]:
    of_account: ColumnElement[bool] = _s.account == account
    return [_line(row) for row in await at.execute(select(*_LINE).where(of_account))]


async def _text(at: AsyncConnection, line: ScriptLine) -> bytes:
    return bytes((await at.execute(select(_s.text).where(_s.id == line.id))).scalar_one())


def _named(lines: list[ScriptLine], name: str) -> ScriptLine | None:
    return next((one for one in lines if one.name == name), None)


def _present(lines: list[ScriptLine], name: str) -> ScriptLine:
    found = _named(lines, script_name(name))
    if found is None:
        raise _absent(name)
    return found


def _absent(name: str) -> NoSuchScript:
    return NoSuchScript(f"There is no script {name!r}")


def _check(lines: list[ScriptLine], name: str, size: int) -> None:
    others = [one.size for one in lines if one.name != name]
    if size > MAX_SIZE:
        raise ScriptTooLarge(f"A script has at most {MAX_SIZE} octets")
    if len(others) >= MAX_SCRIPTS:
        raise TooManyScripts(f"An account has at most {MAX_SCRIPTS} scripts")
    if sum(others) + size > MAX_TOTAL:
        raise ScriptsTooLarge(f"The scripts of an account have at most {MAX_TOTAL} octets")


async def _note(at: AsyncConnection, account: AccountId, how: How, number: int) -> None:
    await note(at, account, [Change(Kind.SCRIPT, how, str(number))])
