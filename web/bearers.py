"""Requests that need `Authorization: Bearer`: whose they are, counted as commands of agents are."""

from dataclasses import replace

from starlette.requests import Request

from auth.agents import Agents
from auth.caller import Caller
from auth.login_values import Login, Refused
from auth.service import Fault, Problem
from storage.credential_values import Protocol
from web.answering import bearer
from web.logins import Logins


class Bearers:
    """Tokens need a protocol: `jmap` for mail, `web` for what else an account has."""

    def __init__(self, logins: Logins, agents: Agents) -> None:
        self._logins, self._agents = logins, agents

    async def login(self, request: Request, caller: Caller, protocol: Protocol) -> Login:
        """Raises Problem, StoreError."""
        token = bearer(request)
        caller = replace(caller, protocol=protocol)
        found = await self._logins.login(f"Bearer {token}", caller)
        if isinstance(found, Refused):
            raise Problem(Fault.BUSY if found.temporary else Fault.TOKEN, found.text, wait=10)
        grant, what = found.grant, f"{request.method} {request.url.path}"[:100]
        if grant.credential is None or self._agents.take(
            grant,
            found.account,
            found.address,
            what=what,
            address=caller.peer,
            protocol=protocol,
        ):
            return found
        raise Problem(Fault.TOO_MANY, "Too many requests of this login", wait=60)
