"""The parts that operations and listeners work on, opened once in mailserver/opening.py."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from auth.login import Authenticator
from auth.sources import Sources
from config.clock import Clock
from config.logging import Logger
from config.reach import Reach, reach_of
from config.settings import Settings
from filters.autotags.auto_tags import AutoTags
from filters.signing.keyring import Keyring
from filters.signing.signer import Signer
from filters.spam.learned import Learned
from net.dns import Resolver
from net.threads import Offload
from storage.blobs import Blobs
from storage.cache.cache import Cache
from storage.directory import Directory
from storage.drive_store import DriveStore
from storage.explain import ExplainStore
from storage.history_database import HistoryDatabase
from storage.quarantine import Quarantine
from storage.reputation import Reputation
from storage.store import Store

if TYPE_CHECKING:
    from mailserver.serve import Server


@dataclass(slots=True)
class Services:
    """Everything an operation may use. `server` is None when a command works without one."""

    config_path: Path
    settings: Settings
    log: Logger
    clock: Clock
    offload: Offload
    store: Store
    directory: Directory
    blobs: Blobs
    drive: DriveStore
    history: HistoryDatabase
    auto_tags: AutoTags
    reputation: Reputation
    learned: Learned
    explain: ExplainStore
    quarantine: Quarantine
    sources: Sources
    auth: Authenticator
    resolver: Resolver
    cache: Cache
    keyring: Keyring
    signer: Signer
    server: "Server | None" = field(default=None)


def reached(services: Services) -> Reach:
    """Where the listeners are reached, with the ports that they have once they are bound."""
    bound = services.server.addresses if services.server is not None else None
    return reach_of(services.settings, bound)
