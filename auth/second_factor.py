"""The second factor of an account: switched on with a first code, asked for on the web.

With it on, mail clients use app passwords. Who loses the device uses a recovery code, each once.
Secrets are shown by `begin`, `confirm` and `renew`, and never again. Passkeys are in
auth/passkeys.py, codes by SMS are sent by auth/sms_factor.py.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

from auth.audit import Audit
from auth.codes import code_mac, digits_in
from auth.generated import digest, recovery_code, recovery_digest
from auth.totp import KEY_OCTETS, key_text, key_uri, matching_step
from config.clock import Clock
from storage.audit_values import Kind
from storage.directory import Directory
from storage.directory_values import Account, NotAllowed
from storage.second_factors import GivenCode, Spent

CODES: Final = 10
SMS_KEY: Final = "second factor by sms"
"""The name of the key under which codes by SMS are kept."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The key for an authenticator app, to be typed and as the URI of a QR code."""

    key: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactor:
    """One for all protocols."""

    def __init__(self, directory: Directory, clock: Clock, audit: Audit) -> None:
        self._factors, self._secrets = directory.second_factors, directory.secrets
        self._clock, self._audit = clock, audit

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
        codes, digests = recovery_codes()
        await self._factors.confirm(account.id, step or 0, digests)
        self._record(Kind.FACTOR_ON, account)
        return codes

    async def check(self, account: Account, code: str) -> Spent:
        """Takes a code of the app, one that came by SMS, or a recovery code; each is good once."""
        found = await self._factors.of(account.id)
        step = None if found is None else matching_step(found.secret, code, self._clock.now())
        digits, key = digits_in(code), await self._secrets.get(SMS_KEY)
        given = GivenCode(
            step,
            recovery_digest(code),
            None if digits is None else lambda salt: code_mac(key, salt, digits),
        )
        taken = await self._factors.spend(account.id, given)
        if taken.kind == "recovery_code":
            self._record(Kind.RECOVERY, account)
        return taken.spent

    async def renew(self, account: Account) -> list[str]:
        """Other recovery codes in the place of those that there are. Raises Absent."""
        codes, digests = recovery_codes()
        await self._factors.replace_codes(account.id, digests)
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


def recovery_codes() -> tuple[list[str], list[bytes]]:
    """New ones, and what is kept of them."""
    codes = [recovery_code() for _ in range(CODES)]
    return codes, [digest(code.replace("-", "")) for code in codes]
