"""The reading side of the store's interface: mailboxes, views, rows, octets and the journal.

Coroutines run on the server's loop and none blocks it.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from storage.arrivals import brought_by
from storage.changes import Change, MailboxChanges, read_changes, read_mailbox_changes
from storage.copies import Copy, contents, copies_of, shared
from storage.deleted_size import deleted_size
from storage.email_changes import EmailChanges, Point, email_changes, last_modseq
from storage.emails import StoredEmail, emails_of, thread_emails, threads_of
from storage.errors import NoSuchMailbox
from storage.mailbox_changes import MailboxesChanged, mailboxes_changed
from storage.mailbox_counts import Counts
from storage.mirror_rows import all_accounts
from storage.names import INBOX, sort_key
from storage.schema import Origin
from storage.store_core import StoreCore
from storage.values import (
    AccountId,
    BlobId,
    Mailbox,
    MailboxId,
    MessageRow,
    Narrow,
    PlacedRow,
    Summary,
    Usage,
)
from storage.view import View


class StoreReads(StoreCore):
    """What does not change anything."""

    async def accounts(self) -> list[AccountId]:
        """All accounts that have mail here."""
        return await all_accounts(self.database)

    # Mailboxes.

    async def mailboxes(self, account: AccountId) -> list[Mailbox]:
        """INBOX first, then by name. Raises NoSuchAccount."""
        image = await self._images.get(account)
        boxes = {box.name: box for box in image.boxes.values()}
        inbox = boxes.pop(INBOX, None)
        return [*([inbox] if inbox else []), *(boxes[name] for name in sorted(boxes))]

    async def mailbox(self, account: AccountId, name: str) -> Mailbox:
        """A selectable mailbox. Raises NoSuchMailbox."""
        box = await self._images.mailbox(account, name)
        if not box.selectable:
            raise NoSuchMailbox("the mailbox does not exist")
        return box

    async def named(self, account: AccountId, name: str) -> Mailbox:
        """A mailbox, not selectable ones included. Raises NoSuchMailbox."""
        return await self._images.mailbox(account, name)

    async def copies(self, account: AccountId, blobs: Sequence[BlobId]) -> list[Copy]:
        """Where the copies of these contents are."""
        return await copies_of(self.database, account, blobs)

    async def contents(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> dict[int, BlobId]:
        """The contents of messages by UID; vanished ones are left out."""
        return await contents(self.database, account, mailbox, uids)

    async def shared(self, account: AccountId, here: MailboxId, there: MailboxId) -> list[int]:
        """The UIDs of messages in one mailbox that have a copy in another."""
        return await shared(self.database, account, here, there)

    async def deleted_size(self, box: Mailbox) -> int:
        """Octets of the messages with \\Deleted."""
        return await deleted_size(self.database, box)

    async def subscriptions(self, account: AccountId) -> list[str]:
        """Sorted as `mailboxes`, names without a mailbox included."""
        image = await self._images.get(account)
        names = {box.name for box in image.boxes.values() if box.subscribed}
        return sorted(names | image.subscriptions, key=sort_key)

    async def subscribed(self, account: AccountId) -> frozenset[str]:
        """As `subscriptions`, in no order."""
        image = await self._images.get(account)
        names = [box.name for box in image.boxes.values() if box.subscribed]
        return image.subscriptions.union(names)

    async def usage(self, account: AccountId) -> Usage:
        """Cheap: from memory. Raises NoSuchAccount."""
        return (await self._images.get(account)).usage

    # Messages.

    async def view(self, account: AccountId, mailbox: MailboxId) -> View:
        """The shared view, with one user more: `release` it. Raises NoSuchMailbox."""
        return await self._views.get(account, mailbox)

    def rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> AsyncIterator[list[MessageRow]]:
        """Pieces of up to 250 in order of `uids`, which ascend; vanished ones are left out."""
        return self._reads.rows(account, mailbox, uids)

    async def summaries(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Sequence[int],
        *,
        ids: bool = False,
    ) -> tuple[list[Summary], bool]:
        """For lists of messages: of up to 250 `uids` (ascending) the first; vanished ones are left
        out. True when these are all; otherwise ask for those behind the last one. `ids`: with save
        date, blob and thread.
        """
        return await self._reads.summaries(account, mailbox, uids, ids=ids)

    async def narrow(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> list[Narrow]:
        """UID, internal date and size of at most a few thousand `uids` (ascending), from the hot
        table alone; vanished ones are left out.
        """
        return await self._reads.narrow(account, mailbox, uids)

    async def placed_rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> tuple[list[PlacedRow], bool]:
        """As `summaries`, for messages whose files are read next (`read_message`)."""
        return await self._reads.placed_rows(account, mailbox, uids)

    def message_at_once(self, account: AccountId, mailbox: MailboxId, uid: int) -> bytes | None:
        """The whole message, if it can be had without waiting; None says nothing about it."""
        return self._reads.message_at_once(account, mailbox, uid)

    async def read_message(
        self,
        account: AccountId,
        mailbox: MailboxId,
        row: MessageRow | PlacedRow,
        offset: int = 0,
        length: int | None = None,
    ) -> bytes:
        """As `read_body`, of a row."""
        return await self._reads.message(account, mailbox, row, offset, length)

    async def read_body(
        self,
        account: AccountId,
        blob: BlobId,
        mailbox: MailboxId,
        uid: int,
        offset: int = 0,
        length: int | None = None,
    ) -> bytes:
        """Octets of the CRLF form; ask for pieces of at most 1 MiB. Raises MessageMissing."""
        return await self._reads.body(account, blob, mailbox, uid, offset, length)

    async def journal(
        self, account: AccountId, since_modseq: int, limit: int = 1_000
    ) -> list[Change]:
        """Changes above a modseq, in order, whole modseqs only."""
        return await read_changes(self.database, account, since_modseq, limit)

    async def brought_by(
        self, account: AccountId, mailbox: MailboxId, modseq: int
    ) -> Origin | None:
        """As storage/arrivals.py has it."""
        return await brought_by(self.database, account, mailbox, modseq)

    async def modseq(self, account: AccountId) -> int:
        """The number of the account's last change of mail. Raises NoSuchAccount."""
        return await last_modseq(self.database, account)

    async def known_modseq(self, account: AccountId) -> int:
        """As `modseq`, from memory: of the last change that was told to everybody."""
        return (await self._images.get(account)).modseq

    async def mailbox_counts(self, account: AccountId) -> Mapping[MailboxId, Counts]:
        """Emails and threads by mailbox. Raises NoSuchAccount."""
        modseq = await self.modseq(account)
        boxes = await self.mailboxes(account)
        trash = next((box.id for box in boxes if box.special_use == "\\Trash"), None)
        return await self._counts.of(account, modseq, trash)

    async def mailboxes_changed(self, account: AccountId, since: int) -> MailboxesChanged:
        """What became of mailboxes since a modseq. Raises TooOld, NoSuchAccount."""

        async def present() -> list[MailboxId]:
            await self.threads.settle(account)
            return [box.id for box in await self.mailboxes(account)]

        return await mailboxes_changed(self.database, account, since, present)

    async def emails(
        self,
        account: AccountId,
        blobs: Sequence[BlobId],
        within: Collection[MailboxId] | None = None,
    ) -> dict[BlobId, StoredEmail]:
        """Contents with their copies in these mailboxes, None for all; those that there are. Each
        has its thread.
        """
        found = await emails_of(self.database, self._images, account, blobs, within)
        if lacking := [one.blob for one in found.values() if one.thread is None]:
            await self.threads.settle(account)
            await self.threads.give(account, lacking)
            found |= await emails_of(self.database, self._images, account, lacking, within)
        return found

    async def threads_of(self, account: AccountId, blobs: Sequence[BlobId]) -> set[int]:
        """The threads of contents, of copies with \\Deleted too."""
        return await threads_of(self.database, account, blobs)

    async def thread_emails(
        self, account: AccountId, threads: Sequence[int]
    ) -> dict[int, list[BlobId]]:
        """The contents of threads, the oldest first."""
        await self.threads.settle(account)
        return await thread_emails(self.database, account, threads)

    async def email_changes(self, account: AccountId, since: Point, limit: int) -> EmailChanges:
        """What became of contents since a point, at most `limit` of them. Raises TooOld,
        NoSuchAccount.
        """
        return await email_changes(self.database, account, since, limit)

    async def mailbox_changes(
        self, account: AccountId, mailbox: MailboxId, since_modseq: int, limit: int = 100
    ) -> MailboxChanges | None:
        """What was expunged or changed in a mailbox above a modseq; None where the journal does
        not reach back so far.
        """
        return await read_mailbox_changes(self.database, account, mailbox, since_modseq, limit)
