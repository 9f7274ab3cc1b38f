"""Services as operations get them, on a real store and directory, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from auth.login import Authenticator
from auth.sources import Sources
from config.clock import SystemClock
from config.logging import get_logger
from filters.autotags.auto_tags import AutoTags
from filters.signing.keyring import Keyring
from filters.signing.signer import Signer
from filters.spam.learned import Learned
from mailserver.services import Services
from net.dns import Resolver
from net.threads import Offload
from storage.blobs import Blobs
from storage.cache.memory import MemoryCache
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
from tests.support.directories import make_settings


@asynccontextmanager
async def open_test_services(folder: Path) -> AsyncIterator[Services]:
    """Everything below `folder`, closed at the end in the opposite order."""
    settings = make_settings(folder)
    settings.data_dir.mkdir()
    clock, offload = SystemClock(), Offload(processes=1)
    store = await Store.open(
        settings.data_dir,
        settings.data_dir / "mail",
        "sqlite",
        offload,
        clock,
        settings.hostname,
    )
    directory = await Directory.open(settings, clock, offload)
    blobs = Blobs(settings.data_dir, directory.database, clock, offload)
    await blobs.open()
    drive = DriveStore.of(directory.database, blobs, clock)
    history = await HistoryDatabase.open("sqlite", settings.data_dir, offload)
    reputation = Reputation(history, clock)
    learned = Learned(SpamLessons(history, clock), offload, get_logger("test"))
    explain = ExplainStore(history, clock, offload, keep=86400.0, size=1 << 30)
    quarantine = Quarantine(settings.data_dir, history, clock, offload, keep=86400.0, size=1 << 30)
    sources = Sources(settings, directory, store, offload, clock)
    auth = Authenticator(settings, directory, offload, clock, sources)
    keyring = Keyring(DkimKeys(directory.database), clock, offload, get_logger("test"))
    try:
        yield Services(
            config_path=folder / "mailserver.toml",
            settings=settings,
            log=get_logger("test"),
            clock=clock,
            offload=offload,
            store=store,
            directory=directory,
            blobs=blobs,
            drive=drive,
            history=history,
            auto_tags=AutoTags(directory, TagModels(history), offload),
            reputation=reputation,
            learned=learned,
            explain=explain,
            quarantine=quarantine,
            sources=sources,
            auth=auth,
            resolver=Resolver(),
            cache=MemoryCache(clock),
            keyring=keyring,
            signer=Signer(settings, directory, keyring, offload, clock),
        )
    finally:
        await auth.close()
        await sources.close()
        await learned.stop()
        await reputation.close()
        await explain.close()
        await drive.close()
        await history.close()
        await directory.close()
        await store.close()
        offload.close()
