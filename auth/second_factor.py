"""The second factor of an account: switched on with a first code, asked for on the web.

With it on, mail clients use app passwords. Who loses the device uses a recovery code, each once.
Secrets are shown by `begin`, `confirm` and `renew`, and never again.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

from auth.audit import Audit
from auth.generated import digest, recovery_code, recovery_digest
from auth.totp import KEY_OCTETS, key_text, key_uri, matching_step
from config.clock import Clock
from storage.audit_values import Kind
from storage.directory_values import Account, NotAllowed
from storage.second_factors import SecondFactors, Spent

CODES: Final = 10


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The key for an authenticator app, to be typed and as the URI of a QR code."""

    key: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactor:
    """One for all protocols."""

    def __init__(self, factors: SecondFactors, clock: Clock, audit: Audit) -> None:
        self._factors, self._clock, self._audit = factors, clock, audit

    async def is_on(self, account: Account) -> bool:
        """Whether the account password alone is not enough."""
        return await self._factors.is_on(account.id)

    async def begin(self, account: Account, issuer: str) -> Enrolment:
        """A key, of no effect before `confirm`. `issuer` is what the app shows. Raises
        AlreadyExists.
        """
        key = secrets.token_bytes(KEY_OCTETS)
        await self._factors.begin(account.id, key)
        return Enrolment(key_text(key), key_uri(key, issuer, account.address))

    async def confirm(self, account: Account, code: str) -> list[str]:
        """Switches it on when the app's code is right; the recovery codes. Raises NotAllowed for a
        wrong code, Absent when nothing was begun.
        """
        found = await self._factors.of(account.id)
        step = found and matching_step(found.secret, code, self._clock.now())
        if found is not None and step is None:
            raise NotAllowed("The code is wrong; is the clock of the device right?")
        codes = _codes()
        await self._factors.confirm(account.id, step or 0, _digests(codes))
        self._record(Kind.FACTOR_ON, account)
        return codes

    async def check(self, account: Account, code: str) -> Spent:
        """Takes a code of the app or a recovery code; each is good once."""
        found = await self._factors.of(account.id)
        if found is None:
            return Spent.WRONG
        step = matching_step(found.secret, code, self._clock.now())
        recovery = recovery_digest(code)
        spent = await self._factors.spend(account.id, step, recovery)
        if spent is Spent.TAKEN and step is None:
            self._record(Kind.RECOVERY, account)
        return spent

    async def renew(self, account: Account) -> list[str]:
        """Other recovery codes in the place of those that there are. Raises Absent."""
        codes = _codes()
        await self._factors.replace_codes(account.id, _digests(codes))
        self._record(Kind.MADE, account, "recovery codes")
        return codes

    async def remove(self, account: Account) -> bool:
        """Whether there was one; the password alone is enough again."""
        found = await self._factors.remove(account.id)
        if found:
            self._record(Kind.FACTOR_OFF, account)
        return found

    def _record(self, kind: Kind, account: Account, detail: str = "") -> None:
        self._audit.record(kind, account.id, account.address, detail=detail)


def _codes() -> list[str]:
    return [recovery_code() for _ in range(CODES)]


def _digests(codes: list[str]) -> list[bytes]:
    return [digest(code.replace("-", "")) for code in codes]
