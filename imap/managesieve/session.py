"""One session: who it is and what it may, and the commands' way to the wire.

What is on the wire and when to read belongs to connection.py, what a command does to commands.py.
"""

from typing import TYPE_CHECKING

from auth.login import Login
from auth.policy import plaintext_allowed
from auth.sasl.registry import mechanisms
from imap.managesieve.capabilities import Stage, announce
from imap.managesieve.context import Context
from storage.values import AccountId

if TYPE_CHECKING:
    from imap.managesieve.connection import Connection


class Session:
    """What the server knows of one client."""

    __slots__ = ("_counted", "connection", "context", "login")

    def __init__(self, context: Context, connection: "Connection") -> None:
        self.context, self.connection = context, connection
        self.login: Login | None = None
        self._counted = False

    @property
    def account(self) -> AccountId:
        """The account that is logged in."""
        assert self.login is not None
        return self.login.account

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Those of AUTHENTICATE that are allowed on this connection."""
        connection = self.connection
        allowed = plaintext_allowed(connection.peer, connection.tls, self.context.settings)
        return mechanisms(connection.tls, allowed)

    def capabilities(self) -> bytes:
        """What is announced at this stage."""
        context = self.context
        owner = "" if self.login is None else self.login.address
        stage = Stage(self.connection.tls, context.tls is not None, self.mechanisms, owner)
        return announce(stage, context.language)

    def admit(self, login: Login) -> bool:
        """Counts the connection for the account, until `log_out`; False when it has too many."""
        self._counted = self.context.admission.log_in(login.account, self.connection.peer)
        return self._counted

    def log_in(self, login: Login) -> None:
        """The session is the account's from here on."""
        self.login = login
        self.context.log.info(
            "login",
            connection=self.connection.name,
            account=login.address,
            peer=self.connection.peer,
            tls=self.connection.tls,
        )
        self.connection.logged_in()

    def log_out(self) -> None:
        """Nobody's session; also when the connection is gone."""
        if self._counted and self.login is not None:
            self.context.admission.log_out(self.login.account)
        self._counted, self.login = False, None
