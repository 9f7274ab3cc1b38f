"""What every connection of the ManageSieve server shares: its parts and its limits."""

from dataclasses import dataclass, field

from auth.admission import Admission
from auth.login import Authenticator
from config.logging import Logger
from config.settings import Settings
from filters.scripts import Language
from net.tls import TlsContexts
from storage.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds on waiting, in seconds: until the login, between two commands (RFC 5804 §1.2: 30
    minutes at least), until a command has come as a whole, until what was sent is read.
    """

    login: float = 60.0
    idle: float = 1800.0
    command: float = 300.0
    write: float = 300.0
    handshake: float = 30.0
    farewell: float = 5.0

    @property
    def shortest(self) -> float:
        """The first of them that may be over."""
        return min(self.login, self.idle, self.command, self.write)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds on what clients may make the server hold or do. `held` counts the octets of all
    scripts that are on their way.
    """

    connections: int = 2_000
    bad_commands: int = 20
    anonymous_commands: int = 50
    input_buffer: int = 64 * 1024
    write_buffer: int = 64 * 1024
    held: int = 32 * 1024 * 1024


@dataclass(slots=True)
class Context:
    """Built once by the server. `held` is what Bounds.held bounds."""

    settings: Settings
    authenticator: Authenticator
    scripts: Scripts
    tls: TlsContexts | None
    log: Logger
    language: Language
    admission: Admission
    timing: Timing = Timing()
    bounds: Bounds = Bounds()
    held: int = field(default=0)
