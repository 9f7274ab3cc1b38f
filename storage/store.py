"""The store's one interface to the rest of the server; here what changes it.

Reads stand in storage/store_reads.py, start and end in storage/store_core.py. Coroutines run on the
server's loop and none blocks it. A change returns after its durable commit and after views and
events are up to date. Account numbers come from the directory; mailbox names are `/`-separated,
INBOX in any case.
"""

from array import array
from collections.abc import Sequence
from pathlib import Path

from storage import backup, faults
from storage.errors import MessageMissing, StoreError, TooMany
from storage.job import Turn
from storage.jobs_account import AddAccountJob, LimitsJob, RemoveAccountJob
from storage.jobs_append import AppendJob
from storage.jobs_copy import CopyJob, MoveJob
from storage.jobs_expunge import ExpungeJob
from storage.jobs_flags import FlagsJob
from storage.jobs_mailbox import CreateJob, DeleteJob, RenameJob, SubscribeJob
from storage.jobs_replace import ReplaceJob
from storage.jobs_special_use import SpecialUseJob
from storage.jobs_suspect import SuspectJob
from storage.lanes import MAX_MESSAGES
from storage.names import INBOX, checked, normal
from storage.schema import Origin
from storage.store_reads import StoreReads
from storage.values import (
    EVERY_FLAG,
    NO_FLAGS,
    AccountId,
    Append,
    Delivery,
    DeliveryResult,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    Settable,
    StoreOutcome,
    Target,
    UidMap,
)

ATOMIC = 50_000
"""Messages that one COPY or MULTIAPPEND may have."""
ACROSS = 10_000
"""Messages that one COPY or MOVE into another account may have."""

_TRIES = 5


