"""What every connection of the ManageSieve server shares: its parts and its limits."""

from dataclasses import dataclass, field

from auth.admission import Admission
from auth.login import Authenticator
from config.logging import Logger
from config.settings import Settings
from filters.scripts import Language
from imap import shared
from net.tls import TlsContexts
from storage.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Timing(shared.Timing):
    """`command` is how long a command may take to come as a whole."""

    command: float = 300.0

    @property
    def step(self) -> float:
        return min(self.write, self.command)


@dataclass(frozen=True, slots=True)
class Bounds(shared.Bounds):
    """`held` counts the octets of all scripts that are on their way."""

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
