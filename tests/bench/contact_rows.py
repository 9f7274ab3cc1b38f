"""What is waited for while an address is typed, in an account of 100,000 contacts, with config.db
in SQLite and in PostgreSQL.
"""

import asyncio
import atexit
import random
import shutil
import statistics
import tempfile
import time
from functools import cache, partial
from pathlib import Path

from config.clock import SystemClock
from config.settings import Settings
from message.jscontact import Card
from message.jscontact_writing import vcard_of
from message.vcard import V4, format_vcard
from net.threads import Offload
from storage.contact_service import ContactService
from storage.contact_values import Content
from storage.directory import Directory
from storage.values import AccountId
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.directories import make_settings
from tests.support.run import Postgres, find_binaries

COUNT = 100_000
_TYPED = ("a", "an", "xq", "kl mo", "example", "zzzz")


@cache
def _filled(database: str) -> Settings:
    """Filled once a run."""
    folder = Path(tempfile.mkdtemp(prefix="contacts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if database == "sqlite":
        settings = make_settings(folder)
    else:
        binaries = find_binaries()
        assert binaries is not None, "PostgreSQL is needed"
        server = Postgres(binaries)
        atexit.register(server.stop)
        settings = make_settings(folder, server.start())
    asyncio.run(_fill(settings))
    return settings


async def _fill(settings: Settings) -> None:
    offload, chance = Offload(processes=1), random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = ["".join(chance.choices(letters, k=6)) for _ in range(3000)]
    directory = await Directory.open(settings, SystemClock(), offload)
    try:
        account = (await directory.add_account("ada@example.test", "hash")).id
        service = ContactService(directory.contacts, offload)
        book = (await service.books.default(account)).id
        for start in range(0, COUNT, 500):
            cards = []
            for number in range(start, start + 500):
                card = _person(number, chance.choice(names), chance.choice(names))
                content = Content.of(card, format_vcard(vcard_of(card)), V4)
                cards.append((f"{number}.vcf", content))
            await service.cards.add_all(account, book, cards)
    finally:
        await directory.close()
        offload.close()


def _person(number: int, given: str, surname: str) -> Card:
    address = f"{given}.{surname}{number}@{surname}.example"
    emails = {"1": {"address": address}}
    name = {"full": f"{given} {surname}"}
    return {"@type": "Card", "version": "1.0", "uid": f"u{number}", "name": name, "emails": emails}


async def _complete(settings: Settings) -> float:
    offload = Offload(processes=1)
    directory = await Directory.open(settings, SystemClock(), offload)
    try:
        account = await directory.account("ada@example.test")
        assert account is not None
        return max([await _typed(directory, account.id, text) for text in _TYPED])
    finally:
        await directory.close()
        offload.close()


async def _typed(directory: Directory, account: AccountId, text: str) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        await directory.contacts.complete(account, text)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def completing(side: Side, database: str) -> float:
    """Milliseconds, of what is typed the slowest; nothing to compare with."""
    if side.name != "mailserver":
        return 0.0
    return asyncio.run(_complete(_filled(database)))


ROWS = [
    Row(
        "completion of an address, 100,000 contacts",
        "ms",
        partial(completing, database="sqlite"),
        limit=20,
    ),
    Row(
        "completion of an address, 100,000 contacts, PostgreSQL",
        "ms",
        partial(completing, database="postgresql"),
        limit=20,
    ),
]
