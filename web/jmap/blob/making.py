"""Blob/upload: blobs out of values and of pieces of others (RFC 9404 §4.1)."""

import base64
import binascii
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.blob_values import BlobTooLarge, NoSuchBlob
from storage.errors import OverQuota
from web.jmap.arguments import Arguments, is_int, too_many
from web.jmap.blob.reading import BlobReader, Found
from web.jmap.blob.uploads import Uploads
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.limits import Limits
from web.jmap.methods import Call, Methods, Results
from web.jmap.octets import Budget

BLOB: Final = "urn:ietf:params:jmap:blob"
MAX_SOURCES: Final = 64
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Of a blob's octets; `truncated` where it was asked for beyond their end."""

    start: int
    end: int
    truncated: bool

    @classmethod
    def of(cls, found: Found, offset: int, length: int | None) -> "Range":
        start = min(offset, found.size)
        end = found.size if length is None else min(offset + length, found.size)
        beyond = offset > found.size or (length is not None and offset + length > found.size)
        return cls(start, max(start, end), beyond)


class BlobMaking:
    """`add_to` the methods of a server."""

    def __init__(self, reader: BlobReader, uploads: Uploads, limits: Limits) -> None:
        self._reader, self._uploads, self._limits = reader, uploads, limits

    def add_to(self, methods: Methods[Context]) -> None:
        """The method."""
        methods.add(BLOB, "Blob/upload", self.upload)

    async def upload(self, call: Call[Context], members: Object) -> Results:
        """RFC 9404 §4.1."""
        arguments = Arguments(members)
        account_id, create = arguments.id("accountId"), arguments.objects("create")
        arguments.end()
        account = mail_account(call, account_id)
        check_writable(account)
        if len(create) > self._limits.objects_in_set:
            raise too_many("objects", self._limits.objects_in_set)
        room = self.room()
        created: Object = {}
        failed: Object = {}
        for creation_id, made in create.items():
            try:
                created[creation_id] = await self._create(call, account, made, room)
            except SetError as error:
                failed[creation_id] = error.members
            else:
                call.created[creation_id] = created[creation_id]["id"]
        told = {"accountId": account_id, "created": created or None, "notCreated": failed or None}
        return [("Blob/upload", told)]

    def room(self) -> Budget:
        """What one call may make."""
        return Budget("blobs", self._limits.handled)

    async def _create(
        self, call: Call[Context], account: Account, made: Object, room: Budget
    ) -> Object:
        """Raises SetError."""
        sources, kind = made.get("data"), made.get("type")
        if unknown := sorted(made.keys() - {"data", "type"}):
            raise invalid_properties("there is no such property", *unknown)
        if not isinstance(sources, list) or not all(isinstance(one, dict) for one in sources):
            raise invalid_properties("an array of DataSourceObjects is needed", "data")
        if kind is not None and not isinstance(kind, str):
            raise invalid_properties("a string or null is needed", "type")
        if len(sources) > MAX_SOURCES:
            raise SetError("tooLarge", f"more than {MAX_SOURCES} sources")
        parts = [await self._source(call, account, one) for one in sources]
        size = sum(len(one) if isinstance(one, bytes) else one[2] - one[1] for one in parts)
        if size > self._limits.upload:
            raise SetError("tooLarge", f"more than {self._limits.upload} octets")
        id_ = await self.kept(account, self._joined(parts), size, room)
        return {"id": id_, "type": kind, "size": size}

    async def _source(
        self, call: Call[Context], account: Account, source: Object
    ) -> bytes | tuple[Found, int, int]:
        """Octets, or a range of a blob; null is as absent (RFC 9404 §4.1). Raises SetError."""
        source = {name: value for name, value in source.items() if value is not None}
        kinds = [one for one in ("data:asText", "data:asBase64", "blobId") if one in source]
        allowed = {kinds[0]} if kinds else set[str]()
        if kinds == ["blobId"]:
            allowed |= {"offset", "length"}
        if len(kinds) != 1 or source.keys() - allowed or not isinstance(source[kinds[0]], str):
            raise invalid_properties("a source has text, base64 or a blobId", "data")
        value: str = source[kinds[0]]
        if kinds[0] == "data:asText":
            try:
                return value.encode()
            except UnicodeEncodeError:
                raise invalid_properties("the text is no Unicode", "data") from None
        if kinds[0] == "data:asBase64":
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise invalid_properties("the base64 is not valid", "data") from None
        try:
            found = await self._reader.find(account, call.real(value), leaving=False)
        except NoSuchBlob:
            raise SetError("blobNotFound", "there is no such blob", notFound=[value]) from None
        offset, length = source.get("offset"), source.get("length")
        if any(one is not None and not (is_int(one) and one >= 0) for one in (offset, length)):
            raise invalid_properties("offset and length are unsigned integers", "data")
        wanted = Range.of(found, int(offset or 0), None if length is None else int(length))
        if wanted.truncated:
            raise invalid_properties("the range ends beyond the blob", "data")
        return found, wanted.start, wanted.end

    async def _joined(
        self, parts: Sequence[bytes | tuple[Found, int, int]]
    ) -> AsyncGenerator[bytes, None]:
        for part in parts:
            if isinstance(part, bytes):
                yield part
                continue
            async for piece in self._reader.pieces(*part):
                yield piece

    async def kept(
        self, account: Account, pieces: AsyncGenerator[bytes, None], size: int, room: Budget
    ) -> str:
        """The blobId. Raises SetError."""
        try:
            room.take(size)
            return (await self._uploads.put(account.holder, pieces)).hash
        except MethodError as error:
            raise SetError("rateLimit", error.description) from None
        except BlobTooLarge:
            raise SetError("tooLarge") from None
        except OverQuota:
            raise SetError("overQuota") from None


def check_writable(account: Account) -> None:
    """Raises MethodError."""
    if account.read_only:
        raise MethodError("accountReadOnly")
