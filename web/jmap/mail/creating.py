"""Email/set create (RFC 8621 §4.6): a draft, or any other message, out of its properties."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from config.clock import Clock
from filters.composing import spool_composed
from message.compose import Composed, Source, Stream
from message.transfer import Identity
from net.threads import Offload, Pool
from storage.blob_values import NoSuchBlob
from web.jmap.blob.reading import BlobReader, Found
from web.jmap.context import Account
from web.jmap.errors import SetError
from web.jmap.limits import MAX_ATTACHED, MAX_MESSAGE
from web.jmap.mail.intake import Intake, created
from web.jmap.mail.new_message import Stamp, blobs_of, new_message, refuse_unknown
from web.jmap.mail.placing import Place
from web.jmap.octets import octets_of

_QUICK: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class Creating:
    """Makes Emails."""

    reader: BlobReader
    intake: Intake
    clock: Clock
    offload: Offload

    async def create(
        self, account: Account, made: Mapping[str, Any], place: Place
    ) -> dict[str, Any]:
        """What is told of it. Raises SetError."""
        refuse_unknown(made)
        found = await self._blobs(account, blobs_of(made))
        composed = await self._composed(account, made, found)
        if composed.size > MAX_MESSAGE:
            raise SetError("tooLarge", f"a message has at most {MAX_MESSAGE} octets")
        received = self.clock.now() if place.received is None else place.received
        async with self.intake.spool() as spool:
            await spool_composed(composed, self._octets, spool, self.offload)
            email = await self.intake.add(account, spool, place.boxes, place.flags, received)
        return created(email)

    async def _blobs(
        self, account: Account, ids: Mapping[str, str]
    ) -> dict[str, tuple[Found, str]]:
        """By blobId, with the encoding of messages, which stand in the new one as they are. Raises
        SetError.
        """
        found: dict[str, tuple[Found, str]] = {}
        size, missing = 0, []
        for id_, kind in ids.items():
            try:
                one = await self.reader.find(account, id_, leaving=False)
            except NoSuchBlob:
                missing.append(id_)
                continue
            size += one.size
            if size > MAX_ATTACHED:
                raise SetError("tooLarge", f"attachments have at most {MAX_ATTACHED} octets")
            is_message = kind.startswith("message/")
            found[id_] = one, await self._identity(one) if is_message else ""
        if missing:
            raise SetError("blobNotFound", "there is no such blob", notFound=missing)
        return found

    async def _identity(self, found: Found) -> str:
        """How octets are told that are not to be encoded."""
        told = Identity()
        async for piece in self.reader.pieces(found):
            await self.offload.run(Pool.MIME, told.feed, piece)
        return told.encoding

    async def _composed(
        self, account: Account, made: Mapping[str, Any], found: Mapping[str, tuple[Found, str]]
    ) -> Composed:
        domain = account.address.rpartition("@")[2]
        stamp = Stamp(
            f"{token_hex(16)}@{domain}", datetime.fromtimestamp(int(self.clock.now()), UTC)
        )

        def octets(blob_id: str, kind: str) -> Source:
            one, encoding = found[blob_id]
            if kind.startswith("message/"):
                return Stream(one, one.size, encoding)
            return Stream(one, one.size)

        if octets_of(made) <= _QUICK:
            return new_message(made, octets, stamp)
        return await self.offload.run(Pool.MIME, new_message, made, octets, stamp)

    def _octets(self, found: Found) -> AsyncGenerator[bytes, None]:
        return self.reader.pieces(found)
