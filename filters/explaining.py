"""What happened to a message, read from its record, the index and the queue, for an administrator
or for one user (filters/explain_own.py says what of it is theirs).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from config.clock import Clock, rfc3339
from config.sections_filters import Spam
from filters.explain_own import OF_THEIRS, Own
from filters.explain_words import RANKS, Told, told, visible
from filters.spam.difference import differences
from filters.spam.result import SpamResult
from filters.verdict import Scored
from storage.afterwards import Trail, follow, former_name
from storage.directory import Directory
from storage.errors import StoreError
from storage.explain import FOUND, ExplainStore
from storage.explain_values import Kind, Recorded
from storage.queue_values import Listed
from storage.schema import ChangeKind
from storage.store import Store
from storage.values import AccountId, BlobId, Flags, MailboxId, QueueId, System

_FLAGS = {
    System.SEEN: "\\Seen",
    System.ANSWERED: "\\Answered",
    System.FLAGGED: "\\Flagged",
    System.DELETED: "\\Deleted",
    System.DRAFT: "\\Draft",
}
COPIES = 50
"""Local copies of one message that are followed."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`id` is the trace that log lines carry; `lines` in order of time, the present last."""

    id: str
    message_id: str
    at: float
    lines: tuple[Told, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Copy:
    account: AccountId
    blob: BlobId
    mailbox: MailboxId
    uid: int
    modseq: int
    row: Recorded


class Explainer:
    """One for commands and protocols."""

    def __init__(
        self,
        records: ExplainStore,
        store: Store,
        directory: Directory,
        clock: Clock,
        spam: Spam,
    ) -> None:
        self._records, self._store, self._directory = records, store, directory
        self._own, self._clock, self._spam = Own(directory), clock, spam

    async def find(self, name: str) -> list[str]:
        """The messages that a Message-ID, a queue id, the id of a 250 or of a refusal leads to."""
        name = name.strip()
        if name.startswith("<") or "@" in name:
            bare = name.removeprefix("<").removesuffix(">")
            found = await self._records.traces(message_id=f"<{bare}>")
            return found or await self._records.traces(message_id=bare)  # some write none
        if "." in name and (refused := await self._records.traces(ident=name)):
            return refused
        name = name.partition(".")[0]  # in Received the tag of a forwarded message follows
        if await self._records.of_trace(name):
            return [name]
        if name.isascii() and name.isdecimal() and len(name) <= 18:
            return await self._records.traces(queue=int(name))
        return []

    async def find_at(self, account: AccountId, mailbox: str, uid: int) -> str | None:
        """The message that is in a mailbox. Raises NoSuchMailbox."""
        box = await self._store.mailbox(account, mailbox)
        found = await self._store.contents(account, box.id, [uid])
        return await self._records.trace_of(account, found[uid]) if uid in found else None

    async def explain(self, trace: str) -> Explanation | None:
        """All that is known of a message; None when nothing is."""
        rows = await self._records.of_trace(trace)
        return await self._explain(rows, None, whole=len(rows) < FOUND)

    async def explain_for(self, account: AccountId, trace: str) -> Explanation | None:
        """What a user may know of a message; None when it is none of theirs, or unknown."""
        rows = await self._records.of_trace(trace)
        mine = await self._own.of(rows, account)
        if not any(row.kind in OF_THEIRS for row in mine):
            return None
        return await self._explain(mine, account, whole=len(rows) < FOUND)

    async def find_for(self, account: AccountId, message_id: str) -> list[str]:
        """The messages of a Message-ID that a user may ask about."""
        found = []
        for trace in await self.find(message_id):
            mine = await self._own.of(await self._records.of_trace(trace), account)
            if any(row.kind in OF_THEIRS for row in mine):
                found.append(trace)
        return found

    async def _explain(
        self, rows: Sequence[Recorded], account: AccountId | None, *, whole: bool
    ) -> Explanation | None:
        if not rows:
            return None
        lines: list[Told] = []
        taken = False
        for row in rows:
            lines += told(row, again=taken)
            taken = taken or row.kind is Kind.MESSAGE
            lines += [*self._differences(row), *await self._delivered(row)]
        copies = [copy for row in rows if (copy := _copy_of(row)) is not None]
        state: list[Told] = [] if whole else [_more(rows[-1].at, "What happened later is not told")]
        for copy in copies[:COPIES]:
            changes, rest = await self._followed(copy)
            lines += changes
            state += rest
        if account is None or any(row.data.get("by") == account for row in rows):
            state += await self._queued(rows, account)
        lines.sort(key=lambda line: (line.at, RANKS.get(line.what, len(RANKS))))
        named = next((row.message_id for row in rows if row.message_id), "")
        return Explanation(rows[0].trace, named, rows[0].at, (*_once(lines), *state))

    def _differences(self, row: Recorded) -> list[Told]:
        """What would have had to differ for another verdict on spam, by the limits of today."""
        found, spam = row.data.get("spam"), self._spam
        if not found:
            return []
        result = SpamResult(tuple(Scored(*one) for one in found.get("scored", ())))
        if row.data.get("by") is None:
            limits = [("Junk", found.get("junk_at", 0.0)), ("quarantine", spam.quarantine_at)]
            limits.append(("a refusal", spam.reject_at))
        else:
            limits = [("a refusal", spam.users_reject_at)]
        said = differences(result, limits)
        return [Told(row.at, "difference", visible(one), {"difference": one}) for one in said]

    async def _delivered(self, row: Recorded) -> list[Told]:
        """The lines of what scripts decided, of local copies, of what went into the queue."""
        lines = [await self._decided(row.at, *one) for one in row.data.get("scripts") or ()]
        copy = row.data.get("copy")
        if copy:
            box = await self._name(AccountId(row.account or 0), MailboxId(copy["box"]))
            lines.append(_arrived(row, box, await self._address(row.account)))
        if queued := row.data.get("queued"):
            whom = ", ".join(f"<{one}>" for one in queued)
            number = f" as message {row.queue}" if row.queue else ""
            until = row.data.get("hold_until")
            later = f", to be sent at {rfc3339(until)}" if until else ""
            text = f"Put into the queue{number} for {whom}{later}"
            lines.append(Told(row.at, "queued", visible(text), {"queue": row.queue, "for": queued}))
        return lines

    async def _decided(self, at: float, account: int, *done: str) -> Told:
        """What the script of an account made of the message."""
        whose = await self._address(account)
        text = f"The script of <{whose}>: {', '.join(done) or 'nothing'}"
        return Told(at, "script", visible(text), {"account": whose, "done": list(done)})

    async def _followed(self, copy: _Copy) -> tuple[list[Told], list[Told]]:
        """What clients did with a copy, and where it is."""
        account, whose = copy.account, await self._address(copy.account)
        trail = await follow(
            *(self._store.database, account, copy.blob, (copy.mailbox, copy.uid), copy.modseq)
        )
        lines = []
        before = await self._name(account, copy.mailbox)
        for step in trail.steps:
            name = await self._name(account, step.mailbox)
            values = {"account": whose, "mailbox": name, "uid": step.uid}
            text = {
                ChangeKind.APPEND: f"Moved from {before} to {name} of <{whose}>, UID {step.uid}",
                ChangeKind.FLAGS: f"Flags changed in {name} of <{whose}>",
            }.get(step.kind, f"Expunged from {name} of <{whose}>")
            what = {ChangeKind.APPEND: "moved"}.get(step.kind, step.kind.name.lower())
            lines.append(Told(step.at, what, visible(text), values))
            before = name
        if not trail.whole and trail.steps:
            text = f"What clients did later in the account <{whose}> is not told"
            lines.append(_more(trail.steps[-1].at, text))
        return lines, await self._present(copy, trail, whose)

    async def _present(self, copy: _Copy, trail: Trail, whose: str) -> list[Told]:
        at, lines = self._clock.now(), list[Told]()
        for _, box, uid in await self._store.copies(copy.account, [copy.blob]):
            name = await self._name(copy.account, box)
            flags = await self._flags(copy.account, box, uid)
            words = f", flags {' '.join(flags)}" if flags else ", without flags"
            values = {"account": whose, "mailbox": name, "uid": uid, "flags": flags}
            text = f"Is in {name} of <{whose}> as UID {uid}{words}"
            lines.append(Told(at, "present", visible(text), values))
        if not lines and not trail.ended:
            text = f"Is no more in the account <{whose}>"
            lines.append(Told(at, "gone", visible(text), {"account": whose}))
        if not lines and not trail.steps:
            text = f"Is no more in the account <{whose}>; the journal does not say since when"
            lines.append(Told(at, "gone", visible(text), {"account": whose}))
        return lines

    async def _flags(self, account: AccountId, mailbox: MailboxId, uid: int) -> list[str]:
        async for rows in self._store.rows(account, mailbox, [uid]):
            for row in rows:
                return _words(row.flags)
        return []

    async def _queued(self, rows: Sequence[Recorded], account: AccountId | None) -> list[Told]:
        lines = []
        for queue in dict.fromkeys(row.queue for row in rows if row.kind is Kind.MESSAGE):
            entry = await self._store.queue.show(QueueId(queue)) if queue else None
            if entry is not None and (account is None or entry.account == account):
                named = None if account is None else _named(rows)
                lines += _waiting(entry, self._clock.now(), named)
        return lines

    async def _address(self, account: int | None) -> str:
        found = await self._directory.account_by_id(AccountId(account or 0))
        return found.address if found is not None else f"a deleted account, {account}"

    async def _name(self, account: AccountId, mailbox: MailboxId) -> str:
        try:
            boxes = await self._store.mailboxes(account)
        except StoreError:
            boxes = []
        for box in boxes:
            if box.id == mailbox:
                return box.name
        former = await former_name(self._store.database, account, mailbox)
        return f"{former} (deleted)" if former is not None else "a deleted mailbox"


def _copy_of(row: Recorded) -> _Copy | None:
    copy = row.data.get("copy")
    if not copy or row.account is None or row.blob is None:
        return None
    return _Copy(
        *(AccountId(row.account), BlobId(row.blob), MailboxId(copy["box"])),
        *(copy["uid"], copy.get("modseq", 0), row),
    )


def _more(at: float, text: str) -> Told:
    return Told(at, "more", visible(text), {})


def _arrived(row: Recorded, box: str, whose: str) -> Told:
    copy = row.data["copy"]
    values = {"account": whose, "mailbox": box, "uid": copy["uid"], "for": copy["address"]}
    if copy.get("resend"):
        text = f"Was in {box} of <{whose}> already, as UID {copy['uid']}: sent twice"
        return Told(row.at, "resent", visible(text), values)
    text = f"Delivered into {box} of <{whose}> as UID {copy['uid']}"
    text += f" for <{copy['address']}>" if copy["address"].lower() != whose.lower() else ""
    text += f", marked {' '.join(copy['keywords'])}" if copy.get("keywords") else ""
    return Told(row.at, "delivered", visible(text), values)


def _named(rows: Sequence[Recorded]) -> frozenset[str]:
    """The recipients that the sender named."""
    everybody = (one for row in rows for one in row.data.get("recipients") or ())
    return frozenset(one["address"] for one in everybody if isinstance(one, dict))


def _waiting(entry: Listed, now: float, named: frozenset[str] | None) -> list[Told]:
    """Who waits in the queue; of those, where `named` are given, these alone."""
    lines = []
    for one in entry.recipients:
        hidden = named is not None and one.address not in named
        if hidden or one.state in ("delivered", "failed"):
            continue
        again = f", next attempt {rfc3339(one.next_attempt)}" if one.next_attempt else ""
        text = f"Waits in the queue for <{one.address}>: {one.state}{again}"
        text += f", last heard: {one.last_reply}" if one.last_reply else ""
        values = {"queue": int(entry.id), "recipient": one.address, "state": one.state}
        lines.append(Told(now, "waiting", visible(text), values))
    return lines


def _words(flags: Flags) -> list[str]:
    system = [word for flag, word in _FLAGS.items() if flags.system & flag]
    return [*system, *sorted(flags.keywords)]


def _once(lines: Sequence[Told]) -> list[Told]:
    """Who connected stands once, though every refusal of the connection tells of it."""
    seen: set[str] = set()
    kept = []
    for line in lines:
        if line.what in ("connected", "filters", "filter"):
            if line.text in seen:
                continue
            seen.add(line.text)
        kept.append(line)
    return kept
