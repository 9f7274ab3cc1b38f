"""An AuthService elsewhere, with what it said of cookies remembered, so that a page costs no call.

Invariants: what is revoked is forgotten when this process hears of it, else within a minute.
"""

from hashlib import sha256
from typing import Any

from auth.service import AuthService, Visitor
from config.clock import Clock
from storage.directory import Directory
from storage.directory_values import AccountChange
from storage.token_cache import TokenCache
from storage.values import AccountId


class RememberedAuth:
    """Has every method of `auth`; `clear` it when events may have been missed."""

    def __init__(self, auth: AuthService, directory: Directory, clock: Clock) -> None:
        self._auth = auth
        self._visitors: TokenCache[Visitor] = TokenCache(clock)
        self.close = directory.on_change(self._changed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._auth, name)

    def clear(self) -> None:
        self._visitors.clear()

    async def visitor(self, cookie: str) -> Visitor | None:
        """As of the service itself."""
        digest = sha256(cookie.encode("utf-8", "surrogatepass")).digest()
        remembered = self._visitors.get(digest)
        if remembered is not None:
            return remembered[0]
        generation = self._visitors.generation
        found = await self._auth.visitor(cookie)
        account = AccountId(0) if found is None else found.account
        self._visitors.put(digest, found, account, generation)
        return found

    async def enter(self, *args: Any) -> str:
        """As of the service itself; the cookie is good from here on."""
        cookie = await self._auth.enter(*args)
        self._visitors.made(sha256(cookie.encode()).digest())
        return cookie

    def _changed(self, change: AccountChange) -> None:
        self._visitors.forget(change.account)
