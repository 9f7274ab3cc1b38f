"""`mailserver repair`: the index rebuilt while no server runs, then opened once to try it.

config.db is read (which accounts there are, their quotas) and never written.
"""

import asyncio
from pathlib import Path
from typing import Any

from config.clock import SystemClock
from config.settings import Settings
from mailserver.control import Progress
from mailserver.operations.errors import OperationError, in_one_line
from net.threads import Offload
from storage.directory import Directory
from storage.errors import StoreError
from storage.repair import RepairReport, repair_index
from storage.store import Store
from storage.values import AccountId

Accounts = dict[str, AccountId]
Limits = dict[AccountId, tuple[int, int]]


def run_repair(
    _path: Path, settings: Settings, address: str | None, progress: Progress
) -> dict[str, Any]:
    """Repairs all accounts or one; gives the figures of RepairReport. Raises OperationError."""
    return asyncio.run(_repair(settings, address, progress))


async def _repair(settings: Settings, address: str | None, progress: Progress) -> dict[str, Any]:
    offload = Offload()
    try:
        accounts, limits = await _accounts(settings, offload)
        only = None
        if address is not None:
            only = accounts.get(address.lower())
            if only is None:
                raise OperationError(f"no such account: {address}")
        report = await _rebuild(settings, offload, limits, only, progress)
        await _finish(settings, offload, limits)
        return report.as_dict()
    except StoreError as error:
        raise OperationError(str(error)) from error
    except PermissionError as error:
        raise OperationError(in_one_line(error)) from error
    finally:
        offload.close()


async def _accounts(settings: Settings, offload: Offload) -> tuple[Accounts, Limits]:
    directory = await Directory.open(settings, SystemClock(), offload)
    try:
        known = await directory.accounts()
    finally:
        await directory.close()
    return (
        {one.address.lower(): one.id for one in known},
        {one.id: (one.quota_bytes, one.quota_messages) for one in known},
    )


async def _rebuild(
    settings: Settings, offload: Offload, limits: Limits, only: AccountId | None, progress: Progress
) -> RepairReport:
    return await repair_index(
        settings.data_dir,
        settings.store.maildir,
        settings.store.database.get_secret_value(),
        offload,
        SystemClock(),
        settings.hostname,
        limits=limits,
        only=only,
        progress=progress,
    )


async def _finish(settings: Settings, offload: Offload, limits: Limits) -> None:
    """Opens the store as a start would, makes what accounts lack, and lets the mirror finish."""
    store = await Store.open(
        settings.data_dir,
        settings.store.maildir,
        settings.store.database.get_secret_value(),
        offload,
        SystemClock(),
        settings.hostname,
    )
    try:
        for number, (octets, messages) in limits.items():
            await store.add_account(number, limit_bytes=octets, limit_messages=messages)
        await store.mirror.settle(everything=True)
    finally:
        await store.close()
