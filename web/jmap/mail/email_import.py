"""Email/import and Email/parse (RFC 8621 §4.8, §4.9)."""

from functools import partial
from typing import Any, Final

from config.clock import Clock
from message.date import parse_date
from message.headers import first, header_block, iter_fields
from message.scan import MAX_HEADER
from net.threads import Offload
from storage.blob_values import NoSuchBlob
from storage.directory import Directory
from storage.rendering import is_quick
from storage.spool import Spool
from storage.store import Store
from web.jmap.arguments import Arguments, is_id, too_many
from web.jmap.blob.reading import BlobHeldBack, BlobReader
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import (
    MethodError,
    SetError,
    invalid_arguments,
    invalid_properties,
    partly,
)
from web.jmap.limits import Limits
from web.jmap.mail.content import BodyOptions, counted_content, is_content
from web.jmap.mail.email import EmailType
from web.jmap.mail.intake import Intake, created
from web.jmap.mail.mailbox import MAIL
from web.jmap.mail.placing import place_of, rights_of
from web.jmap.methods import Call, Methods, Results
from web.jmap.standard import creation_order

_IMPORT: Final = frozenset(("blobId", "mailboxIds", "keywords", "receivedAt"))
_PARSED: Final = (
    "messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo",
    "subject", "sentAt", "hasAttachment", "preview", "bodyValues", "textBody", "htmlBody",
    "attachments",
)  # fmt: skip
_UNKNOWN: Final = frozenset(("id", "threadId", "mailboxIds", "keywords", "receivedAt"))
"""What a message that is in no mailbox has not."""
Object = dict[str, Any]


class EmailImport:
    """Messages out of blobs."""

    def __init__(
        self,
        emails: EmailType,
        reader: BlobReader,
        intake: Intake,
        store: Store,
        directory: Directory,
        limits: Limits,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._emails, self._reader, self._intake = emails, reader, intake
        self._store, self._directory = store, directory
        self._limits, self._offload, self._clock = limits, offload, clock

    def add_to(self, methods: Methods[Context]) -> None:
        """Both methods."""
        methods.add(MAIL, "Email/import", self._import)
        methods.add(MAIL, "Email/parse", self._parse)

    async def _import(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        account_id, in_state = arguments.id("accountId"), arguments.text("ifInState")
        if not arguments.given("emails"):
            raise invalid_arguments("emails: an object is needed")
        emails = arguments.objects("emails")
        arguments.end()
        account = mail_account(call, account_id)
        if len(emails) > self._limits.objects_in_set:
            raise too_many("emails", self._limits.objects_in_set)
        if account.read_only:
            raise MethodError("accountReadOnly")
        before = await self._emails.state(account)
        if in_state is not None and in_state != before:
            raise MethodError("stateMismatch")
        made: Object = {}
        failed: Object = {}
        with partly(made):
            for creation_id in creation_order(emails):
                try:
                    made[creation_id] = await self._one(call, account, emails[creation_id])
                except SetError as error:
                    failed[creation_id] = error.members
                else:
                    call.created[creation_id] = made[creation_id]["id"]
            after = await self._emails.state(account)
        told = {
            "accountId": account_id,
            "oldState": before,
            "newState": after,
            "created": made or None,
            "notCreated": failed or None,
        }
        return [("Email/import", told)]

    async def _one(self, call: Call[Context], account: Account, asked: Object) -> Object:
        """Raises SetError."""
        if unknown := sorted(asked.keys() - _IMPORT):
            raise invalid_properties("cannot be given", *unknown)
        rights = await rights_of(self._store, self._directory, account)
        place = place_of(call, account, asked, rights)
        given = asked.get("blobId")
        blob_id = call.real(given) if isinstance(given, str) else ""
        if not is_id(blob_id):
            raise invalid_properties("an Id is needed", "blobId")
        try:
            found = await self._reader.find(account, blob_id, leaving=False)
        except NoSuchBlob:
            raise invalid_properties("there is no such blob", "blobId") from None
        async with self._intake.spool() as spool:
            await self._intake.fill(spool, self._reader.pieces(found))
            if not is_message(spool.head):
                raise SetError("invalidEmail", "it does not begin with a header field")
            received = place.received
            if received is None:
                received = arrived(spool, self._clock.now())
            email = await self._intake.add(account, spool, place.boxes, place.flags, received)
        return created(email)

    async def _parse(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        account_id, ids = arguments.id("accountId"), arguments.ids("blobIds")
        names = arguments.texts("properties")
        options: BodyOptions = self._emails.get_arguments(arguments)
        arguments.end()
        if ids is None:
            raise invalid_arguments("blobIds: an array of Ids is needed")
        if len(ids) > self._limits.objects_in_get:
            raise too_many("blobIds", self._limits.objects_in_get)
        account = mail_account(call, account_id)
        properties = self._emails.picked(_PARSED if names is None else names)
        parsed: Object = {}
        unparsable: list[str] = []
        missing: list[str] = []
        for id_ in ids:
            try:
                data = await self._octets(account, call.real(id_))
            except NoSuchBlob:
                missing.append(id_)
                continue
            if is_message(data[:MAX_HEADER]):
                parsed[id_] = await self._object(account, id_, data, properties, options)
            else:
                unparsable.append(id_)
        told = {
            "accountId": account_id,
            "parsed": parsed or None,
            "notParsable": unparsable or None,
            "notFound": missing or None,
        }
        return [("Email/parse", told)]

    async def _octets(self, account: Account, blob_id: str) -> bytes:
        """Raises NoSuchBlob, MethodError."""
        try:
            found = await self._reader.find(account, blob_id)
        except BlobHeldBack as held:
            raise MethodError("forbidden", f"{blob_id}: {held}") from None
        return await self._reader.octets(found)

    async def _object(
        self,
        account: Account,
        id_: str,
        data: bytes,
        properties: frozenset[str],
        options: BodyOptions,
    ) -> Object:
        content = frozenset(filter(is_content, properties))
        work = partial(counted_content, blob=id_, properties=content, options=options)
        made, size = work(data) if is_quick(data) else await self._offload.process(work, data)
        account.budget.take(size)
        told: Object = dict.fromkeys(properties & _UNKNOWN)
        if "blobId" in properties:
            told["blobId"] = id_
        if "size" in properties:
            told["size"] = len(data)
        return told | made


def is_message(head: bytes) -> bool:
    """Whether the octets begin with a header field. Pure."""
    field = next(iter_fields(header_block(head)), None)
    return field is not None and field.start == 0


def arrived(spool: Spool, now: float) -> float:
    """When the message was received last, as it says (RFC 8621 §4.8); `now` where it does not."""
    value = first(header_block(spool.head), b"received")
    found = parse_date(value.rpartition(b";")[2].strip()) if value else None
    return now if found is None or not 0 < found.timestamp <= now else float(found.timestamp)
