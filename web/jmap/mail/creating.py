"""Email/set create (RFC 8621 §4.6): a draft, or any other message, out of its properties."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from config.clock import Clock
from filters.composing import spool_composed
from message.compose import Composed, Source, Stream
from net.threads import Offload, Pool
from storage.blob_values import NoSuchBlob
from web.jmap.blob.reading import BlobReader, Found
from web.jmap.context import Account, Context
from web.jmap.errors import SetError
from web.jmap.limits import MAX_ATTACHED, MAX_MESSAGE
from web.jmap.mail.intake import Intake, created
from web.jmap.mail.new_message import Stamp, blobs_of, new_message, refuse_unknown
from web.jmap.mail.placing import Place
from web.jmap.methods import Call
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
        self, call: Call[Context], account: Account, made: Mapping[str, Any], place: Place
    ) -> dict[str, Any]:
        """What is told of it. Raises SetError."""
        refuse_unknown(made)
        found = await self._blobs(call, account, blobs_of(made))
        composed = await self._composed(account, made, found)
        if composed.size > MAX_MESSAGE:
            raise SetError("tooLarge", f"a message has at most {MAX_MESSAGE} octets")
        received = self.clock.now() if place.received is None else place.received
        async with self.intake.spool() as spool:
            await spool_composed(composed, self._octets, spool, self.offload)
            email = await self.intake.add(account, spool, place.boxes, place.flags, received)
        return created(email)

    async def _blobs(
        self, call: Call[Context], account: Account, ids: Mapping[str, str]
    ) -> dict[str, Found]:
        """By blobId; messages are read, since they stand in the new one as they are. Raises
        SetError.
        """
        found: dict[str, Found] = {}
        missing = []
        for id_, kind in ids.items():
            try:
                one = await self.reader.find(account, id_, leaving=False)
                if sum(each.size for each in found.values()) + one.size > MAX_ATTACHED:
                    raise SetError("tooLarge", f"attachments have at most {MAX_ATTACHED} octets")
                if kind.startswith("message/"):
                    one = Found(one.size, await self.reader.octets(one))
                found[id_] = one
            except NoSuchBlob:
                missing.append(id_)
        if missing:
            raise SetError("blobNotFound", "there is no such blob", notFound=missing)
        return found

    async def _composed(
        self, account: Account, made: Mapping[str, Any], found: Mapping[str, Found]
    ) -> Composed:
        domain = account.address.rpartition("@")[2]
        stamp = Stamp(
            f"{token_hex(16)}@{domain}", datetime.fromtimestamp(int(self.clock.now()), UTC)
        )

        def octets(blob_id: str, kind: str) -> Source:
            one = found[blob_id]
            if kind.startswith("message/") and one.data is not None:
                return one.data
            return Stream(one, one.size)

        size = octets_of(made) + sum(len(one.data) for one in found.values() if one.data)
        if size <= _QUICK:
            return new_message(made, octets, stamp)
        return await self.offload.run(Pool.MIME, new_message, made, octets, stamp)

    def _octets(self, found: Found) -> AsyncGenerator[bytes, None]:
        return self.reader.pieces(found)
