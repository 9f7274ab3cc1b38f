"""Email objects: /get and /changes (RFC 8621 §4.2, §4.3)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from message.scan import MAX_HEADER
from net.threads import Offload
from storage.directory import Directory
from storage.emails import StoredEmail
from storage.errors import MessageMissing, TooOld
from storage.object_ids import blob_of, email_number, mailbox_number, thread_number
from storage.rendering import is_quick
from storage.store import Store
from storage.values import AccountId, BlobId, Flags, MailboxId, System
from web.jmap.arguments import Arguments, too_many
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.limits import Limits
from web.jmap.mail.blobs import message_blob
from web.jmap.mail.body import DEFAULT_PART, PART_PROPERTIES
from web.jmap.mail.content import (
    BODY,
    CONVENIENCE,
    BodyOptions,
    counted_content,
    is_content,
    needs_body,
)
from web.jmap.mail.header_forms import header_property
from web.jmap.mail.mailbox import MAIL
from web.jmap.mail.states import point_of, state_of, told_state, unchanged
from web.jmap.methods import Call
from web.jmap.standard import Changes, Object, ObjectType

METADATA: Final = (
    "blobId",
    "threadId",
    "mailboxIds",
    "keywords",
    "size",
    "receivedAt",
)
KEYWORDS: Final = {
    System.SEEN: "$seen",
    System.ANSWERED: "$answered",
    System.FLAGGED: "$flagged",
    System.DRAFT: "$draft",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LATEST: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
HEADER: Final = 64 * 1024
PIECE: Final = 1024 * 1024
MAX_NAMES: Final = 250
"""Properties of an Email or of its parts in one call."""


class EmailType(ObjectType[Context, Account]):
    """Those in a mailbox that the login may read."""

    name = "Email"
    capability = MAIL
    properties = frozenset((*METADATA, *CONVENIENCE, *BODY)) - {"bodyStructure"}

    def __init__(
        self, store: Store, directory: Directory, offload: Offload, limits: Limits
    ) -> None:
        self._store, self._directory = store, directory
        self._offload, self._limits = offload, limits

    def account(self, call: Call[Context], account_id: str) -> Account:
        return mail_account(call, account_id)

    def picked(self, names: Sequence[str]) -> frozenset[str]:
        if len(names) > MAX_NAMES:
            raise too_many("properties", MAX_NAMES)
        for name in names:
            if name.startswith("header:"):
                header_property(name)
            elif name not in self.properties and name not in ("id", "headers", "bodyStructure"):
                raise invalid_arguments(f"properties: {name[:100]} is not known")
        return frozenset(names)

    def get_arguments(self, arguments: Arguments) -> BodyOptions:
        names = arguments.texts("bodyProperties")
        if names is not None and len(names) > MAX_NAMES:
            raise too_many("bodyProperties", MAX_NAMES)
        for name in names or ():
            if name.startswith("header:"):
                header_property(name)
            elif name not in PART_PROPERTIES:
                raise invalid_arguments(f"bodyProperties: {name[:100]} is not known")
        return BodyOptions(
            DEFAULT_PART if names is None else tuple(names),
            arguments.flag("fetchTextBodyValues"),
            arguments.flag("fetchHTMLBodyValues"),
            arguments.flag("fetchAllBodyValues"),
            arguments.unsigned("maxBodyValueBytes") or 0,
        )

    async def state(self, account: Account) -> str:
        return told_state(account, await self._store.modseq(account.id))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: BodyOptions,
    ) -> tuple[list[Object], list[str]]:
        readable = await self.readable(account)
        asked = await self._all(account, readable) if ids is None else ids
        stored = await self._store.emails(account.id, [blob_of(one) for one in asked], readable)
        found: list[Object] = []
        missing: list[str] = []
        for one in asked:
            email = stored.get(blob_of(one))
            made = None
            if email is not None:
                made = await self._object(account, email, readable, properties, arguments)
            if made is not None:
                found.append(made)
            elif ids is not None:
                missing.append(one)
        return found, missing

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        if account.limited:  # what is out of sight would show
            return unchanged(since, await self.state(account))
        try:
            found = await self._store.email_changes(account.id, point_of(since), limit)
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        # with \Deleted on its last copy an Email is gone, though its row is there
        visible = await self._store.emails(account.id, [*found.created, *found.updated])
        hidden = [blob for blob in found.updated if blob not in visible]
        return Changes(
            state_of(found.until),
            [email_number(blob) for blob in found.created if blob in visible],
            [email_number(blob) for blob in found.updated if blob in visible],
            [email_number(blob) for blob in (*found.destroyed, *hidden)],
            found.has_more,
        )

    async def readable(self, account: Account) -> Mapping[MailboxId, str]:
        """Mailboxes whose messages the login may read, with their ids."""
        lists = await self._directory.acl.lists(account.id)
        return {
            box.id: mailbox_number(account.id, box.id)
            for box in await self._store.mailboxes(account.id)
            if {"l", "r"} <= set(account.rights(box, lists))
        }

    async def _all(self, account: Account, readable: Mapping[MailboxId, str]) -> list[str]:
        """Every Email of a small account. Raises MethodError."""
        usage = await self._store.usage(account.id)
        if usage.messages > self._limits.objects_in_get:
            raise too_many("objects", self._limits.objects_in_get)
        blobs: dict[str, None] = {}
        for box in readable:
            view = await self._store.view(account.id, box)
            try:
                held = await self._store.contents(account.id, box, list(view.uids))
            finally:
                view.release()
            blobs |= dict.fromkeys(map(email_number, held.values()))
        return list(blobs)

    async def _object(
        self,
        account: Account,
        email: StoredEmail,
        readable: Mapping[MailboxId, str],
        properties: frozenset[str],
        options: BodyOptions,
    ) -> Object | None:
        """None where the message goes meanwhile."""
        found: Object = {"id": email_number(email.blob)}
        for name in METADATA:
            if name in properties:
                found[name] = _metadata(email, readable, name)
        content = frozenset(filter(is_content, properties))
        if not content:
            return found
        try:
            data = await self._octets(account, email, whole=needs_body(content))
        except MessageMissing:
            return None
        work = partial(
            counted_content,
            blob=message_blob(email.blob),
            properties=content,
            options=options,
        )
        made, size = work(data) if is_quick(data) else await self._offload.process(work, data)
        account.budget.take(size)
        return found | made

    async def found(self, account: Account, blob: BlobId) -> StoredEmail:
        """A message that the login may read. Raises MessageMissing."""
        readable = await self.readable(account)
        email = (await self._store.emails(account.id, [blob], readable)).get(blob)
        if email is None:
            raise MessageMissing("there is no such message")
        return email

    async def octets(self, account: Account, blob: BlobId) -> bytes:
        """All of it, as `found`."""
        email = await self.found(account, blob)
        return await self._octets(account, email, whole=True)

    async def pieces(
        self, account: AccountId, email: StoredEmail, start: int, end: int
    ) -> AsyncGenerator[bytes, None]:
        """Octets from `start` up to `end`, in the CRLF form. Raises MessageMissing."""
        box, uid = email.places[0]
        while start < end:
            length = min(PIECE, end - start)
            piece = await self._store.read_body(account, email.blob, box, uid, start, length)
            if not piece:
                return
            yield piece
            start += len(piece)

    async def _octets(self, account: Account, email: StoredEmail, *, whole: bool) -> bytes:
        """The message, or its beginning with all of the header. Raises MessageMissing."""
        box, uid = email.places[0]

        async def read(offset: int, length: int) -> bytes:
            return await self._store.read_body(account.id, email.blob, box, uid, offset, length)

        data = bytearray(await read(0, PIECE if whole else HEADER))
        while len(data) < email.size:
            if not whole and (_ends_header(data) or len(data) >= MAX_HEADER):
                break
            piece = await read(len(data), PIECE if whole else HEADER)
            if not piece:
                break
            data += piece
        return bytes(data)


def _ends_header(data: bytearray) -> bool:
    return data.startswith(b"\r\n") or data.find(b"\r\n\r\n") >= 0


def _metadata(email: StoredEmail, readable: Mapping[MailboxId, str], name: str) -> Any:
    """RFC 8621 §4.1.1."""
    match name:
        case "blobId":
            return message_blob(email.blob)
        case "threadId":
            return None if email.thread is None else thread_number(email.thread)
        case "mailboxIds":
            return {readable[box]: True for box, _ in email.places if box in readable}
        case "keywords":
            return keywords(email.flags)
        case "size":
            return email.size
    received = _EPOCH + timedelta(seconds=min(max(int(email.received), _EARLIEST), _LATEST))
    return received.isoformat().replace("+00:00", "Z")


def keywords(flags: Flags) -> dict[str, bool]:
    """Lower case, as they are compared."""
    system = {name: True for flag, name in KEYWORDS.items() if flags.system & flag}
    return system | {word.lower(): True for word in sorted(flags.keywords)}
