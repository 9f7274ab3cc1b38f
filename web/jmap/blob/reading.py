"""What a blobId stands for: a message, a part of one, or an upload.

An id opens nothing by itself: a message must be in a mailbox that the login may read, an upload be
referred to by the user's own account. Invariant: octets that somebody put here leave only with the
virus scanner's word.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from filters.blob_scanning import BlobScanner
from net.threads import Offload
from storage.blob_values import Blob, BlobHash, NoSuchBlob, Scan, blob_hash
from storage.blobs import PIECE, Blobs
from storage.emails import StoredEmail
from storage.errors import MessageMissing
from storage.rendering import is_quick
from storage.values import AccountId
from web.jmap.context import Account
from web.jmap.mail.blobs import mail_blob, split_blob
from web.jmap.mail.content import part_octets
from web.jmap.mail.email import EmailType

MAX_PARSED: Final = 50 * 1024 * 1024


class BlobHeldBack(Exception):
    """Its octets may not leave: `scan` says why, the text is for people."""

    def __init__(self, scan: Scan) -> None:
        texts = {Scan.INFECTED: "a virus was found in it", Scan.PENDING: "it is being scanned"}
        super().__init__(texts.get(scan, "it could not be scanned for viruses"))
        self.scan = scan


@dataclass(frozen=True, slots=True)
class Found:
    """`size` octets: at hand, or on the disk, those of an upload or of a message of the account."""

    size: int
    data: bytes | None = None
    upload: Blob | None = None
    mail: tuple[AccountId, StoredEmail] | None = None


class Texts(Protocol):
    """Blobs of objects of another type."""

    async def octets(self, account: Account, blob_id: str) -> bytes | None:
        """None for what is none of these."""


class BlobReader:
    """By account and blobId."""

    def __init__(
        self,
        emails: EmailType,
        blobs: Blobs,
        scanner: BlobScanner,
        offload: Offload,
        others: Sequence[Texts] = (),
    ) -> None:
        self._others = others
        self._emails, self._blobs = emails, blobs
        self._scanner, self._offload = scanner, offload

    async def find(self, account: Account, blob_id: str, *, leaving: bool = True) -> Found:
        """`leaving`: the octets are given out, and not only put into what is scanned as a whole.
        Raises NoSuchBlob, BlobHeldBack.
        """
        wanted = split_blob(blob_id)
        if wanted is None:
            raise NoSuchBlob("there is no such blob")
        whole, parts = wanted
        name = blob_hash(whole)
        if name is None:
            data = await self._of_others(account, whole)
            if data is None:
                found = await self._of_mail(account, whole)
            else:
                found = Found(len(data), data)
        else:
            found = await self._of_upload(account, name, leaving)
        if not parts:
            return found
        if found.size > MAX_PARSED:
            raise NoSuchBlob("it is no message")
        data = await self.octets(found)
        for number in parts:
            data = await self._part(data, number)
        return Found(len(data), data)

    async def _of_others(self, account: Account, blob_id: str) -> bytes | None:
        for one in self._others if account.user is None else ():
            if (found := await one.octets(account, blob_id)) is not None:
                return found
        return None

    async def _of_upload(self, account: Account, name: BlobHash, leaving: bool) -> Found:
        blob = await self._blobs.get(account.holder, name)
        if leaving:
            blob = await self._scanner.judged(blob)
            if not self._scanner.may_leave(blob):
                raise BlobHeldBack(blob.scan)
        return Found(blob.size, upload=blob)

    async def pieces(
        self, found: Found, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Octets from `start` up to `end`. Raises MessageMissing, StoreError."""
        if found.upload is not None:
            async for piece in self._blobs.pieces(found.upload.hash, start, end):
                yield piece
            return
        end = found.size if end is None else min(end, found.size)
        if found.mail is not None:
            async for piece in self._emails.pieces(*found.mail, start, end):
                yield piece
        elif found.data is not None:
            for at in range(start, end, PIECE):
                yield found.data[at : min(at + PIECE, end)]

    async def octets(self, found: Found, start: int = 0, end: int | None = None) -> bytes:
        """As `pieces`, in one."""
        if found.data is not None:
            return found.data[start:end]
        return b"".join([piece async for piece in self.pieces(found, start, end)])

    async def _of_mail(self, account: Account, blob_id: str) -> Found:
        blob = mail_blob(blob_id)
        if blob is None:
            raise NoSuchBlob("there is no such blob")
        try:
            email = await self._emails.found(account, blob)
        except MessageMissing:
            raise NoSuchBlob("there is no such blob") from None
        return Found(email.size, mail=(account.id, email))

    async def _part(self, data: bytes, number: str) -> bytes:
        work = partial(part_octets, number=number)
        part = work(data) if is_quick(data) else await self._offload.process(work, data)
        if part is None:
            raise NoSuchBlob("there is no such blob")
        return part
