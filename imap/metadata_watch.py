"""Changes of metadata by others, told to a session that said ENABLE METADATA (RFC 5464 §4.4), or
asked for them by NOTIFY (RFC 5465 §5.6, §5.7).

Only names of entries are told, with the next updates or at once during IDLE. Invariants: the
session's own changes are not told; of other users' mailboxes only those that it may see.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from imap.grammar.metadata import changed_line
from imap.mailboxes import resolve
from storage.metadata import SERVER, MetadataChanged
from storage.names import OTHERS

if TYPE_CHECKING:
    from imap.session import Session

_MOST: Final = 1_000


class MetadataWatch:
    """One session's; `close` it with the session. `on_add` takes the place of the push in IDLE."""

    __slots__ = ("_on_add", "_pending", "_session", "_unsubscribe")

    def __init__(self, session: "Session", on_add: Callable[[], None] | None = None) -> None:
        self._session, self._on_add = session, on_add
        self._pending: dict[tuple[str, str], None] = {}
        self._unsubscribe = session.context.metadata.on_change(self._on_change)

    def close(self) -> None:
        self._unsubscribe()

    @property
    def due(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._pending)

    def take(self, wanted: Callable[[str], bool] | None = None) -> bytes:
        """The lines that are due, told from here on; only of those `wanted`."""
        pending, self._pending = self._pending, {}
        by_name: dict[str, list[str]] = {}
        for name, entry in pending:
            if wanted is None or wanted(name):
                by_name.setdefault(name, []).append(entry)
        utf8 = self._session.utf8
        return b"".join([changed_line(name, found, utf8) for name, found in by_name.items()])

    def _on_change(self, change: MetadataChanged) -> None:
        session = self._session
        if change.source is session:
            return
        entries = change.seen_by(session.account)
        if not entries:
            return
        if change.holder == SERVER or change.holder.account == session.account:
            if change.holder == SERVER or session.grant.sees(change.name):
                self._add(change.name, entries)
            return
        context = session.context
        task = asyncio.get_running_loop().create_task(self._look(change, entries))
        context.background.add(task)
        task.add_done_callback(context.background.discard)

    async def _look(self, change: MetadataChanged, entries: tuple[str, ...]) -> None:
        """Another user's mailbox: is it seen from here, and under which name?"""
        session = self._session
        owner = await session.context.directory.account_by_id(change.holder.account)
        if owner is not None and session.login is not None:
            place = await resolve(session, f"{OTHERS}/{owner.address}/{change.name}")
            if "l" in place.rights and not set(place.rights).isdisjoint("rswip"):
                self._add(place.shown, entries)

    def _add(self, name: str, entries: tuple[str, ...]) -> None:
        for entry in entries:
            if len(self._pending) < _MOST:
                self._pending[name, entry] = None
        if self._on_add is not None:
            self._on_add()
        elif self._session.idling:
            self._session.push()
