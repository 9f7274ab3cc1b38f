"""What every connection of the IMAP server shares: its parts and its limits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from auth.admission import Admission
from auth.login import Authenticator
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.recipients.imap_events import ImapEvents
from filters.sent import SentCopies
from filters.virus_scanner import VirusScanner
from imap import shared
from imap.compression import Holders
from imap.progress import Progress
from imap.sort_columns import SortCache
from net.threads import Offload
from net.tls import TlsContexts
from storage.directory import Directory
from storage.metadata import Metadata
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Timing(shared.Timing):
    """`still_here` is the interval of the untagged OK during IDLE, which keeps NAT tables and
    Outlook alive; `progress` the interval at which long commands are told of.
    """

    still_here: float = 120.0
    progress: float = 5.0

    @property
    def step(self) -> float:
        return min(self.write, self.still_here)


@dataclass(frozen=True, slots=True)
class Bounds(shared.Bounds):
    """Bounds on what one client may make the server hold or do."""

    connections: int = 20_000
    bad_commands: int = 20
    anonymous_commands: int = 50
    input_buffer: int = 256 * 1024
    write_buffer: int = 256 * 1024
    append_messages: int = 10_000
    contexts: int = 16
    context_members: int = 250_000
    saved: int = 5_000_000
    append_bytes: int = 2 * 1024**3


@dataclass(slots=True)
class Context:
    """Built once by the server; `web` tells where HTTPS is reached, such as https://mx.example.test,
    "" where it is not.
    """

    settings: Settings
    store: Store
    authenticator: Authenticator
    directory: Directory
    metadata: Metadata
    tls: TlsContexts | None
    clock: Clock
    offload: Offload
    log: Logger
    admission: Admission
    timing: Timing = Timing()
    bounds: Bounds = Bounds()
    background: set[asyncio.Task[None]] = field(default_factory=set)
    sent: SentCopies | None = None
    scanner: VirusScanner | None = None
    events: ImapEvents | None = None
    web: Callable[[], str] = lambda: ""
    sorts: SortCache = field(default_factory=SortCache)
    compressed: Holders = field(default_factory=Holders)
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.timing.progress)
