"""Blob/copy (RFC 8620 §6.3), and Blob/get and Blob/lookup (RFC 9404 §4.2, §4.3); Blob/upload is
making.py.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from net.threads import Offload, Pool
from storage.blob_values import NoSuchBlob
from storage.object_ids import email_number, mailbox_number, thread_number
from storage.store import Store
from web.jmap.arguments import Arguments, too_many
from web.jmap.blob.making import BLOB, MAX_SOURCES, BlobMaking, Range, check_writable
from web.jmap.blob.reading import BlobHeldBack, BlobReader, Found
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import MethodError, SetError, invalid_arguments
from web.jmap.limits import Limits
from web.jmap.mail.blobs import mail_blob, split_blob
from web.jmap.mail.email import EmailType
from web.jmap.mail.mailbox import MAIL
from web.jmap.methods import CORE, Call, Methods, Results
from web.jmap.octets import Budget

DIGESTS: Final = ("sha-256", "sha", "sha-512")
_HASHES: Final = {"sha-256": "sha256", "sha": "sha1", "sha-512": "sha512"}
TYPES: Final = ("Mailbox", "Thread", "Email")
_DATA: Final = ("data", "data:asText", "data:asBase64")
_PROPERTIES: Final = frozenset((*_DATA, "size", "id", *(f"digest:{one}" for one in DIGESTS)))
_MAX_DATA: Final = 8 * 1024 * 1024
"""Octets of one blob that are told in an answer."""
Object = dict[str, Any]


def account_capability(limits: Limits) -> Object:
    """What an account's capabilities say (RFC 9404 §3.1)."""
    return {
        "maxSizeBlobSet": limits.upload,
        "maxDataSources": MAX_SOURCES,
        "supportedTypeNames": list(TYPES),
        "supportedDigestAlgorithms": list(DIGESTS),
    }


