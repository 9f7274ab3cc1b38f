"""One script over one stored message, and what it wants done to it (RFC 6785 §3).

What cancels the implicit keep leaves the message with \\Deleted; nothing is expunged. Messages
never change: edits are for what is filed elsewhere and sent on. A script that refuses or answers,
or asks for the envelope, is wrong here and does nothing at all.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from config.clock import Clock
from config.logging import Logger
from filters.context import Kind, Message, Recipient
from filters.delivery import Delivery
from filters.envelope import Envelope, make_trace
from filters.recipients.deciding import Personal
from filters.recipients.disposition import Later
from filters.recipients.flag_words import flags_of, words_of
from filters.sieve.actions import FileInto, Keep, Notify, Outcome, Redirect, Reject, Vacation
from filters.sieve.environment import Environment
from filters.sieve.errors import CompileError
from filters.sieve.limits import LIMITS
from filters.sieve.mail import Mail
from message.date import format_date
from message.edits import Edit, apply_edits
from message.headers import build_field, header_block, without_blank_line
from message.meta import unpack_meta
from storage.directory import Directory
from storage.directory_values import Account, Resolution, Status
from storage.errors import MessageMissing
from storage.script_values import NoSuchScript
from storage.store import Store
from storage.values import (
    NO_FLAGS,
    AccountId,
    Append,
    Content,
    FlagChange,
    Flags,
    MailboxId,
    MessageRow,
    System,
)

if TYPE_CHECKING:
    from filters.recipients.imap_events import Happened

PIECE: Final = 1024 * 1024
_DELETED: Final = Flags(System.DELETED)
# RFC 6785 §3.11: of mail that arrives.
_OF_ARRIVAL: Final = frozenset(("reject", "ereject", "vacation", "vacation-seconds"))


class ImapActions:
    """One for all accounts. Calls raise StoreError, OSError, Busy."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        personal: Personal,
        delivery: Delivery,
        hostname: str,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._directory, self._store, self._personal = directory, store, personal
        self._delivery, self._hostname = delivery, hostname
        self._clock, self._log = clock, log

    async def run(self, name: str, event: "Happened", uid: int) -> None:
        """The account's script of that name over a message, if both are still there."""
        row = await self._row(event.account, event.mailbox, uid)
        owner = await self._directory.account_by_id(event.account)
        if row is None or owner is None:
            return
        scripting = self._personal.scripting
        try:
            stored = await self._directory.scripts.get(event.account, name)
            script = await scripting.compiled(stored.text)
            whole = row.size if script.reads_body else unpack_meta(row.meta).header_length
            data = await self._read(event, row, min(whole, LIMITS.body_size))
        except (NoSuchScript, CompileError, MessageMissing) as error:
            self._failed(event, name, uid, str(error))
            return
        misplaced = sorted(script.required & _OF_ARRIVAL)
        if misplaced:
            self._failed(event, name, uid, f"{', '.join(misplaced)}: for mail that arrives only")
            return
        mail = Mail(without_blank_line(header_block(data)), row.size, lambda: data)
        environment = await self._environment(event, owner, row)
        outcome = await scripting.evaluate(script, mail, environment, event.account)
        if outcome.error:
            self._failed(event, name, uid, f"line {outcome.error_place.line}: {outcome.error}")
            return
        if any(isinstance(action, Reject | Vacation) for action in outcome.actions):
            self._failed(event, name, uid, "an included script refuses or answers")
            return
        await self._carry_out(outcome, event, owner, row, len(mail.header))
        await self._follow(outcome, owner, mail.header)

    async def _carry_out(
        self, outcome: Outcome, event: "Happened", owner: Account, row: MessageRow, header: int
    ) -> None:
        kept = False
        for action in outcome.actions:
            match action:
                case Keep():
                    kept = True
                    await self._flag(event, row, flags_of(action.flags))
                case FileInto():
                    kept = kept or action.copy
                    edits = _possible(outcome.versions[action.version], row, header)
                    await self._file(event, row, action, edits)
                case Redirect():
                    edits = _possible(outcome.versions[action.version], row, header)
                    gone = await self._redirect(event, owner, row, action, edits)
                    kept = kept or action.copy or not gone
                case _:
                    pass
        if not kept:
            here = (event.account, event.mailbox, [row.uid])
            await self._store.store(*here, FlagChange.ADD, _DELETED)

    async def _flag(self, event: "Happened", row: MessageRow, flags: Flags) -> None:
        """What the script changed, and nothing that a client changed meanwhile."""
        here = (event.account, event.mailbox, [row.uid])
        for how, left, right in (
            (FlagChange.ADD, flags, row.flags),
            (FlagChange.REMOVE, row.flags, flags),
        ):
            change = Flags(left.system & ~right.system, left.keywords - right.keywords)
            if change != NO_FLAGS:
                await self._store.store(*here, how, change)

    async def _file(
        self, event: "Happened", row: MessageRow, action: FileInto, edits: Sequence[Edit]
    ) -> None:
        account = event.account
        name = await self._personal.deciding.place(account, action)
        target = await self._store.mailbox(account, name)
        flags = flags_of(action.flags)
        if edits:
            data = apply_edits(await self._read(event, row, row.size), edits)
            made = Append(_content(data), flags, row.internaldate)
            await self._store.append(account, target.id, [made])
            return
        done = await self._store.copy(account, event.mailbox, [row.uid], target.id)
        if done.target:
            await self._store.store(account, target.id, done.target, FlagChange.SET, flags)

    async def _redirect(
        self,
        event: "Happened",
        owner: Account,
        row: MessageRow,
        action: Redirect,
        edits: Sequence[Edit],
    ) -> bool:
        """With Resent- fields: the message is in the mailbox already (RFC 6785 §3.4). Whether it
        went anywhere.
        """
        data = apply_edits(await self._read(event, row, row.size), edits)
        gone = False
        for address in await self._personal.deciding.addresses(event.account, action):
            resolution = await self._directory.resolve(address)
            if resolution.status is Status.NOT_OURS:
                resolution = Resolution(Status.DELIVERABLE, remote=(address,))
            message = self._resent(data, owner, address)
            envelope = Envelope(
                Kind.LOCAL,
                owner.address,
                (Recipient(address, resolution),),
                make_trace(),
                self._clock.now(),
                eightbit=message.eightbit,
            )
            (outcome,) = await self._delivery.accept(envelope, message)
            gone = gone or outcome.code == 250
            if outcome.code != 250:
                self._failed(event, "", row.uid, f"redirect to {address}: {outcome.text}")
        return gone

    def _resent(self, data: bytes, owner: Account, address: str) -> Message:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        fields = (
            ("Resent-From", f"<{owner.address}>"),
            ("Resent-To", f"<{address}>"),
            ("Resent-Date", format_date(now)),
            ("Resent-Message-ID", f"<{make_trace()}.sieve@{self._hostname}>"),
        )
        data = b"".join(build_field(*field) for field in fields) + data
        header = without_blank_line(header_block(data))
        return Message(_content(data), header, eightbit=not data.isascii())

    async def _follow(self, outcome: Outcome, owner: Account, header: bytes) -> None:
        notes = tuple(action for action in outcome.actions if isinstance(action, Notify))
        if not notes and not outcome.tracks:
            return
        later = Later(owner.id, owner.address, (), notes, outcome.tracks)
        envelope = Envelope(Kind.LOCAL, "", (), make_trace(), self._clock.now())
        follow, send = self._personal.following.follow, self._delivery.deliver_notice
        await follow(envelope, header, later, send)

    async def _row(self, account: AccountId, mailbox: MailboxId, uid: int) -> MessageRow | None:
        async for rows in self._store.rows(account, mailbox, [uid]):
            for row in rows:
                return row
        return None

    async def _read(self, event: "Happened", row: MessageRow, most: int) -> bytes:
        pieces: list[bytes] = []
        at = 0
        while at < most:
            length = min(PIECE, most - at)
            piece = await self._store.read_message(event.account, event.mailbox, row, at, length)
            if not piece:
                break
            pieces.append(piece)
            at += len(piece)
        return b"".join(pieces)

    async def _environment(self, event: "Happened", owner: Account, row: MessageRow) -> Environment:
        user = await self._directory.account_by_id(event.user)
        boxes = await self._store.mailboxes(event.account)
        name = next((box.name for box in boxes if box.id == event.mailbox), "")
        login = user.address if user is not None else ""
        base = await self._personal.scripting.surroundings(event.account)
        items = {
            **base.items,
            "location": "MS",
            "phase": "post",
            "imap.cause": event.cause.value,
            "imap.user": login,
            "imap.email": login,
            "imap.mailbox": name,
        }
        if event.flags:
            items["imap.changedflags"] = " ".join(event.flags)
        return replace(
            base,
            recipient=owner.address,
            login=login,
            addresses=frozenset((owner.address.lower(),)),
            items=items,
            flags=words_of(row.flags),
            stored=True,
        )

    def _failed(self, event: "Happened", script: str, uid: int, reason: str) -> None:
        self._log.warning(
            "script failed",
            account=int(event.account),
            mailbox=int(event.mailbox),
            uid=uid,
            script=script,
            reason=reason,
        )


def _possible(edits: Sequence[Edit], row: MessageRow, header: int) -> Sequence[Edit]:
    """Those of a long message's header only, as scripts don't see all of its body."""
    if row.size <= LIMITS.body_size:
        return edits
    return [one for one in edits if one[1] <= header]


def _content(data: bytes) -> Content:
    return Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
