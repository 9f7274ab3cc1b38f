"""MDN/parse (RFC 9007 §2.2)."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from message.mdn import Parsed, parse_mdn
from net.threads import Offload
from storage.blob_values import NoSuchBlob
from storage.rendering import is_quick
from web.jmap.arguments import Arguments, too_many
from web.jmap.blob.reading import BlobHeldBack, BlobReader
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.filters import parse_filter
from web.jmap.limits import Limits
from web.jmap.mail.email_query import EmailQuery
from web.jmap.mdn.objects import shown
from web.jmap.methods import Call, Results
from web.jmap.octets import octets_of
from web.jmap.standard_query import Query

SECONDS: Final = 2.0
"""So long the messages are looked for that the notifications of a call are about."""
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MdnParsing:
    """The method."""

    reader: BlobReader
    queries: EmailQuery
    limits: Limits
    offload: Offload

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        account_id, ids = arguments.id("accountId"), arguments.ids("blobIds")
        arguments.end()
        if ids is None:
            raise invalid_arguments("blobIds: an array of Ids is needed")
        if len(ids) > self.limits.objects_in_get:
            raise too_many("blobIds", self.limits.objects_in_get)
        try:
            account = account_of(call, account_id)
        except MethodError:
            raise invalid_arguments("accountId: there is no such account") from None
        until = asyncio.get_running_loop().time() + SECONDS
        found: Object = {}
        unparsable: list[str] = []
        missing: list[str] = []
        for id_ in ids:
            try:
                parsed = await self._parsed(account, call.real(id_))
            except NoSuchBlob:
                missing.append(id_)
                continue
            if parsed is None:
                unparsable.append(id_)
            else:
                found[id_] = shown(parsed, await self._email(account, parsed, until))
                account.budget.take(octets_of(found[id_]))
        told = {
            "accountId": account_id,
            "parsed": found or None,
            "notParsable": unparsable or None,
            "notFound": missing or None,
        }
        return [("MDN/parse", told)]

    async def _parsed(self, account: Account, blob_id: str) -> Parsed | None:
        """Raises NoSuchBlob, MethodError."""
        try:
            found = await self.reader.find(account, blob_id)
        except BlobHeldBack as held:
            raise MethodError("forbidden", f"{blob_id}: {held}") from None
        data = await self.reader.octets(found)
        return parse_mdn(data) if is_quick(data) else await self.offload.process(parse_mdn, data)

    async def _email(self, account: Account, parsed: Parsed, until: float) -> str | None:
        """The message of that Message-ID, where there is one, and one alone, and is found in
        time.
        """
        wanted = parsed.notification.message_id.strip(" <>")
        if not wanted:
            return None
        condition = {"header": ["Message-ID", f'"{wanted}"']}
        filter_ = parse_filter(condition, self.queries.condition)
        try:
            async with asyncio.timeout_at(until):
                ids = await self.queries.query(account, Query(filter_))
        except (TimeoutError, MethodError):
            return None
        return ids[0] if len(ids) == 1 else None
