"""Codes by SMS as second factor, for who chose so: the weakest, since numbers are taken over.

Codes count with those of sign-up, by the same caps and pauses, and leave only for who has given the
account's password or is logged in.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from auth.admission import Admission
from auth.audit import Audit
from auth.caller import Caller
from auth.codes import new_code
from auth.second_factor import SMS_KEY
from auth.service import Fault, Problem
from auth.sign_up import SignUpDesk
from auth.sms_codes import confirm_sms, remove_sms
from net.limits import address_key
from storage.directory import Directory
from storage.directory_values import Absent, Account
from storage.sign_up_values import Applied, Bounds
from storage.sms_factors import NewCode

OF_PHONE: Final = 20
"""Codes to one number in 24 hours: what strangers ask for of sign-up leaves half of them."""
OF_PEER: Final = 10
"""Codes for one account from one address in 24 hours, that nobody used."""


class SmsFactorDesk:
    """One a process; texts leave by the sender of `desk`."""

    def __init__(
        self, directory: Directory, audit: Audit, desk: SignUpDesk, admission: Admission
    ) -> None:
        self._kept, self._directory = directory.sms_factors, directory
        self._secrets, self._audit = directory.secrets, audit
        self._desk, self._admission = desk, admission

    async def begin(self, account: Account, phone: str, caller: Caller) -> str:
        """Sends the first code to a number; nothing else changes before `confirm`. The number as it
        is kept. Raises Problem, AlreadyExists.
        """
        number = self._desk.number(phone)
        await self._send(
            account, number, caller, lambda new, of: self._kept.begin(account.id, number, new, of)
        )
        return number

    async def send(self, account: Account, caller: Caller) -> None:
        """A code for who has given the password. Raises Problem."""
        found = await self._kept.of(account.id)
        if found is None or found.confirmed is None:
            raise Problem(Fault.INVALID, "The account has no phone for codes")
        try:
            await self._send(
                account, found.phone, caller, lambda new, of: self._kept.renew(account.id, new, of)
            )
        except Absent:
            raise Problem(Fault.INVALID, "The account has no phone for codes") from None

    async def confirm(self, account: Account, code: str) -> list[str]:
        """As confirm_sms."""
        return await confirm_sms(self._directory, self._audit, account, code)

    async def remove(self, account: Account) -> None:
        """As remove_sms."""
        await remove_sms(self._directory, self._audit, account)

    async def _send(
        self,
        account: Account,
        number: str,
        caller: Caller,
        keep: Callable[[NewCode, Bounds], Awaitable[Applied]],
    ) -> None:
        code = new_code(await self._secrets.get(SMS_KEY))
        limited = bool(caller.peer) and not self._admission.is_local(caller.peer)
        new = NewCode(code.salt, code.mac, address_key(caller.peer), limited)
        applied = await keep(new, self._desk.bounds(of_name=OF_PEER, of_target=OF_PHONE))
        if applied.wait:
            raise Problem(Fault.TOO_MANY, "Wait before you ask for another code", wait=applied.wait)
        await self._desk.send_code(number, account.address, code.digits)
