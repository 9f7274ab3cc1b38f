"""A forgotten password is set anew by a code to where the account's owner was reached at sign-up.

Invariants: the answer, and the work before it, are the same whether there is such an account or
not; where there is a second factor it is asked for beside the code, so that who took over a number
has not yet the account; a code is for the account and the password that there were when it was
asked for; every session and token ends with the old password.
"""

from typing import Final

from auth.admission import Admission
from auth.caller import Caller
from auth.codes import code_mac, digits_in, new_code
from auth.generated import digest
from auth.login import Authenticator
from auth.service import Fault, Problem
from auth.sign_up import SignUpDesk
from config.clock import Clock
from net.limits import address_key
from storage.audit_values import NOBODY, Kind
from storage.directory import Directory
from storage.directory_values import Account
from storage.resets import NewReset, Resets
from storage.second_factors import Spent
from storage.sign_up_values import Checked
from storage.sign_ups import SignUps

_SECRET: Final = "password reset"  # noqa: S105 - the name of a row
OF_TARGET: Final = 5
"""Codes to one number or address in 24 hours: strangers may ask for them."""


class ResetDesk:
    """One a process; codes leave by the sender of `desk`."""

    def __init__(
        self,
        auth: Authenticator,
        directory: Directory,
        desk: SignUpDesk,
        admission: Admission,
        clock: Clock,
    ) -> None:
        self._auth, self._directory = auth, directory
        self._desk, self._admission = desk, admission
        self._resets = Resets(directory.database, clock)
        self._sign_ups = SignUps(directory, clock)

    async def begin(self, username: str, caller: Caller) -> None:
        """Sends a code where it may; what comes back never tells whether it did. Raises Problem."""
        box = self._desk.box(username)
        key = digest(username).hex() if box is None else box.key()
        account = None if box is None else await self._directory.account(box)
        target = await self._sign_ups.target_of(NOBODY if account is None else account.id)
        own = account is not None and account.enabled and not account.source
        secret = await self._directory.secrets.get(_SECRET)
        code = new_code(secret)
        new = NewReset(
            key,
            target or "" if own else "",
            address_key(caller.peer),
            not self._admission.is_local(caller.peer),
            code.salt,
            _mac(secret, code.salt, code.digits, account),
        )
        applied = await self._resets.apply(new, self._desk.bounds(of_target=OF_TARGET))
        if applied.wait:
            raise Problem(Fault.TOO_MANY, "Wait before you ask for another code", wait=applied.wait)
        if applied.sends and account is not None and target is not None:
            await self._desk.send_code(target, account.address, code.digits)

    async def finish(
        self, username: str, code: str, password: str, second: str, caller: Caller
    ) -> None:
        """Sets the password by the code, and by `second` where there is a second factor: a code of
        the app or a recovery code, which is spent on a password that can be taken alone. Raises
        Problem.
        """
        box, digits = self._desk.box(username), digits_in(code)
        key = await self._directory.secrets.get(_SECRET)
        if box is None or digits is None:
            raise Problem(Fault.WRONG_CODE)
        account = await self._directory.account(box)
        wrong = await self._resets.check(box.key(), lambda salt: _mac(key, salt, digits, account))
        if wrong is not None or account is None or not account.enabled:
            self._failed(account, f"reset: code {(wrong or Checked.WRONG).value}", caller)
            raise Problem(Fault.EXPIRED if wrong is Checked.EXPIRED else Fault.WRONG_CODE)
        kinds = await self._directory.second_factors.kinds(account.id)
        fitting = tuple(kind for kind in kinds if kind in ("totp", "recovery_code"))
        if kinds and not second:
            raise Problem(Fault.SECOND_FACTOR, factors=fitting)
        hashed, scram = await self._desk.secrets(box, password)
        if kinds:
            await self._spend(account, second, fitting, caller)
        if not await self._resets.use(box.key()) or not await self._is_still(account):
            raise Problem(Fault.EXPIRED)
        await self._directory.set_password(account.address, hashed, scram)
        self._auth.audit.record(
            Kind.PASSWORD,
            account.id,
            account.address,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
            detail="forgotten, set by a code",
        )

    async def _is_still(self, account: Account) -> bool:
        now = await self._directory.account_by_id(account.id)
        return now is not None and now.enabled and now.password_hash == account.password_hash

    async def _spend(
        self, account: Account, second: str, fitting: tuple[str, ...], caller: Caller
    ) -> None:
        spent = await self._auth.second_factor.check(account, second)
        if spent is Spent.TOO_MANY:
            raise Problem(Fault.TOO_MANY, "Too many wrong codes, try again later", wait=60.0)
        if spent is not Spent.TAKEN:
            self._failed(account, "reset: second factor wrong", caller)
            wrong = "The code is wrong or was used before"
            raise Problem(Fault.SECOND_FACTOR, wrong, factors=fitting)

    def _failed(self, account: Account | None, detail: str, caller: Caller) -> None:
        self._auth.audit.record(
            Kind.FAILED,
            None if account is None else account.id,
            "" if account is None else account.address,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
            detail=detail,
        )


def _mac(key: bytes, salt: bytes, digits: str, account: Account | None) -> bytes:
    """What is kept of a code for the account as it is."""
    about = "" if account is None else f" {account.id} {account.password_hash}"
    return code_mac(key, salt, digits + about)