class Store(StoreReads):
    """Made by `open`, ended by `close`."""

    # Accounts.

    async def add_account(
        self, account: AccountId, *, limit_bytes: int = 0, limit_messages: int = 0
    ) -> None:
        """INBOX, Drafts, Sent, Trash, Junk and Archive; an account that exists only gets the
        limits.
        """
        await self._committer.run(AddAccountJob(account, limit_bytes, limit_messages))

    async def set_limits(self, account: AccountId, limit_bytes: int, limit_messages: int) -> None:
        """0 means none. Raises NoSuchAccount."""
        await self._committer.run(LimitsJob(account, limit_bytes, limit_messages))

    async def remove_account(self, account: AccountId) -> None:
        """Rows now; the Maildir goes to data/orphans. Raises NoSuchAccount."""
        await self._committer.run(
            RemoveAccountJob(account, self._layout.maildir, self._layout.orphans)
        )
        await self.search.drop(account)
        self.mail_search.forget(account)
        await self._views.forget(account)

    # Mail that comes in.

    def accepting(self, size: int) -> bool:
        """False while too many bytes wait for the committer: SMTP answers 452 4.3.1."""
        return self._committer.accepting(size)

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        """All recipients in one transaction. A local recipient whose account vanished gives
        mailbox 0: the caller bounces it. Raises StoreFull, StoreUnavailable.
        """
        faults.reached(0)
        job = await self._incoming.delivery(delivery)
        faults.reached(1)
        if job.envelope is not None:
            job.handed = self.queue.handover.claim(job.envelope, delivery.content)
        try:
            done = await self._committer.run(job)
        except StoreError:
            await self._incoming.drop(job.spooled)
            raise
        if delivery.sending is not None and delivery.account is not None:
            self.submissions.changed(delivery.account)
        return done

    async def suspect(self, delivery: Delivery, result: DeliveryResult) -> None:
        """The peer went away before it heard of the delivery: a resend is not shown twice."""
        await self._committer.run(SuspectJob(delivery, result))

    async def append(
        self, account: AccountId, target: Target, messages: Sequence[Append]
    ) -> UidMap:
        """Atomic, strict quota. Raises NoSuchMailbox, OverQuota, TooMany, StoreFull."""
        if len(messages) > ATOMIC:
            raise TooMany("too many messages at once")
        items = await self._incoming.items(messages)
        try:
            return await self._committer.run(AppendJob(account, target, items))
        except StoreError:
            await self._incoming.drop([item.path for item in items])
            raise

    async def replace(
        self,
        account: AccountId,
        source: MailboxId,
        uid: int,
        target: Target,
        message: Append,
        *,
        owner: AccountId | None = None,
    ) -> UidMap:
        """As `append`, while `uid` of mailbox `source` is expunged, in one transaction; `owner` is
        the target's account, if it is another. Raises MessageMissing too.
        """
        (item,) = await self._incoming.items([message])
        try:
            here, there = (account, source), (owner or account, target)
            job = ReplaceJob(here, array("I", [uid]), there, [item])
            return await self._committer.run(job)
        except StoreError:
            await self._incoming.drop([item.path])
            raise

    # Mailboxes.

    async def create(self, account: AccountId, name: str, special_use: str = "") -> Mailbox:
        """With missing parents. Raises MailboxExists, MailboxForbidden."""
        return await self._committer.run(CreateJob(account, checked(name), special_use))

    async def delete(
        self,
        account: AccountId,
        name: str,
        *,
        only: MailboxId | None = None,
        empty: bool = False,
    ) -> None:
        """Its messages too; with children the name stays, not selectable. `only`: unless another
        mailbox has got the name; `empty`: unless it holds messages without \\Deleted. Raises
        NoSuchMailbox, MailboxForbidden, MailboxHasMessages.
        """
        await self._committer.run(DeleteJob(account, normal(name), only, empty))

    async def rename(
        self, account: AccountId, old: str, new: str, *, only: MailboxId | None = None
    ) -> None:
        """With children. INBOX stays and its messages move (RFC 9051 §6.3.6). `only` as above."""
        source, target = normal(old), checked(new)
        if source != INBOX:
            await self._committer.run(RenameJob(account, source, target, only))
            return
        inbox = await self.mailbox(account, INBOX)
        await self.create(account, target)
        view = await self.view(account, inbox.id)
        try:
            await self.move(account, inbox.id, view.uids, target)
        finally:
            view.release()

    async def set_special_use(self, account: AccountId, mailbox: MailboxId, use: str) -> None:
        """One attribute, "" for none. Raises NoSuchMailbox."""
        await self._committer.run(SpecialUseJob(account, mailbox, use))

    async def subscribe(self, account: AccountId, name: str, on: bool) -> None:
        """Also names that do not exist."""
        await self._committer.run(SubscribeJob(account, normal(name), on))

    # Messages.

    async def copy(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target: Target,
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """Atomic; UIDs that vanished are left out, and flags that are not to be kept. Raises
        NoSuchMailbox, OverQuota, TooMany.
        """
        if len(uids) > ATOMIC:
            raise TooMany("too many messages at once")
        return await self._committer.run(CopyJob(account, source, _ascending(uids), target, keep))

    async def move(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target: Target,
        *,
        keep: Settable = EVERY_FLAG,
        origin: Origin = Origin.CLIENT,
    ) -> UidMap:
        """As `copy`, in pieces; `origin` says who moves them. Raises NoSuchMailbox."""
        return await self._committer.run(
            MoveJob(account, source, _ascending(uids), target, keep, origin)
        )

    async def copy_across(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target: tuple[AccountId, Target],
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """As `copy`, into a mailbox of another account, up to ACROSS messages."""
        if len(uids) > ACROSS:
            raise TooMany("too many messages at once")
        taken = await self._across.take(account, source, _ascending(uids), keep)
        if not taken.items:
            return UidMap(0, (), ())
        try:
            done = await self._committer.run(AppendJob(*target, taken.items))
        except StoreError:
            await self._across.drop(taken)
            raise
        return UidMap(done.uidvalidity, taken.uids, done.target)

    async def move_across(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target: tuple[AccountId, Target],
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """As `copy_across`, and the messages go from the source: in the same transaction if they
        fit one group of the committer, else once the copies are durable.
        """
        if len(uids) <= MAX_MESSAGES:
            done = await self._moved_at_once((account, source), _ascending(uids), target, keep)
            if done is not None:
                return done
        done = await self.copy_across(account, source, uids, target, keep=keep)
        if done.source:
            gone = array("I", done.source)
            await self._committer.run(ExpungeJob(account, source, gone, marked=False))
        return done

    async def _moved_at_once(
        self,
        source: tuple[AccountId, MailboxId],
        uids: "array[int]",
        target: tuple[AccountId, Target],
        keep: Settable,
    ) -> UidMap | None:
        """None when that can't be. What others expunge or move meanwhile is left out: a message
        moves once.
        """
        for _ in range(_TRIES):
            taken = await self._across.take(*source, uids, keep)
            if not taken.items:
                return UidMap(0, (), ())
            job = ReplaceJob(source, taken.uids, target, taken.items)
            if job.turn is Turn.RUN:  # they are too large
                await self._across.drop(taken)
                break
            try:
                done = await self._committer.run(job)
            except MessageMissing:
                await self._across.drop(taken)
            except StoreError:
                await self._across.drop(taken)
                raise
            else:
                return UidMap(done.uidvalidity, taken.uids, done.target)
        return None

    async def store(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Sequence[int],
        change: FlagChange,
        flags: Flags = NO_FLAGS,
        *,
        unchanged_since: int | None = None,
        within: Settable = EVERY_FLAG,
    ) -> StoreOutcome:
        """No modseq for messages that are so already; SET leaves flags that are not `within`.
        Raises NoSuchMailbox.
        """
        return await self._committer.run(
            FlagsJob(account, mailbox, _ascending(uids), change, flags, unchanged_since, within)
        )

    async def expunge(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int] | None
    ) -> Sequence[int]:
        """Messages with \\Deleted, among `uids` or all; the UIDs that went."""
        wanted = None if uids is None else _ascending(uids)
        return await self._committer.run(ExpungeJob(account, mailbox, wanted))

    async def remove(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> Sequence[int]:
        """Expunges messages whether they have \\Deleted or not; the UIDs that went."""
        job = ExpungeJob(account, mailbox, _ascending(uids), marked=False)
        return await self._committer.run(job)

    # All of it.

    async def backup(self, target: Path) -> int:
        """A whole copy of one moment at `target`, which must not exist; how many message files.
        Raises StoreUnavailable (PostgreSQL has its own programs for this).
        """
        async with self.mirror.resting():
            return await self._offload.disk(backup.copy, self._layout, target)


def _ascending(uids: Sequence[int]) -> "array[int]":
    """Sorted, without doubles."""
    if isinstance(uids, range) and uids.step == 1:
        return array("I", uids)
    return array("I", sorted(set(uids)))
