"""`mailserver check` of DKIM: a probe signed with each key in use, verified by dkimpy with the
record that DNS serves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from config.settings import Settings
from mailserver.second_opinion import verifies
from message.date import format_date
from message.dkim_sign import sign
from message.dkim_signing_key import KeyUnusable, SigningKey, load_signing_key
from net.dns import DnsError, NoRecords, NoSuchName, Questions
from storage.config_database import ConfigDatabase
from storage.dkim_keys import DkimKeys, StoredKey

BODY = b"A probe of this key.\r\n"


@dataclass(frozen=True, slots=True)
class Findings:
    """How many keys are in use, what is wrong with them, a line each, and the names of those that
    wait to be published.
    """

    used: int
    faults: list[str]
    waiting: list[str]


async def look_at_keys(
    settings: Settings, resolver: Questions, is_public: Callable[[str], bool]
) -> Findings:
    """Keys of domains that are not public are held against their own record. Raises StoreError.
    Changes nothing.
    """
    keys, faults = await _keys(settings), []
    used = [key for key in keys if key.used is not None]
    for stored in used:
        try:
            key = load_signing_key(stored.private, stored.domain, stored.selector)
        except KeyUnusable as error:
            faults.append(f"{stored.selector}._domainkey.{stored.domain}: {error}")
            continue
        fault = await _fault(key, resolver if is_public(stored.domain) else None)
        if fault:
            faults.append(f"{key.name}: {fault}")
    waiting = [f"{key.selector}._domainkey.{key.domain}" for key in keys if key.used is None]
    return Findings(len(used), faults, waiting)


async def _keys(settings: Settings) -> list[StoredKey]:
    url = settings.store.database.get_secret_value()
    database = await ConfigDatabase.beside(url, settings.data_dir)
    if database is None:
        return []
    try:
        table = DkimKeys(database)
        found = [key for domain in await table.domains() for key in await table.of(domain)]
    finally:
        await database.close()
    return [key for key in found if key.retired is None]


async def _fault(key: SigningKey, resolver: Questions | None) -> str:
    texts = [key.record.encode()]
    if resolver is not None:
        try:
            texts = list(await resolver.txt(key.name))
        except (NoSuchName, NoRecords):
            return "no record in DNS"
        except DnsError as error:
            return str(error)
    if len(texts) != 1:
        return f"{len(texts)} records in DNS instead of one"
    return verifies(_probe(key), {key.name: texts[0]})


def _probe(key: SigningKey) -> bytes:
    now = datetime.now(UTC)
    header = (
        f"From: <postmaster@{key.domain}>\r\nTo: <postmaster@{key.domain}>\r\n"
        f"Subject: probe\r\nDate: {format_date(now)}\r\n"
    ).encode()
    (signature,) = sign(header, [BODY], [key], int(now.timestamp()))
    return signature + header + b"\r\n" + BODY
