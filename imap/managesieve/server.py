"""The ManageSieve listener."""

from typing import ClassVar

from auth.admission import Admission, Denied
from auth.login import Authenticator
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.scripts import Language
from imap.base_server import BaseServer
from imap.managesieve.connection import Connection
from imap.managesieve.context import Bounds, Context, Timing
from net.tls import TlsContexts
from storage.directory import Directory


class ManageSieveServer(BaseServer[Context, Connection]):
    """Listener `managesieve` (STARTTLS)."""

    listeners: ClassVar = {"managesieve": False}
    prefix, lingering, stopping = "sieve", 50, "TRYLATER"

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        directory: Directory,
        tls: TlsContexts | None,
        log: Logger,
        language: Language,
        admission: Admission,
        clock: Clock,
        *,
        timing: Timing | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        context = Context(
            settings,
            authenticator,
            directory.scripts,
            tls,
            log,
            language,
            admission,
            timing or Timing(),
            bounds or Bounds(),
        )
        super().__init__(context, directory, clock)

    @property
    def held(self) -> int:
        """Octets of scripts on their way."""
        return self._context.held

    def _make(self, name: str, peer: str) -> Connection:
        return Connection(self._context, name, self._opened, self._lost, peer)

    def _code(self, denied: Denied | None) -> str:
        return "" if denied is Denied.BLOCKED else "TRYLATER"
