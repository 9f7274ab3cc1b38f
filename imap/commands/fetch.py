"""FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4).

Messages are sent in the mailbox's order, 250 a write. What the view's arrays hold is never read
from SQL. A message that was expunged meanwhile is left out and the command ends NO [EXPUNGEISSUED].
"""

from collections.abc import Sequence
from typing import Final

from imap.fetch_plan import BodyItem, Entry, Plan, heads, plan_of
from imap.grammar.command import Fetch
from imap.grammar.fetch_item import FetchAtom
from imap.replies import Closing, Reply, Status
from imap.sections import PIECE, Reader, Span
from imap.selected import Selected
from imap.session import Session
from storage.errors import MessageMissing
from storage.values import FlagChange, Flags, MessageRow, System

_CHUNK: Final = 250
_QUICK_CHUNK: Final = 2500


async def fetch(session: Session, command: Fetch) -> Reply:
    by_modseq = command.changed_since is not None
    if by_modseq or FetchAtom.MODSEQ in command.items:
        session.condstore = True
    plan = plan_of(command.items, command.uid, by_modseq, session.condstore)
    run = _Run(session, plan, command.changed_since or 0)
    indices = session.mailbox.indices(command.sequence, command.uid)
    if plan.seen and not session.mailbox.read_only:
        await run.mark_seen(indices)
    step = _CHUNK if plan.needs_rows else _QUICK_CHUNK
    for start in range(0, len(indices), step):
        entries = run.entries(indices[start : start + step])
        if not plan.needs_rows:
            run.send_heads(entries)
        else:
            await run.send_rows(entries)
        await session.connection.breathe()
    if run.missing:
        return Reply("Some messages were expunged", b"EXPUNGEISSUED", Status.NO)
    return Reply("FETCH completed")


class _Run:
    """One FETCH under way."""

    __slots__ = ("_plan", "_reader", "_seen", "_selected", "_session", "_since", "missing")

    def __init__(self, session: Session, plan: Plan, since: int) -> None:
        self._session, self._plan, self._since = session, plan, since
        self._selected: Selected = session.mailbox
        self._reader = Reader(session.store, session.account, self._selected.mailbox)
        self._seen: frozenset[int] = frozenset()
        self.missing = 0

    async def mark_seen(self, indices: Sequence[int]) -> None:
        """One change for the whole command; who was changed is told with FLAGS."""
        unseen = [entry[1] for entry in self.entries(indices) if not entry[2] & System.SEEN]
        self.missing = 0
        if unseen:
            outcome = await self._session.store.store(
                self._session.account,
                self._selected.mailbox,
                unseen,
                FlagChange.ADD,
                Flags(System.SEEN),
            )
            self._selected.own_change(outcome.changed)
            self._seen = frozenset(outcome.changed)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """The messages at these indices as they are; those expunged are counted as missing."""
        selected, view = self._selected, self._selected.view
        if selected.stale:
            found = [(i + 1, view.index_of(selected.uids[i])) for i in indices]
            entries = [
                (n, view.uids[j], view.flags[j], view.modseqs[j]) for n, j in found if j >= 0
            ]
            self.missing += len(found) - len(entries)
        elif isinstance(indices, range):
            low, high = indices.start, indices.stop
            columns = (view.uids[low:high], view.flags[low:high], view.modseqs[low:high])
            entries = list(zip(range(low + 1, high + 1), *columns, strict=True))
        else:
            entries = [(i + 1, view.uids[i], view.flags[i], view.modseqs[i]) for i in indices]
        if self._since:
            return [entry for entry in entries if entry[3] > self._since]
        return entries

    def send_heads(self, entries: Sequence[Entry]) -> None:
        """Responses made of the view alone."""
        if entries:
            lines = heads(self._plan, entries, self._selected.view.flags_text)
            self._session.send(b")\r\n".join(lines) + b")\r\n")

    async def send_rows(self, entries: Sequence[Entry]) -> None:
        """Responses that need the messages' rows."""
        starts = self._starts(entries)
        count = len(starts)
        rows = self._session.store.rows(self._session.account, self._selected.mailbox, list(starts))
        async for chunk in rows:
            count -= len(chunk)
            if self._plan.bodies:
                for row in chunk:
                    await self._send_bodies(row, starts[row.uid])
            else:
                self._send_values(chunk, starts)
                await self._session.connection.breathe()
        self.missing += count

    def _starts(self, entries: Sequence[Entry]) -> dict[int, bytes]:
        plan, text = self._plan, self._selected.view.flags_text
        starts = {
            entry[1]: head for entry, head in zip(entries, heads(plan, entries, text), strict=True)
        }
        changed = [entry for entry in entries if entry[1] in self._seen]
        if changed and not plan.flags:
            told = heads(plan, changed, text, flags=True)
            starts.update({entry[1]: head for entry, head in zip(changed, told, strict=True)})
        return starts

    def _send_values(self, rows: Sequence[MessageRow], starts: dict[int, bytes]) -> None:
        values = self._plan.values
        lines = [starts[row.uid] + b" ".join([value(row) for value in values]) for row in rows]
        if lines:
            self._session.send(b")\r\n".join(lines) + b")\r\n")

    async def _send_bodies(self, row: MessageRow, start: bytes) -> None:
        """One response with sections of the message."""
        values = [value(row) for value in self._plan.values]
        out = [start, b" ".join(values)]
        started = False
        try:
            for number, item in enumerate(self._plan.bodies):
                if number or values:
                    out.append(b" ")
                started = await self._add(row, item, out) or started
        except MessageMissing:
            if started:
                # The length was announced already: the client must not take what follows for it.
                self._session.connection.abort()
                raise Closing from None
            self.missing += 1
            return
        finally:
            self._session.connection.mid_literal = False
        out.append(b")\r\n")
        self._session.send(b"".join(out))
        await self._session.connection.breathe()

    async def _add(self, row: MessageRow, item: BodyItem, out: list[bytes]) -> bool:
        """Adds a section to `out`; a large one is sent, with `out` before it: then True."""
        found = await self._reader.find(row, item)
        if found is None:
            out.append(item.label + b" NIL")
            return False
        if isinstance(found, Span):
            if found.length > PIECE:
                out.append(b"%s {%d}\r\n" % (item.label, found.length))
                await self._stream(row, found, out)
                return True
            found = await self._reader.read(row, found)
        out.append(b"%s {%d}\r\n%s" % (item.label, len(found), found))
        return False

    async def _stream(self, row: MessageRow, span: Span, out: list[bytes]) -> None:
        """Sends a large section in pieces, as fast as the client takes them."""
        connection = self._session.connection
        first = await self._reader.read(row, Span(span.offset, PIECE))
        connection.send(b"".join(out))
        out.clear()
        connection.mid_literal = True
        connection.send(first)
        for offset in range(PIECE, span.length, PIECE):
            await connection.breathe()
            length = min(PIECE, span.length - offset)
            connection.send(await self._reader.read(row, Span(span.offset + offset, length)))
