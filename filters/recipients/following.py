"""What follows once a message is stored: vacation notices, notifications, copies of both, and ids
to remember.

Nothing here can make the delivery fail: what can't be sent is told in the log. A crash before it is
done costs an answer, never a message.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from config.clock import Clock
from config.logging import Logger
from filters.envelope import Envelope
from filters.recipients.disposition import Later
from filters.recipients.flag_words import flags_of
from filters.sieve.actions import FileInto, Notify, Vacation
from message.address import AddressError, parse_mailbox
from message.address_list import mailboxes
from message.answer import Author, build_notification, build_vacation
from message.headers import first
from net.threads import Busy
from storage.answered import Answered
from storage.directory import Directory
from storage.duplicates import Duplicates
from storage.errors import NoSuchMailbox, StoreError
from storage.names import INBOX
from storage.store import Store
from storage.values import AccountId, Append, Content, Flags, System

Send = Callable[[str, bytes], Awaitable[None]]
# The mailbox that a script means, made where it asks for that.
Place = Callable[[AccountId, FileInto], Awaitable[str]]
_MOST_TOLD: Final = 10


class Following:
    """One for all deliveries."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        duplicates: Duplicates,
        clock: Clock,
        hostname: str,
        log: Logger,
        place: Place,
    ) -> None:
        self._place = place
        self._directory, self._store, self._duplicates = directory, store, duplicates
        self._clock, self._hostname, self._log = clock, hostname, log
        self._answered = Answered(directory.database, clock)

    async def follow(self, envelope: Envelope, header: bytes, later: Later, send: Send) -> None:
        """`send` takes an address and a message for it; `header` is that of the message as it came
        in.
        """
        ids = _ids(envelope, later)
        for track in later.tracks:
            call = self._duplicates.track(
                later.account, track.handle, track.value, track.seconds, last=track.last
            )
            await self._tried(call, "id not remembered", ids)
        for vacation in later.vacations:
            call = self._answer(envelope, header, later, vacation, send)
            await self._tried(call, "not answered", ids)
        for note in later.notifications:
            call = self._notify(envelope, header, later, note, send)
            await self._tried(call, "not notified", ids)

    async def _tried(self, call: Awaitable[None], failed: str, ids: dict[str, str]) -> None:
        """What fails costs nothing of the rest."""
        try:
            await call
        except (StoreError, OSError, Busy) as error:
            self._log.error(failed, **ids, reason=repr(error))

    async def _answer(
        self, envelope: Envelope, header: bytes, later: Later, one: Vacation, send: Send
    ) -> None:
        if one.refused:
            self._log.info("no vacation notice", **_ids(envelope, later), reason=one.refused)
            return
        if not await self._answered.may_answer(
            later.account, one.to, one.seconds, about=one.handle
        ):
            return
        author = await self._author(later, one.sender)
        made = build_vacation(
            author, one.to, one.reason, header, subject=one.subject, mime=one.mime
        )
        await send(one.to, made)
        if one.fcc is not None:
            kept = self._keep(later.account, one.fcc, made)
            await self._tried(kept, "copy not kept", _ids(envelope, later))
        self._log.info("vacation notice", **_ids(envelope, later), to=one.to)

    async def _notify(
        self, envelope: Envelope, header: bytes, later: Later, one: Notify, send: Send
    ) -> None:
        """RFC 5436 §2.7: nothing that was made by a notification makes another."""
        said = (first(header, b"auto-submitted") or b"").partition(b";")[0]
        if said.strip().lower() == b"auto-notified":
            return
        author = await self._author(later, one.sender)
        subject = one.message or f"New mail for {later.address}"
        made = build_notification(
            author,
            one.to[:_MOST_TOLD],
            subject,
            one.body or one.message or f"From {envelope.sender or 'the mail system'}.",
            owner=later.address,
            importance=one.importance,
            fields=one.headers,
        )
        for address in one.to[:_MOST_TOLD]:
            await send(address, made)
        if one.fcc is not None:
            kept = self._keep(later.account, one.fcc, made)
            await self._tried(kept, "copy not kept", _ids(envelope, later))
        self._log.info("notified", **_ids(envelope, later), to=list(one.to[:_MOST_TOLD]))

    async def _author(self, later: Later, sender: str) -> Author:
        """From is what the script says where that is an address of the account, else the
        account's.
        """
        account = await self._directory.account_by_id(later.account)
        name = account.name if account is not None else ""
        given = sender if sender and await self._is_own(later.account, sender) else ""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        made = f"{secrets.token_hex(12)}@{self._hostname}"
        return Author(given or later.address, now, made, name)

    async def _is_own(self, account: AccountId, sender: str) -> bool:
        found = mailboxes(sender.encode("utf-8", "replace"))
        if len(found) != 1:
            return False
        try:
            return await self._directory.may_send_as(account, parse_mailbox(found[0].text))
        except AddressError:
            return False

    async def _keep(self, account: AccountId, fcc: FileInto, made: bytes) -> None:
        """A copy of what was sent (RFC 8580), read already; where fileinto would put it."""
        content = Content(len(made), blake2b(made, digest_size=16).digest(), data=made)
        given = flags_of(fcc.flags)
        copy = Append(content, Flags(given.system | System.SEEN, given.keywords))
        try:
            await self._store.append(account, await self._place(account, fcc), [copy])
        except NoSuchMailbox:
            await self._store.append(account, INBOX, [copy])


def _ids(envelope: Envelope, later: Later) -> dict[str, str]:
    return {"message": envelope.trace, "account": later.address}
