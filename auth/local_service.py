"""AuthService in this process: sign-up by auth/sign_up.py."""

from auth.caller import Caller
from auth.service import Registration
from auth.sign_up import SignUpDesk


class LocalAuthService:
    """What the HTTP listeners route to."""

    def __init__(self, desk: SignUpDesk) -> None:
        self._desk = desk

    async def register(self, registration: Registration, caller: Caller) -> None:
        await self._desk.register(registration, caller)

    async def verify(self, username: str, code: str, caller: Caller) -> str:
        return await self._desk.verify(username, code, caller)
