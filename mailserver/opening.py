"""Opens and closes what every operation works on, with a serving process and without.

Invariant: imports no listener, filter of received mail or background task; those are in
mailserver/wiring.py, so that a command without a server starts quickly.
"""

import contextlib
from pathlib import Path

from auth.login import Authenticator
from auth.sources import Sources
from config.clock import SystemClock
from config.logging import get_logger
from config.settings import Settings
from filters.autotags.auto_tags import AutoTags
from filters.signing.keyring import Keyring
from filters.signing.signer import Signer
from filters.spam.learned import Learned
from mailserver.services import Services
from net.dns import Resolver
from net.threads import Offload
from storage.blobs import Blobs
from storage.cache.opening import make_cache
from storage.directory import Directory
from storage.dkim_keys import DkimKeys
from storage.drive_store import DriveStore
from storage.explain import ExplainStore
from storage.history_database import HistoryDatabase
from storage.quarantine import Quarantine
from storage.reputation import Reputation
from storage.spam_lessons import SpamLessons
from storage.store import Store
from storage.tag_models import TagModels


async def open_services(config_path: Path, settings: Settings) -> Services:
    """Opens the databases under the store's lock. Raises StoreError."""
    clock = SystemClock()
    offload = Offload()
    cache = make_cache(settings.store.cache, clock)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = settings.store.database.get_secret_value()
    async with contextlib.AsyncExitStack() as opened:
        opened.callback(offload.close)
        store = await Store.open(
            settings.data_dir,
            settings.store.maildir,
            database,
            offload,
            clock,
            settings.hostname,
            search_memory=settings.store.search_memory,
        )
        opened.push_async_callback(store.close)
        directory = await Directory.open(settings, clock, offload)
        opened.push_async_callback(directory.close)
        blobs = Blobs(settings.data_dir, directory.database, clock, offload)
        await blobs.open()
        history = await HistoryDatabase.open(database, settings.data_dir, offload)
        opened.pop_all()
    sources = Sources(settings, directory, store, offload, clock)
    keyring = Keyring(DkimKeys(directory.database), clock, offload, get_logger("dkim"))
    return Services(
        config_path=config_path,
        settings=settings,
        log=get_logger("server"),
        clock=clock,
        offload=offload,
        store=store,
        directory=directory,
        blobs=blobs,
        drive=DriveStore.of(directory.database, blobs, clock),
        history=history,
        auto_tags=AutoTags(directory, TagModels(history), offload),
        reputation=Reputation(history, clock),
        learned=Learned(SpamLessons(history, clock), offload, get_logger("spam")),
        explain=ExplainStore(
            history, clock, offload, keep=settings.explain.keep, size=settings.explain.size
        ),
        quarantine=Quarantine(
            settings.data_dir,
            history,
            clock,
            offload,
            keep=settings.quarantine.keep,
            size=settings.quarantine.size,
        ),
        sources=sources,
        auth=Authenticator(settings, directory, offload, clock, sources),
        resolver=Resolver(settings.dns.nameservers),
        cache=cache,
        keyring=keyring,
        signer=Signer(settings, directory, keyring, offload, clock),
    )


async def close_services(services: Services) -> None:
    """Closes in the opposite order; what was queued for the store is finished first."""
    await services.auth.close()
    await services.sources.close()
    await services.store.close()
    await services.learned.stop()
    await services.reputation.close()
    await services.quarantine.close()
    await services.explain.close()
    await services.history.close()
    await services.drive.close()
    await services.directory.close()
    services.offload.close()
