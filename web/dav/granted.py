"""How much a login with a rate may do by CardDAV: each request is a command."""

from auth.agents import Agents
from auth.login_values import Login
from storage.credential_values import Protocol


class Granted:
    """`agents` counts for all protocols."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def take(self, login: Login, peer: str, what: str) -> bool:
        """Whether the login may do this now."""
        if login.grant.credential is None:
            return True
        return self._agents.take(
            login.grant,
            login.account,
            login.address,
            what=what,
            address=peer,
            protocol=Protocol.CARDDAV,
        )
