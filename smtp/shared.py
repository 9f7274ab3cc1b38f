"""What all sessions of a server work with."""

from dataclasses import dataclass

from auth.admission import Admission
from auth.login import Authenticator
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.delivery import Delivery
from filters.pipeline import Pipeline
from filters.quota import Quotas
from filters.record import Recorder
from filters.submitting import Submitting
from net.threads import Offload
from smtp.manners import Manners
from storage.directory import Directory
from storage.store import Store


@dataclass(slots=True)
class Shared:
    """`settings` is replaced on reload."""

    settings: Settings
    pipeline: Pipeline
    delivery: Delivery
    authenticator: Authenticator
    directory: Directory
    store: Store
    clock: Clock
    quotas: Quotas
    submitting: Submitting
    offload: Offload
    manners: Manners
    admission: Admission
    recorder: Recorder
    log: Logger
