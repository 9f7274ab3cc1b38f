"""How much an agent may do by JMAP, and what it did, as imap/granted.py does for IMAP: each method
call is a command, and so is each download.
"""

from auth.agents import Agents
from storage.credential_values import Protocol
from web.jmap.context import Context
from web.jmap.errors import MethodError


class Granted:
    """`agents` counts for all protocols."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def take(self, context: Context, what: str) -> bool:
        """Whether the login may do this now."""
        login = context.login
        if login.grant.credential is None:
            return True
        return self._agents.take(
            login.grant,
            login.account,
            login.address,
            what=what,
            address=context.peer,
            protocol=Protocol.JMAP,
        )

    def call(self, context: Context, method: str) -> None:
        """Raises MethodError: the standard's word for "later"."""
        if not self.take(context, method):
            rate = context.login.grant.rate
            raise MethodError("serverUnavailable", f"you have {rate} method calls a minute")