class BlobMethods:
    """`add_to` the methods of a server."""

    def __init__(
        self,
        reader: BlobReader,
        making: BlobMaking,
        store: Store,
        emails: EmailType,
        limits: Limits,
        offload: Offload,
    ) -> None:
        self._reader, self._making = reader, making
        self._store, self._emails = store, emails
        self._limits, self._offload = limits, offload

    def add_to(self, methods: Methods[Context]) -> None:
        """All of them."""
        methods.add(CORE, "Blob/copy", self._copy)
        methods.add(BLOB, "Blob/get", self._get)
        methods.add(BLOB, "Blob/lookup", self._lookup)

    async def _copy(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        from_id, account_id = arguments.id("fromAccountId"), arguments.id("accountId")
        ids = arguments.ids("blobIds")
        arguments.end()
        if ids is None:
            raise invalid_arguments("blobIds: an array of Ids is needed")
        if len(ids) > self._limits.objects_in_set:
            raise too_many("blobIds", self._limits.objects_in_set)
        source, target = source_account(call, from_id), mail_account(call, account_id)
        check_writable(target)
        room = self._making.room()
        copied: Object = {}
        failed: Object = {}
        for id_ in ids:
            try:
                found = await self._reader.find(source, call.real(id_), leaving=False)
                pieces = self._reader.pieces(found)
                copied[id_] = await self._making.kept(target, pieces, found.size, room)
            except NoSuchBlob:
                failed[id_] = {"type": "notFound"}
            except SetError as error:
                failed[id_] = error.members
        told = {
            "fromAccountId": from_id,
            "accountId": account_id,
            "copied": copied or None,
            "notCopied": failed or None,
        }
        return [("Blob/copy", told)]

    async def _get(self, call: Call[Context], members: Object) -> Results:
        """RFC 9404 §4.2."""
        arguments = Arguments(members)
        account_id, ids = arguments.id("accountId"), arguments.ids("ids")
        names = arguments.names("properties", _PROPERTIES)
        offset, length = arguments.unsigned("offset") or 0, arguments.unsigned("length")
        arguments.end()
        if ids is None:
            raise invalid_arguments("ids: an array of Ids is needed")
        if len(ids) > self._limits.objects_in_get:
            raise too_many("ids", self._limits.objects_in_get)
        account = mail_account(call, account_id)
        digested = Budget("digests", self._limits.handled)
        found: list[Object] = []
        missing: list[str] = []
        for id_ in ids:
            real = call.real(id_)
            try:
                blob = await self._reader.find(account, real)
            except NoSuchBlob:
                missing.append(id_)
            except BlobHeldBack as held:
                raise MethodError("forbidden", f"{id_}: {held}") from None
            else:
                wanted = names if names is not None else ["data", "size"]
                part = Range.of(blob, offset, length)
                count = sum(name.startswith("digest:") for name in wanted)
                digested.take(count * (part.end - part.start))
                made = await self._object(account, blob, wanted, part)
                found.append({"id": real, **made})
        return [("Blob/get", {"accountId": account_id, "list": found, "notFound": missing})]

    async def _object(
        self, account: Account, found: Found, names: Sequence[str], wanted: Range
    ) -> Object:
        """Raises MethodError."""
        told: Object = {}
        if not set(names).isdisjoint(_DATA):
            if wanted.end - wanted.start > _MAX_DATA:
                raise MethodError("requestTooLarge", f"more than {_MAX_DATA} octets of a blob")
            octets = await self._reader.octets(found, wanted.start, wanted.end)
            account.budget.take(len(octets))
            told |= await self._offload.run(Pool.MIME, data_properties, octets, names)
            if wanted.truncated:
                told["isTruncated"] = True
        for name in names:
            if name == "size":
                told["size"] = found.size
            elif name.startswith("digest:"):
                told[name] = await self._digest(found, wanted, name.partition(":")[2])
        return told

    async def _digest(self, found: Found, wanted: Range, name: str) -> str:
        digest = hashlib.new(_HASHES[name], usedforsecurity=False)
        async for piece in self._reader.pieces(found, wanted.start, wanted.end):
            await self._offload.run(Pool.MIME, digest.update, piece)
        return base64.b64encode(digest.digest()).decode("ascii")

    async def _lookup(self, call: Call[Context], members: Object) -> Results:
        """RFC 9404 §4.3. Mail alone has blobs that are told so; uploads are part of nothing."""
        arguments = Arguments(members)
        account_id, ids = arguments.id("accountId"), arguments.ids("ids")
        names = arguments.texts("typeNames")
        arguments.end()
        if ids is None or names is None:
            raise invalid_arguments("typeNames and ids are needed")
        if len(ids) > self._limits.objects_in_get:
            raise too_many("ids", self._limits.objects_in_get)
        known = TYPES if MAIL in call.using else ()
        if unknown := [one for one in names if one not in known]:
            raise MethodError("unknownDataType", unknown[0][:100])
        account = mail_account(call, account_id)
        found: list[Object] = []
        missing: list[str] = []
        for id_ in ids:
            matched = await self._matched(account, id_)
            if matched is None:
                missing.append(id_)
                continue
            picked = {name: matched.get(name, []) for name in names}
            found.append({"id": id_, "matchedIds": picked})
        return [("Blob/lookup", {"accountId": account_id, "list": found, "notFound": missing})]

    async def _matched(self, account: Account, id_: str) -> Mapping[str, Sequence[str]] | None:
        """Ids by type, None where there is no such blob; a message itself is not read for it."""
        wanted = split_blob(id_)
        mail = None if wanted is None else mail_blob(wanted[0])
        if mail is None or (wanted is not None and wanted[1]):
            try:
                await self._reader.find(account, id_, leaving=False)
            except NoSuchBlob:
                return None
        if mail is None:
            return {}
        readable = await self._emails.readable(account)
        email = (await self._store.emails(account.id, [mail], readable)).get(mail)
        if email is None:
            return None
        boxes = dict.fromkeys(mailbox_number(account.id, box) for box, _ in email.places)
        threads = [] if email.thread is None else [thread_number(email.thread)]
        return {"Email": [email_number(email.blob)], "Thread": threads, "Mailbox": list(boxes)}


def source_account(call: Call[Context], account_id: str) -> Account:
    """The account that is copied from. Raises MethodError."""
    try:
        return mail_account(call, account_id)
    except MethodError as error:
        kind = error.kind.replace("account", "fromAccount", 1)
        raise MethodError(kind, error.description) from None


def data_properties(octets: bytes, names: Sequence[str]) -> Object:
    """The octets in the forms that are asked for (RFC 9404 §4.2). Pure."""
    told: Object = {}
    text: str | None
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = None
    if text is None and {"data", "data:asText"} & set(names):
        told["isEncodingProblem"] = True
    if "data:asText" in names or ("data" in names and text is not None):
        told["data:asText"] = text
    if "data:asBase64" in names or ("data" in names and text is None):
        told["data:asBase64"] = base64.b64encode(octets).decode("ascii")
    return told
