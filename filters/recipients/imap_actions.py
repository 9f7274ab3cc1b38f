"""One script over one stored message, and what it wants done to it (RFC 6785 §3).

What cancels the implicit keep leaves the message with \\Deleted; nothing is expunged. Messages
never change: edits are passed over. Refusing and vacation notices have no place here.
"""

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
from message.headers import build_field, header_block, without_blank_line
from message.meta import unpack_meta
from storage.directory import Directory
from storage.directory_values import Account, Resolution, Status
from storage.errors import MessageMissing
from storage.script_values import NoSuchScript
from storage.store import Store
from storage.values import AccountId, Content, FlagChange, Flags, MailboxId, MessageRow, System

if TYPE_CHECKING:
    from filters.recipients.imap_events import Happened

PIECE: Final = 1024 * 1024
_DELETED: Final = Flags(System.DELETED)


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
        mail = Mail(without_blank_line(header_block(data)), row.size, lambda: data)
        environment = await self._environment(event, owner, row)
        outcome = await scripting.evaluate(script, mail, environment, event.account)
        if outcome.error:
            self._failed(event, name, uid, f"line {outcome.error_place.line}: {outcome.error}")
            return
        await self._carry_out(outcome, event, owner, row)

    async def _carry_out(
        self, outcome: Outcome, event: "Happened", owner: Account, row: MessageRow
    ) -> None:
        kept = False
        for action in outcome.actions:
            match action:
                case Keep():
                    kept = True
                    await self._flag(event, row, flags_of(action.flags))
                case FileInto():
                    kept = kept or action.copy
                    await self._file(event, row, action)
                case Redirect():
                    kept = kept or action.copy
                    await self._redirect(event, owner, row, action)
                case Notify():
                    await self._notify(owner, action, row)
                case Reject() | Vacation():
                    reason = "reject and vacation are for mail that arrives"
                    self._failed(event, "", row.uid, reason)
                    kept = True
                case _:
                    pass
        if not kept:
            here = (event.account, event.mailbox, [row.uid])
            await self._store.store(*here, FlagChange.ADD, _DELETED)

    async def _flag(self, event: "Happened", row: MessageRow, flags: Flags) -> None:
        if flags != row.flags:
            here = (event.account, event.mailbox, [row.uid])
            await self._store.store(*here, FlagChange.SET, flags)

    async def _file(self, event: "Happened", row: MessageRow, action: FileInto) -> None:
        account = event.account
        name = await self._personal.deciding.place(account, action)
        target = await self._store.mailbox(account, name)
        done = await self._store.copy(account, event.mailbox, [row.uid], target.id)
        if done.target:
            flags = flags_of(action.flags)
            await self._store.store(account, target.id, done.target, FlagChange.SET, flags)

    async def _redirect(
        self, event: "Happened", owner: Account, row: MessageRow, action: Redirect
    ) -> None:
        """With Resent- fields: the message is in the mailbox already (RFC 6785 §3.4)."""
        data = await self._read(event, row, row.size)
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
            await self._delivery.accept(envelope, message)

    def _resent(self, data: bytes, owner: Account, address: str) -> Message:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        fields = (
            ("Resent-From", f"<{owner.address}>"),
            ("Resent-To", f"<{address}>"),
            ("Resent-Date", format_date(now)),
            ("Resent-Message-ID", f"<{make_trace()}.sieve@{self._hostname}>"),
        )
        data = b"".join(build_field(*field) for field in fields) + data
        content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
        header = without_blank_line(header_block(data))
        return Message(content, header, eightbit=not data.isascii())

    async def _notify(self, owner: Account, action: Notify, row: MessageRow) -> None:
        later = Later(owner.id, owner.address, (), (action,), ())
        envelope = Envelope(Kind.LOCAL, "", (), make_trace(), self._clock.now())
        follow, send = self._personal.following.follow, self._delivery.deliver_notice
        await follow(envelope, b"", later, send)

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
