"""AuthService in this process: sign-up by auth/sign_up.py, sessions by auth/sessions.py."""

from auth.caller import Caller
from auth.service import Registration, SessionTokens, Visitor
from auth.sessions import Sessions
from auth.sign_up import SignUpDesk


class LocalAuthService:
    """What the HTTP listeners route to."""

    def __init__(self, desk: SignUpDesk, sessions: Sessions) -> None:
        self._desk, self._sessions = desk, sessions

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
