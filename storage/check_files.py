"""Compares rows with files: each name on disk that the index knows is there, of the right size,
each message has one, and each file a row.

A sample for `mailserver check`, all for a store that was restored from a copy. Reads only; nothing
is mended here.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BindParameter, bindparam, select

from net.threads import Offload
from storage.database import Database
from storage.job import account_root
from storage.mirror_files import find
from storage.mirror_rows import all_accounts
from storage.repair_scan import scan_account
from storage.schema import blob, folder, message, place
from storage.statements import Query
from storage.values import AccountId, MailboxId

_CHUNK = 250
_ACCOUNT: BindParameter[int] = bindparam("account")
_ROWS = Query(
    lambda _: (
        select(place.c.mailbox, place.c.uid, folder.c.path, place.c.path, blob.c.stored)
        .select_from(
            place.join(
                folder,
                (folder.c.account == place.c.account) & (folder.c.mailbox == place.c.mailbox),
            ).join(blob, (blob.c.account == place.c.account) & (blob.c.id == place.c.blob))
        )
        .where(
            place.c.account == _ACCOUNT,
            (place.c.mailbox > bindparam("mailbox"))
            | ((place.c.mailbox == bindparam("mailbox")) & (place.c.uid > bindparam("uid"))),
        )
        .order_by(place.c.mailbox, place.c.uid)
        .limit(bindparam("most"))
    )
)
_NOWHERE = Query(
    lambda _: (
        select(message.c.mailbox, message.c.uid)
        .where(
            message.c.account == _ACCOUNT,
            ~select(place.c.uid)
            .where(place.c.account == message.c.account, place.c.blob == message.c.blob)
            .exists(),
        )
        .limit(bindparam("most"))
    )
)
_PLACES = Query(
    lambda _: select(place.c.blob, place.c.uid).where(
        place.c.account == _ACCOUNT, place.c.mailbox == bindparam("mailbox")
    )
)
_FOLDERS = Query(
    lambda _: select(folder.c.mailbox, folder.c.path).where(folder.c.account == _ACCOUNT)
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One message or file that is not as it should be; `what` is one line for the operator."""

    account: AccountId
    mailbox: MailboxId
    uid: int
    what: str


async def check_sample(
    database: Database, maildir: Path, offload: Offload, accounts: int = 20
) -> list[Problem]:
    """The first messages of some accounts: enough to see an index that is not of these files."""
    known = await all_accounts(database)
    chosen = known if len(known) <= accounts else random.sample(known, accounts)
    problems: list[Problem] = []
    for number in chosen:
        rows = await database.fetch(_ROWS, account=number, mailbox=0, uid=0, most=_CHUNK)
        problems += await offload.disk(_check_rows, account_root(maildir, number), number, rows)
    return problems


async def check_account(
    database: Database, maildir: Path, offload: Offload, number: AccountId
) -> list[Problem]:
    """Every message and every file of one account."""
    root = account_root(maildir, number)
    problems: list[Problem] = []
    box = uid = 0
    while rows := await database.fetch(_ROWS, account=number, mailbox=box, uid=uid, most=_CHUNK):
        box, uid = rows[-1][:2]
        problems += await offload.disk(_check_rows, root, number, rows)
    for box, uid in await database.fetch(_NOWHERE, account=number, most=_CHUNK):
        problems.append(Problem(number, MailboxId(box), uid, f"message {uid} has no file"))
    known: set[tuple[str, int, int]] = set()
    for box, path in await database.fetch(_FOLDERS, account=number):
        for found, uid in await database.fetch(_PLACES, account=number, mailbox=box):
            known.add((path, found, uid))
    return problems + await offload.disk(_check_folders, root, number, known)


def _check_rows(root: Path, number: AccountId, rows: Sequence[tuple[Any, ...]]) -> list[Problem]:
    problems = []
    for box, uid, folder_path, path, stored in rows:
        whole = f"{root / folder_path}/{path}"
        found = Path(whole) if Path(whole).exists() else Path(find(whole) or whole)
        try:
            size = found.stat().st_size
        except FileNotFoundError:
            what = f"the file {folder_path}/{path} is missing: restore it, or run repair"
        else:
            if size == stored:
                continue
            what = f"the file {folder_path}/{path} has {size} octets instead of {stored}"
        problems.append(Problem(number, MailboxId(box), uid, what))
    return problems


def _check_folders(
    root: Path, number: AccountId, known: set[tuple[str, int, int]]
) -> list[Problem]:
    return [
        Problem(
            number, MailboxId(0), 0, f"the file {folder.path}/{file.path} has no row: run repair"
        )
        for folder in scan_account(root).folders
        for file in folder.files
        if file.base is None or (folder.path, file.base.blob, file.base.uid) not in known
    ]
