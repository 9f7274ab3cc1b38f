"""One session: what it announces and takes.

What is on the wire and when to read belongs to connection.py, what a command does to commands.py.
"""

from typing import TYPE_CHECKING

from imap.base_session import BaseSession
from imap.managesieve.capabilities import Stage, announce
from imap.managesieve.context import Context
from storage.credential_values import Protocol

if TYPE_CHECKING:
    from imap.managesieve.connection import Connection


class Session(BaseSession[Context, "Connection"]):
    """What the server knows of one client."""

    __slots__ = ()

    protocol = Protocol.SIEVE
    connection: "Connection"

    def capabilities(self) -> bytes:
        """What is announced at this stage."""
        context = self.context
        owner = "" if self.login is None else self.login.address
        stage = Stage(self.connection.tls, context.tls is not None, self.mechanisms, owner)
        return announce(stage, context.language)
