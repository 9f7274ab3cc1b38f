"""Is this password right: the delay, the queue, one hash, and what is remembered of it.

Invariants: equal attempts of one address that wait together share one hash, in a task of its own: a
client that hangs up takes nothing from the others; a wrong password that was seen before is neither
hashed nor counted again, so that a device with an old one locks out nobody; a name that nobody has
costs what any other costs. Where sources outside have accounts of the domain, every wrong password
costs a hash, and is answered when a multiple of EVEN has passed, since what a source takes shows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cachetools import TTLCache

from auth.handover import Handover
from auth.password import check_either, dummy_hash, quick_hash
from auth.throttle import Attempt, Throttle
from auth.verified import SECONDS, Proof, VerifiedLogins
from config.clock import Clock
from net.limits import address_key
from net.threads import Busy, Offload
from storage.values import AccountId

MOST: Final = 8_000
"""Attempts under way, those that are delayed included."""
WRONG: Final = 20_000
EVEN: Final = 0.5
"""Seconds; a source that answers within them tells nothing by its time."""


class Checked(Enum):
    """What came of an attempt."""

    RIGHT = "right"
    WRONG = "wrong"
    THROTTLED = "throttled"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """For an address of a domain whose accounts sources outside have. `verify` asks the source of
    the account whether a password is right, or for the hash that it must have; None for an account
    of our own, and for nobody. `right` and `wrong`: seconds for which an answer is remembered.
    """

    begun: float
    verify: Callable[[str], Awaitable[bool | str]] | None = None
    right: float = SECONDS
    wrong: float = SECONDS


class PasswordChecks:
    """Belongs to the authenticator. `rounds` is auth.bcrypt_rounds."""

    def __init__(self, offload: Offload, throttle: Throttle, clock: Clock) -> None:
        self._offload, self._throttle = offload, throttle
        self.rounds = 4
        self.handover = Handover(clock)
        self._verified = VerifiedLogins(clock)
        self._now = clock.monotonic
        self._wrong: TTLCache[Proof, float] = TTLCache(WRONG, SECONDS, clock.monotonic)
        self.sleep = asyncio.sleep
        self._running: dict[tuple[str, Proof], asyncio.Task[Checked]] = {}

    async def check(
        self,
        name: str,
        account: AccountId | None,
        password: str,
        stored: str,
        peer: str,
        elsewhere: Elsewhere | None = None,
    ) -> Checked:
        """`name` is what counts failures, `account` the one that may log in with it, None for
        nobody, `stored` its hash or a dummy that costs as much; of an account that a source has,
        what stands for the source. Raises StoreUnavailable where the source does not answer.
        """
        proof = self._verified.proof(name, password, stored)
        if account is not None and proof in self._verified:
            return Checked.RIGHT
        key = address_key(peer), proof
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= MOST:
                return Checked.BUSY
            work = self._work(proof, name, account, password, stored, peer, elsewhere)
            task = self._running[key] = asyncio.create_task(work)
            task.add_done_callback(lambda task: self._ended(key, task))
        return await asyncio.shield(task)

    def forget(self, account: AccountId) -> None:
        """Nothing that was verified of the account counts any more."""
        self._verified.forget(account)
        self.handover.forget(account)

    async def close(self) -> None:
        """Waits for hashes under way; ends delays."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _ended(self, key: tuple[str, Proof], task: asyncio.Task[Checked]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # seen, even when everybody who waited has gone

    async def _work(
        self,
        proof: Proof,
        name: str,
        account: AccountId | None,
        password: str,
        stored: str,
        peer: str,
        elsewhere: Elsewhere | None,
    ) -> Checked:
        attempt = await self._throttle.enter(peer, name, account)
        if attempt is None:
            return Checked.THROTTLED
        if self._now() < self._wrong.get(proof, 0.0):
            attempt.void()
            return Checked.WRONG
        try:
            if elsewhere is not None and elsewhere.verify is not None:
                right = await self._asked(attempt, account, password, elsewhere.verify)
            else:
                right = await self._hash(attempt, account, password, stored)
        except Busy:
            attempt.void()
            return Checked.BUSY
        except BaseException:
            attempt.void()
            raise
        if right and account is not None:
            attempt.right()
            self._verified.add(proof, account, elsewhere.right if elsewhere else SECONDS)
            return Checked.RIGHT
        attempt.wrong()
        self._wrong[proof] = self._now() + (elsewhere.wrong if elsewhere else SECONDS)
        if elsewhere is not None:
            await self.sleep(EVEN - (self._now() - elsewhere.begun) % EVEN)
        return Checked.WRONG

    async def _asked(
        self,
        attempt: Attempt,
        account: AccountId | None,
        password: str,
        verify: Callable[[str], Awaitable[bool | str]],
    ) -> bool:
        said = await verify(password)
        if said is True:
            return True
        if isinstance(said, str) and said:
            return await self._hash(attempt, account, password, said)
        await self._hash(attempt, None, password, dummy_hash(self.rounds))
        return False

    async def _hash(
        self, attempt: Attempt, account: AccountId | None, password: str, stored: str
    ) -> bool:
        handover = self.handover
        quick = handover.of(account, stored) if account is not None else None
        make = account is not None and not handover.has(account, stored)
        right, made = await self._offload.hash(
            attempt.rank, _verify, password, stored, quick, handover.is_open, make, self.rounds
        )
        if right and account is not None and made:
            handover.keep(account, stored, made)
        return right


def _verify(
    password: str, stored: str, quick: str | None, handing: bool, make: bool, rounds: int
) -> tuple[bool, str]:
    """Whether the password is right, and its quick hash when one is to be made. While a handover
    lasts a wrong password costs the quick hash too, whoever's it is.
    """
    right = check_either(password, stored, quick, rounds, try_quick=handing)
    return right, (quick or quick_hash(password, stored)) if right and make else ""
