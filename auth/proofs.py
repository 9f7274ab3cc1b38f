"""What proves somebody but the account's password itself: app passwords, tokens, SCRAM's proofs,
client certificates.

Invariants: a proof is judged behind the delay of auth/throttle.py, right or wrong; whether there is
such a user is told by nothing; who tries tokens delays itself, never an account.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from auth.caller import Caller
from auth.checking import Checked
from auth.generated import password_digest, token_digest
from auth.grant import Grant, outside_grant
from auth.issuing import OPENED
from auth.names import Names
from auth.sasl.keys import KeyOffer, Keys, unpack
from auth.scram_keys import ScramKeys
from auth.throttle import Throttle
from storage.credential_values import Credential
from storage.directory import Directory
from storage.directory_values import Account
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a proof: `account` is whom it was about, if anybody, `credential` what proved
    it, None for the account's password; `outside` is what an access token of an outside provider is
    good for, if it was one.
    """

    checked: Checked
    account: Account | None
    credential: Credential | None = None
    outside: Grant | None = None


EVEN: Final = 0.02
"""Seconds of each step of SCRAM: more than reading the 200 app passwords that an account may
have.
"""
NOBODY: Final = AccountId(0)


FindOutside = Callable[[str], Awaitable[tuple[Account, float] | None]]
"""The account of an access token of an outside provider, and the token's end in seconds since
1970.
"""


class Proofs:
    """Belongs to the authenticator. Its methods raise StoreUnavailable."""

    def __init__(
        self, directory: Directory, throttle: Throttle, scram: ScramKeys, names: Names
    ) -> None:
        self._directory, self._throttle, self._scram = directory, throttle, scram
        self._names = names
        self.outside: FindOutside = _nobody

    async def secret(
        self, account: Account | None, password: str, peer: str
    ) -> tuple[Account, Credential] | None:
        """The app password or token that a password is, None where it is none of the account's.
        Await nothing between this and the use of it.
        """
        digest = password_digest(password)
        if digest is None:
            return None
        # looked up for a name that nobody has, too: that takes as long
        async with self._names.turn(peer):
            found = await self._directory.credentials.find(digest)
        if account is None or found is None:
            return None
        # asked again, since the look-up may have taken a while: these two find what they remember
        now = await self._directory.account(account.address)
        found = await self._directory.credentials.find(digest)
        if now is None or found is None or found.account != now.id or not now.enabled:
            return None
        return None if found.kind in OPENED else (now, found)

    async def offer(self, user: str, mechanism: str, caller: Caller) -> KeyOffer:
        """What SCRAM goes on with, whether there is such a user or not."""
        name, account = await self._names.find(user, caller.peer)
        async with _evenly():
            kept = await self._kept(account)
            return await self._scram.offer(name, [text for text, _ in kept], mechanism)

    async def scram(self, user: str, keys: Keys | None, mechanism: str, caller: Caller) -> Found:
        """`keys` are those whose password was proved, None when none was."""
        name, account = await self._names.find(user, caller.peer)
        usable = account if account and account.enabled else None
        attempt = await self._throttle.enter(caller.peer, name, usable.id if usable else None)
        if attempt is None:
            return Found(Checked.THROTTLED, account)
        try:
            async with _evenly():
                kept = await self._kept(usable)
                owner = [each for text, each in kept if keys in _keys_in(text, mechanism)]
        except BaseException:
            attempt.void()
            raise
        if not owner:  # nothing was proved, or the password is another by now
            attempt.wrong()
            return Found(Checked.WRONG, account)
        attempt.right()
        return Found(Checked.RIGHT, usable, owner[0])

    async def again(self, user: str, keys: Keys, mechanism: str, caller: Caller) -> Found:
        """Whether keys that were proved are still those of an account that may log in."""
        _, account = await self._names.find(user, caller.peer)
        kept = await self._kept(account)
        owner = [each for text, each in kept if keys in _keys_in(text, mechanism)]
        return Found(Checked.RIGHT, account, owner[0]) if owner else Found(Checked.WRONG, account)

    async def _kept(self, account: Account | None) -> list[tuple[str, Credential | None]]:
        """Keys of an account's passwords: its own, and app passwords with their credentials. The
        database is asked for them where there is no account, too.
        """
        usable = account if account and account.enabled else None
        others = await self._directory.credentials.scram_of(usable.id if usable else NOBODY)
        own = [(usable.scram, None)] if usable and usable.scram else []
        return [*own, *others]

    async def bearer(self, user: str, token: str, caller: Caller) -> Found:
        """The login of a token's account, which is `user` unless that is ""."""
        name, account = await self._names.find(user, caller.peer) if user else ("", None)
        digest = token_digest(token)
        if digest is None:
            return await self._outside_bearer(name, token, account, caller)
        attempt = await self._throttle.enter(caller.peer, f"token {digest.hex()}", None)
        if attempt is None:
            return Found(Checked.THROTTLED, account)
        try:
            found = await self._directory.credentials.find(digest)
            owner = None if found is None else await self._directory.account_by_id(found.account)
        except BaseException:
            attempt.void()
            raise
        usable = owner is not None and owner.enabled and name in ("", owner.key)
        if found is None or not usable:
            attempt.wrong()
            return Found(Checked.WRONG, account)
        attempt.right()
        return Found(Checked.RIGHT, owner, found)

    async def _outside_bearer(
        self, name: str, token: str, account: Account | None, caller: Caller
    ) -> Found:
        if token.count(".") != 2:  # RFC 7515 §7.1
            return Found(Checked.WRONG, account)
        key = sha256(token.encode())
        attempt = await self._throttle.enter(caller.peer, f"token {key.hexdigest()}", None)
        if attempt is None:
            return Found(Checked.THROTTLED, account)
        try:
            vouched = await self.outside(token)
        except BaseException:
            attempt.void()
            raise
        owner, until = vouched or (None, 0.0)
        if owner is None or not owner.enabled or name not in ("", owner.key):
            attempt.wrong()
            return Found(Checked.WRONG, account)
        attempt.right()
        return Found(Checked.RIGHT, owner, outside=outside_grant(key.digest(), until))

    async def external(self, user: str, names: tuple[str, ...], caller: Caller) -> Found:
        """The login of whom a verified client certificate names: the account `user` among its
        addresses, or the first of them that is an account.
        """
        wanted = (await self._names.find(user, caller.peer))[0] if user else None
        account: Account | None = None
        for one in names:
            name, account = await self._names.find(one, caller.peer)
            if account is not None and account.enabled and wanted in (None, name):
                return Found(Checked.RIGHT, account)
        return Found(Checked.WRONG, account)


@asynccontextmanager
async def _evenly() -> AsyncIterator[None]:
    """Takes EVEN seconds, however many app passwords there were to read."""
    loop = asyncio.get_running_loop()
    end = loop.time() + EVEN
    try:
        yield
    finally:
        await asyncio.sleep(end - loop.time())


async def _nobody(_token: str) -> tuple[Account, float] | None:
    """Without an outside provider."""
    return None


def _keys_in(text: str, mechanism: str) -> tuple[Keys, ...]:
    found = unpack(text, mechanism)
    return () if found is None else found.keys
