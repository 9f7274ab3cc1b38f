"""FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 9394 §3.3).

Messages are sent in the mailbox's order, 250 a write. What the view's arrays hold is never read
from SQL. A message that was expunged meanwhile is left out; FETCH by number then ends NO
[EXPUNGEISSUED], UID FETCH as if the UID had never been (§6.4.9).
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from filters.recipients.imap_events import Cause
from imap import message_limit
from imap.fetch_plan import Messages, Plan, plan_of, responses, starts
from imap.gmail import with_labels
from imap.grammar.fetch_item import FetchAtom, FetchItem
from imap.grammar.message_commands import Fetch
from imap.replies import Bad, Reply, Status
from imap.resync import changed, tell_vanished
from imap.script_events import tell
from imap.section_writer import SectionWriter
from imap.sections import Reader
from imap.selected import Selected
from imap.session import Session
from message.meta import all_kept, is_eight_bit
from storage.errors import MessageMissing
from storage.rendering import render_utf8
from storage.values import FlagChange, Flags, PlacedRow, Summary, System

_CHUNK: Final = 250
_SEEN: Final = int(System.SEEN)


async def fetch(session: Session, command: Fetch) -> Reply:
    if command.vanished and not session.mode.qresync:
        raise Bad("ENABLE QRESYNC comes first")
    by_modseq = command.changed_since is not None
    if by_modseq or FetchAtom.MODSEQ in command.items:
        session.use_condstore()
    plan = plan_of(command.items, command.uid, by_modseq, session.mode)
    run = _Run(session, plan, command.changed_since or 0)
    named = await _indices(session, command)
    indices = message_limit.cut(session, named)
    lowest = session.mailbox.uids[indices[0]] if indices else None
    if plan.seen and not session.mailbox.read_only and "s" in session.mailbox.rights:
        await run.mark_seen(indices)
    await run.send_all(indices)
    return message_limit.told(session, _reply(run, command), named, lowest)


def _reply(run: "_Run", command: Fetch) -> Reply:
    sections = run.sections
    if sections.lost:
        return Reply("Some messages can't be read", b"SERVERBUG", Status.NO)
    if sections.unknown:
        return Reply("Some parts have an unknown encoding", b"UNKNOWN-CTE", Status.NO)
    if (run.missing or sections.missing) and not command.uid:
        return Reply("Some messages were expunged", b"EXPUNGEISSUED", Status.NO)
    return Reply("FETCH completed")


async def tell_messages(
    session: Session, items: tuple[FetchItem, ...], indices: Sequence[int]
) -> None:
    """Responses that no command asked for; nothing is marked as seen (RFC 5465 §5.2)."""
    plan = plan_of(items, False, False, session.mode)
    await _Run(session, plan, 0).send_all(indices)


async def _indices(session: Session, command: Fetch) -> Sequence[int]:
    """The messages that are named, and of those changed since, the part that is asked for."""
    if command.vanished:
        await tell_vanished(session, command.sequence, command.changed_since or 0)
    indices = session.mailbox.indices(command.sequence, command.uid)
    if command.changed_since:
        indices = await changed(session, indices, command.changed_since)
    if command.partial is None:
        return indices
    window = command.partial.of(len(indices))
    return indices[window.start : window.stop]


class _Run:
    """One FETCH under way."""

    __slots__ = (
        "_plan",
        "_reader",
        "_seen",
        "_selected",
        "_session",
        "_since",
        "_text",
        "missing",
        "sections",
    )

    def __init__(self, session: Session, plan: Plan, since: int) -> None:
        self._session, self._plan, self._since = session, plan, since
        self._selected: Selected = session.mailbox
        self._text = self._selected.view.flags_text
        surrogates = None if session.utf8 else session.context.offload
        account, mailbox = self._selected.account, self._selected.mailbox
        self._reader = Reader(session.store, account, mailbox, surrogates)
        self.sections = SectionWriter(session, self._reader, plan.bodies)
        self._seen: frozenset[int] = frozenset()
        self.missing = 0

    async def mark_seen(self, indices: Sequence[int]) -> None:
        """One change for the whole command; who was changed is told with FLAGS."""
        _, uids, fields, _ = self.messages(indices)
        unseen = [uid for uid, field in zip(uids, fields, strict=True) if not field & _SEEN]
        self.missing = 0
        if unseen:
            outcome = await self._session.store.store(
                self._selected.account,
                self._selected.mailbox,
                unseen,
                FlagChange.ADD,
                Flags(System.SEEN),
            )
            self._selected.own_change(outcome.changed)
            here = (self._selected.account, self._selected.mailbox)
            tell(self._session, *here, outcome.changed, Cause.FLAG, Flags(System.SEEN))
            self._seen = frozenset(outcome.changed)

    async def send_all(self, indices: Sequence[int]) -> None:
        """The responses, in order."""
        selected = self._selected
        if self._plan.threads:
            uids = [selected.uids[index] for index in indices]
            await self._session.store.threads.ensure(selected.account, selected.mailbox, uids)
        for start in range(0, len(indices), _CHUNK):
            self._session.progress(start, len(indices))
            messages = self.messages(indices[start : start + _CHUNK])
            if self._plan.listed is not None:
                await self.send_rows(messages, self._plan.listed)
            elif self._plan.bodies:
                await self.send_bodies(messages)
            elif self._plan.values:
                await self.send_rows(messages, self._plan)
            else:
                self.send(self._plan, messages, ())
            await self._session.connection.breathe()

    def messages(self, indices: Sequence[int]) -> Messages:
        """The messages at these indices as they are; those expunged are counted as missing."""
        selected, view = self._selected, self._selected.view
        whole = Messages(range(1, len(view.uids) + 1), view.uids, view.flags, view.modseqs)
        if selected.stale:
            found = [(i + 1, view.index_of(selected.uids[i])) for i in indices]
            there = [pair for pair in found if pair[1] >= 0]
            self.missing += len(found) - len(there)
            messages = whole.at([place for _, place in there])
            messages = messages._replace(numbers=[number for number, _ in there])
        elif isinstance(indices, range):
            messages = whole.part(slice(indices.start, indices.stop))
        else:
            messages = whole.at(indices)
        if self._since:
            modseqs = messages.modseqs
            return messages.at([i for i in range(len(modseqs)) if modseqs[i] > self._since])
        return messages

    def send(self, plan: Plan, messages: Messages, rows: Sequence[Summary]) -> None:
        """Responses without sections."""
        if messages.uids:
            self._session.send(responses(plan, messages, rows, self._text))

    async def send_rows(self, messages: Messages, plan: Plan) -> None:
        """Responses with what comes from the messages' rows; where header fields are wanted that
        one of these rows does not have, from the files.
        """
        uids, done = messages.uids, 0
        while done < len(uids):
            rows, complete = await self._session.store.summaries(
                self._selected.account, self._selected.mailbox, uids[done:], ids=plan.ids
            )
            until = len(uids) if complete else bisect_right(uids, rows[-1][0], done)
            if plan is not self._plan and not all_kept([row[3] for row in rows], plan.mode.utf8):
                await self.send_bodies(messages.part(slice(done, until)))
            else:
                if plan.again:
                    rows = [await self._utf8_row(row) for row in rows]
                if plan.labels:
                    rows = await with_labels(self._session, self._selected, rows)
                self.send(plan, self._with_rows(messages, done, until, rows), rows)
            done = until
            await self._session.connection.breathe()

    async def _utf8_row(self, row: Summary) -> Summary:
        return (*row[:3], await self._utf8_meta(row[0], row[3]), *row[4:])

    async def send_bodies(self, messages: Messages) -> None:
        """Responses with sections of the messages."""
        uids, done = messages.uids, 0
        while done < len(uids):
            rows, complete = await self._session.store.placed_rows(
                self._selected.account, self._selected.mailbox, uids[done:]
            )
            until = len(uids) if complete else bisect_right(uids, rows[-1].uid, done)
            found = self._with_rows(messages, done, until, rows)
            if self._plan.again:
                rows = [row._replace(meta=await self._utf8_meta(row.uid, row.meta)) for row in rows]
            summaries = await self._summaries(rows)
            for row, start in zip(rows, self._starts(found, summaries), strict=True):
                await self.sections.send(row, start)
            done = until

    async def _utf8_meta(self, uid: int, meta: bytes) -> bytes:
        """What a row holds, rendered for UTF-8 where that makes a difference."""
        if not is_eight_bit(meta):
            return meta
        selected, session = self._selected, self._session
        rows, _ = await session.store.placed_rows(selected.account, selected.mailbox, [uid])
        if not rows:
            return meta
        try:
            data = await self._reader.whole(rows[0])
        except MessageMissing:
            return meta
        await session.connection.breathe()
        return await session.context.offload.process(render_utf8, data)

    def _with_rows(
        self, messages: Messages, done: int, until: int, rows: Sequence[Summary | PlacedRow]
    ) -> Messages:
        """Those among `done` to `until` that have a row; the others are counted as missing."""
        count = until - done
        part = messages if count == len(messages.uids) else messages.part(slice(done, until))
        if count == len(rows):
            return part
        self.missing += count - len(rows)
        return part.among(rows)

    async def _summaries(self, rows: Sequence[PlacedRow]) -> Sequence[Summary]:
        """What the plan's values come from."""
        if not self._plan.values:
            return ()
        summaries = [row.summary for row in rows]
        if self._plan.labels:
            return await with_labels(self._session, self._selected, summaries)
        return summaries

    def _starts(self, messages: Messages, summaries: Sequence[Summary]) -> list[bytes]:
        begun = starts(self._plan, messages, summaries, self._text)
        if self._seen and not self._plan.flags:
            told = starts(self._plan.with_flags(), messages, summaries, self._text)
            for place, uid in enumerate(messages.uids):
                if uid in self._seen:
                    begun[place] = told[place]
        return begun
