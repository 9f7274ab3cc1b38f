"""What a session of each server in imap/ knows of its client: who it is, and that it is counted."""

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from auth.caller import Caller
from auth.channel import channel_of
from auth.grant import FULL, Grant
from auth.login_values import Login
from auth.sasl.channel import Channel
from imap.shared import Shared
from storage.credential_values import Protocol
from storage.values import AccountId

if TYPE_CHECKING:
    from imap.base_connection import BaseConnection

X = TypeVar("X", bound=Shared)
C = TypeVar("C", bound="BaseConnection[Any, Any, Any]")


class BaseSession(Generic[X, C]):
    """Invariant: a login that was admitted is counted until `close`, once."""

    __slots__ = ("_counted", "client", "connection", "context", "login")
    protocol: ClassVar[Protocol]

    def __init__(self, context: X, connection: C) -> None:
        self.context, self.connection = context, connection
        self.login: Login | None = None
        self.client = ""
        self._counted = False

    @property
    def account(self) -> AccountId:
        """The account that is logged in."""
        assert self.login is not None
        return self.login.account

    @property
    def grant(self) -> Grant:
        """What the login is good for."""
        return FULL if self.login is None else self.login.grant

    @property
    def takes_passwords(self) -> bool:
        """Whether a password may be sent here."""
        return self.channel.safe

    @property
    def channel(self) -> Channel:
        """What mechanisms of AUTHENTICATE must know of the connection."""
        connection = self.connection
        return channel_of(connection.tls_session, connection.peer, self.context.settings)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Those of AUTHENTICATE that may be used on the connection."""
        return self.context.authenticator.mechanisms(self.channel)

    @property
    def caller(self) -> Caller:
        """Who tries to log in; `client` is how it has called itself, if it did."""
        return Caller(self.connection.peer, self.protocol, self.connection.name, self.client)

    def admit(self, login: Login) -> bool:
        """Counts the connection for the account, until `close`; False when it has too many."""
        self._counted = self.context.admission.log_in(login.account, self.connection.peer)
        return self._counted

    def log_in(self, login: Login) -> None:
        """The session belongs to the account from here on."""
        self.login = login
        # as the connection's log would, in one step
        self.context.log.info(
            "login",
            connection=self.connection.name,
            account=login.address,
            peer=self.connection.peer,
            tls=self.connection.tls,
        )
        self.connection.logged_in()

    def log_out(self) -> None:
        """Nobody's session again, with nothing left of what the last one did."""
        self.connection.log.info("logout")
        self.close()
        self.login = None
        self.connection.logged_out()

    def close(self) -> None:
        """Lets go of everything; the connection is gone."""
        if self._counted and self.login is not None:
            self.context.admission.log_out(self.login.account)
        self._counted = False
