"""Requests of JMAP, however they come: read, run and answered (RFC 8620 §3)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from net.threads import Offload
from storage.book_shares import BookShares, SharedBook
from web.jmap.context import Context
from web.jmap.errors import RequestError, too_many
from web.jmap.limits import Limits
from web.jmap.methods import CORE, Methods
from web.jmap.request import problem_of, request_of, response, value_of
from web.jmap.session import Offer, session_state
from web.jmap.sharers import Sharers
from web.turns import Turns

_QUICK: Final = 128 * 1024


class Requests:
    """Those of one account that run at once are bounded, over all of its connections. `push_key` is
    the key by which push services know the server, in base64url; `delayed_send` as in Offer.
    """

    def __init__(
        self,
        methods: Methods[Context],
        capabilities: frozenset[str],
        limits: Limits,
        offload: Offload,
        shares: BookShares,
        sharers: Sharers,
        delayed_send: Callable[[], int],
    ) -> None:
        self._shares, self._sharers, self._delayed_send = shares, sharers, delayed_send
        self.turns, self.limits = Turns(limits.concurrent_requests, too_many), limits
        self.methods, self._offload = methods, offload
        self.push_key = ""
        self._capabilities = capabilities | {CORE}

    @property
    def offer(self) -> Offer:
        """As it is in the Session."""
        return Offer(self.limits, self._delayed_send(), self.push_key)

    async def entered(self, context: Context) -> Context:
        """With what others share with who asks. Raises StoreError."""
        login, books = context.login, list[SharedBook]()
        if not login.grant.folders:
            books += await self._shares.seen_by(login.account)
        mail = await self._sharers.of(login)
        return replace(context, shared=books, mail=mail, anyone=self._sharers.anyone)

    async def read(self, data: bytes) -> Any:
        """The JSON value. Raises RequestError."""
        if not _QUICK < len(data) <= self.limits.request:
            return value_of(data, self.limits)
        if problem := await self._offload.process(problem_of, data):
            raise RequestError(*problem)
        return value_of(data, self.limits, checked=True)

    async def answer(
        self, found: Any, context: Context, more: Mapping[str, Any] | None = None
    ) -> bytes:
        """The Response object as JSON, with further members, for what was read. Takes no turn.
        Raises RequestError.
        """
        context = await self.entered(context)
        asked = request_of(found, self.limits, self._capabilities)
        results = await self.methods.run(asked, context)
        state = session_state(context, self.offer)
        return await response(results, state, asked.created_ids, more)
