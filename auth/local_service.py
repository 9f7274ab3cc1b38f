"""AuthService in this process: sign-up by auth/sign_up.py, sessions by auth/sessions.py, passkeys
by auth/passkeys.py, codes by SMS by auth/sms_factor.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from auth.caller import Caller
from auth.login import Authenticator
from auth.login_values import Login, Refused
from auth.passkeys import PasskeyDesk
from auth.reset import ResetDesk
from auth.service import (
    FactorState,
    Fault,
    NewFactor,
    PasskeyInfo,
    Problem,
    Registration,
    SessionTokens,
    Visitor,
)
from auth.sessions import Sessions
from auth.sign_up import SignUpDesk
from auth.sms_factor import SmsFactorDesk
from storage.directory import Directory
from storage.directory_values import Absent, Account, AlreadyExists, NotAllowed
from storage.passkeys import Passkey, PasskeyId


class LocalAuthService:
    """What the HTTP listeners route to."""

    def __init__(
        self,
        auth: Authenticator,
        directory: Directory,
        desk: SignUpDesk,
        sessions: Sessions,
        passkeys: PasskeyDesk,
        sms: SmsFactorDesk,
        reset: ResetDesk,
    ) -> None:
        self._auth, self._directory = auth, directory
        self._desk, self._sessions = desk, sessions
        self._passkeys, self._sms, self._reset = passkeys, sms, reset

    async def register(self, registration: Registration, caller: Caller) -> None:
        await self._desk.register(registration, caller)

    async def verify(self, username: str, code: str, caller: Caller) -> str:
        return await self._desk.verify(username, code, caller)

    async def login(self, username: str, password: str, code: str, caller: Caller) -> SessionTokens:
        return await self._sessions.open(username, password, code, caller)

    async def refresh(self, token: str, caller: Caller) -> SessionTokens:
        return await self._sessions.refresh(token, caller)

    async def enter(self, username: str, password: str, code: str, caller: Caller) -> str:
        return await self._sessions.enter(username, password, code, caller)

    async def visitor(self, cookie: str) -> Visitor | None:
        return await self._sessions.visitor(cookie)

    async def leave(self, visitor: Visitor) -> None:
        await self._sessions.leave(visitor)

    async def logout(self, token: str, caller: Caller) -> None:
        await self._sessions.end(token)

    async def second_step(self, ticket: str, code: str, caller: Caller) -> SessionTokens:
        return await self._sessions.opened(await self._second(ticket, code, caller), caller)

    async def enter_second(self, ticket: str, code: str, caller: Caller) -> str:
        return await self._sessions.entered(await self._second(ticket, code, caller), caller)

    async def reset_begin(self, username: str, caller: Caller) -> None:
        await self._reset.begin(username, caller)

    async def reset(
        self, username: str, code: str, password: str, second: str, caller: Caller
    ) -> None:
        await self._reset.finish(username, code, password, second, caller)

    async def send_code(self, ticket: str, caller: Caller) -> None:
        await self._sms.send(await self._half(ticket), caller)

    async def passkey_options(self, ticket: str, caller: Caller) -> dict[str, Any]:
        if not ticket:
            return await self._passkeys.sign_in_options()
        return await self._passkeys.second_options(await self._half(ticket))

    async def passkey_login(
        self, answer: dict[str, Any], ticket: str, caller: Caller
    ) -> SessionTokens:
        return await self._sessions.opened(await self._by_passkey(answer, ticket, caller), caller)

    async def passkey_enter(self, answer: dict[str, Any], ticket: str, caller: Caller) -> str:
        return await self._sessions.entered(await self._by_passkey(answer, ticket, caller), caller)

    async def passkey_begin(self, token: str, caller: Caller) -> dict[str, Any]:
        account, session = await self._sessions.of(token, caller, fresh=True)
        return await self._passkeys.begin(account, session.id)

    async def passkey_register(
        self, token: str, answer: dict[str, Any], name: str, factor: bool, caller: Caller
    ) -> NewFactor:
        account, session = await self._sessions.of(token, caller, fresh=True)
        with _as_problem():
            made = await self._passkeys.register(account, session.id, answer, name, factor=factor)
        return NewFactor(made.codes, _shown(made.passkey))

    async def passkeys(self, token: str, caller: Caller) -> list[PasskeyInfo]:
        account, _ = await self._sessions.of(token, caller)
        return [_shown(one) for one in await self._passkeys.of(account.id)]

    async def passkey_rename(
        self, token: str, number: int, name: str, caller: Caller
    ) -> PasskeyInfo:
        account, _ = await self._sessions.of(token, caller)
        with _as_problem():
            return _shown(await self._passkeys.rename(account, PasskeyId(number), name))

    async def passkey_delete(self, token: str, number: int, caller: Caller) -> None:
        account, _ = await self._sessions.of(token, caller, fresh=True)
        with _as_problem():
            await self._passkeys.delete(account, PasskeyId(number))

    async def factors(self, token: str, caller: Caller) -> FactorState:
        account, _ = await self._sessions.of(token, caller)
        kept = self._directory.second_factors
        phone = await self._directory.sms_factors.of(account.id)
        on = phone is not None and phone.confirmed is not None
        return FactorState(
            await kept.kinds(account.id),
            await kept.codes_left(account.id),
            phone.phone if phone is not None and on else "",
        )

    async def sms_begin(self, token: str, phone: str, caller: Caller) -> None:
        account, _ = await self._sessions.of(token, caller, fresh=True)
        with _as_problem():
            await self._sms.begin(account, phone, caller)

    async def sms_confirm(self, token: str, code: str, caller: Caller) -> NewFactor:
        account, _ = await self._sessions.of(token, caller)
        with _as_problem(Fault.WRONG_CODE):
            return NewFactor(tuple(await self._sms.confirm(account, code)))

    async def sms_remove(self, token: str, caller: Caller) -> None:
        account, _ = await self._sessions.of(token, caller, fresh=True)
        with _as_problem():
            await self._sms.remove(account)

    async def _second(self, ticket: str, code: str, caller: Caller) -> Login | Refused:
        factor = self._auth.second_factor
        return await self._auth.login_second(
            ticket, caller, lambda account: factor.check(account, code)
        )

    async def _by_passkey(
        self, answer: dict[str, Any], ticket: str, caller: Caller
    ) -> Login | Refused:
        if not ticket:
            return await self._passkeys.sign_in(answer, caller)
        return await self._auth.login_second(
            ticket, caller, lambda account: self._passkeys.prove(account, answer, caller)
        )

    async def _half(self, ticket: str) -> Account:
        account = await self._auth.half_login(ticket)
        if account is None:
            raise Problem(Fault.CREDENTIALS, "Begin the login again")
        return account


@contextmanager
def _as_problem(refused: Fault = Fault.INVALID) -> Iterator[None]:
    """What the directory does not do, as what the gateway answers."""
    try:
        yield
    except NotAllowed as error:
        raise Problem(refused, str(error)) from None
    except Absent as error:
        raise Problem(Fault.ABSENT, str(error)) from None
    except AlreadyExists as error:
        raise Problem(Fault.CONFLICT, str(error)) from None


def _shown(one: Passkey) -> PasskeyInfo:
    return PasskeyInfo(
        one.id, one.name, one.created, one.used, one.used_from, one.synced, one.factor
    )
