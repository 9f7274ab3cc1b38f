"""Logins that stand half-way: the password was right, the second factor is still to come.

A ticket stands for the password meanwhile, so that nobody has to send it or keep it again. It is
made for nobody who does not know the password, is good once and for LIFE seconds, and ends with
that password: it carries a MAC, under a key of the server's, over the stored hash. Nothing is kept
but which ones were used, so any process goes on with the login of another.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from config.clock import Clock
from storage.directory import Directory
from storage.directory_values import Account
from storage.values import AccountId

LIFE: Final = 600.0
_KEY: Final = "half logins"
_TIME, _ACCOUNT, _NONCE, _MAC = 8, 8, 16, 32
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{86}")


class HalfLogins:
    """One a process. Raises StoreError."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory, self._clock = directory, clock

    async def add(self, account: Account) -> str:
        """The ticket of who has just given the account's password."""
        stamp = int(self._clock.now() * 1000).to_bytes(_TIME)
        begin = stamp + account.id.to_bytes(_ACCOUNT) + secrets.token_bytes(_NONCE)
        data = begin + await self._mac(begin, account)
        return urlsafe_b64encode(data).decode().rstrip("=")

    async def find(self, ticket: str) -> Account | None:
        """Whose it is; None when its time is over, the account has another password or is disabled,
        or it was used.
        """
        if not _FORM.fullmatch(ticket):
            return None
        data = urlsafe_b64decode(ticket + "==")
        begin, mac = data[:-_MAC], data[-_MAC:]
        number = AccountId(int.from_bytes(begin[_TIME : _TIME + _ACCOUNT]))
        if number >= 1 << 63:
            return None
        account = await self._directory.account_by_id(number)
        if account is None or not account.enabled:
            return None
        if not hmac.compare_digest(mac, await self._mac(begin, account)):
            return None
        if self._clock.now() - int.from_bytes(begin[:_TIME]) / 1000 >= LIFE:
            return None
        return None if await self._directory.spent.is_used(ticket.encode()) else account

    async def take(self, ticket: str) -> bool:
        """Uses it; False when another did so meanwhile."""
        return await self._directory.spent.use(ticket.encode(), LIFE)

    async def _mac(self, begin: bytes, account: Account) -> bytes:
        key = await self._directory.secrets.get(_KEY)
        return hmac.digest(key, begin + account.password_hash.encode(), "sha256")
