"""What the servers in imap/ give to each of their connections: parts and limits."""

from dataclasses import dataclass
from typing import Protocol

from auth.admission import Admission
from auth.login import Authenticator
from config.logging import Logger
from config.settings import Settings
from net.tls import TlsContexts


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds on waiting, in seconds: until the login, between two commands (RFC 9051 §5.4, RFC 5804
    §1.2: 30 minutes at least), until what was sent is read, for a TLS handshake, for the end.
    """

    login: float = 60.0
    idle: float = 1800.0
    write: float = 300.0
    handshake: float = 30.0
    farewell: float = 5.0

    @property
    def step(self) -> float:
        """The longest time between two looks at the clock."""
        return self.write

    @property
    def shortest(self) -> float:
        """The first of them that may be over."""
        return min(self.login, self.idle, self.step)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds on what one client, or all of them, may make the server hold or do."""

    connections: int
    bad_commands: int
    anonymous_commands: int
    input_buffer: int
    write_buffer: int


class Shared(Protocol):
    """Built once by a server."""

    settings: Settings

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def admission(self) -> Admission: ...

    @property
    def tls(self) -> TlsContexts | None: ...

    @property
    def log(self) -> Logger: ...

    @property
    def timing(self) -> Timing: ...

    @property
    def bounds(self) -> Bounds: ...
