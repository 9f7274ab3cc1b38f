"""`mailserver import ...`: mail of other programs into an account of this server."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mailserver.control import Progress
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.importer.load import load
from storage.importer.maildir import read_maildir
from storage.importer.mbox import is_mbox, read_mbox
from storage.importer.mbox_folder import read_mbox_folder
from storage.importer.source import ImportRefused, SourceFolder


async def import_(
    services: Services, args: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Imports `args["path"]` (kind maildir or mbox) into `args["address"]`.

    Gives {address, folders, imported, skipped, unreadable, uids_kept}. Raises OperationError.
    """
    address, path = str(args["address"]), Path(str(args["path"]))
    account = await services.directory.account(address)
    if account is None:
        raise OperationError(f"no such account: {address}")
    read = {"maildir": read_maildir, "mbox": _read_mbox}[str(args["kind"])]
    progress(0, 0, f"reading {path}")
    try:
        folders = await services.offload.disk(read, path)
    except ImportRefused as error:
        raise OperationError(str(error)) from error
    except OSError as error:
        raise OperationError(f"{error.filename or path}: {error.strerror}") from error
    report = await load(services.store, services.offload, account.id, folders, progress)
    return {"address": account.address, **asdict(report)}


def _read_mbox(path: Path) -> list[SourceFolder]:
    """One file goes to INBOX, a folder of them to mailboxes of their names."""
    if path.is_dir():
        return read_mbox_folder(path)
    if not is_mbox(path):
        raise ImportRefused(f"{path} is not an mbox: it does not begin with a From line")
    return [read_mbox(path, "INBOX")]
