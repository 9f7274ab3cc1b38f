"""`.mailserver`: the small text file of a Maildir folder that lets the index be rebuilt.

It holds what file names cannot: mailbox id, UIDVALIDITY, the ceiling of UIDs given, keywords. The
account's `.mailserver-account` in INBOX holds what no folder has. docs/store.md lists the lines.
Invariants: a file is replaced whole and is durable on return; the UID ceiling and modseq never sink
for one mailbox id; two writers exclude each other by flock on the folder itself.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from storage.maildir_names import decode_utf7, encode_utf7
from storage.values import MailboxId

FOLDER_FILE = ".mailserver"
ACCOUNT_FILE = ".mailserver-account"
FORMAT = 1
MODSEQ_LAG = 1_000
"""How far a file's modseq may stay behind the index, so that not every change rewrites it."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class FolderFileDamaged(ValueError):
    """The file cannot be read as this version's; `repair` goes on with the names alone."""


@dataclass(frozen=True, slots=True)
class FolderFile:
    """One folder. `letters[0]` is the keyword of file name letter `a`, at most 26 of them.

    `uid_ceiling` is the highest UID that may have been given. `extra` holds, by UID, the keywords
    that have no letter. `special_use` is an attribute such as `\\Sent`, or "".
    """

    mailbox: MailboxId
    uidvalidity: int
    uid_ceiling: int = 0
    modseq: int = 0
    special_use: str = ""
    subscribed: bool = True
    letters: tuple[str, ...] = ()
    extra: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountFile:
    """What belongs to the account: its highest modseq and UIDVALIDITY, and subscriptions to names
    that have no folder (RFC 9051 §6.3.7 allows them).
    """

    modseq: int = 0
    uidvalidity: int = 0
    subscriptions: tuple[str, ...] = ()


def read_folder(folder: Path) -> FolderFile | None:
    """The folder's file, or None when there is none. Raises FolderFileDamaged."""
    lines = _read(folder / FOLDER_FILE, "mailserver-folder")
    return None if lines is None else _parse_folder(lines)


def read_account(root: Path) -> AccountFile | None:
    """The account's file, or None when there is none. Raises FolderFileDamaged."""
    lines = _read(root / ACCOUNT_FILE, "mailserver-account")
    return None if lines is None else _parse_account(lines)


def update_folder(folder: Path, change: Callable[[FolderFile | None], FolderFile]) -> FolderFile:
    """Replaces the folder's file by `change(what stands there)`; returns what stands then.

    Ceiling and modseq keep the greater value while the mailbox id stays. A damaged file counts as
    none. Blocks for the disk: call it in a thread.
    """
    with _locked(folder):
        with suppress(FolderFileDamaged):
            return _put_folder(folder, read_folder(folder), change)
        return _put_folder(folder, None, change)


def raise_ceiling(folder: Path, identity: FolderFile) -> FolderFile:
    """Makes `identity.uid_ceiling` durable before a UID below it is given."""

    def change(old: FolderFile | None) -> FolderFile:
        if old is None or old.mailbox != identity.mailbox:
            return identity
        return replace(old, uidvalidity=identity.uidvalidity, uid_ceiling=identity.uid_ceiling)

    return update_folder(folder, change)


def update_account(root: Path, change: Callable[[AccountFile], AccountFile]) -> AccountFile:
    """Replaces the account's file; its numbers never sink. Blocks for the disk."""
    with _locked(root):
        try:
            old = read_account(root)
        except FolderFileDamaged:
            old = None
        made = change(old or AccountFile())
        if old is not None:
            made = replace(
                made,
                modseq=max(made.modseq, old.modseq),
                uidvalidity=max(made.uidvalidity, old.uidvalidity),
            )
        if made != old:
            _write(root, ACCOUNT_FILE, _format_account(made))
        return made


def _put_folder(
    folder: Path, old: FolderFile | None, change: Callable[[FolderFile | None], FolderFile]
) -> FolderFile:
    made = change(old)
    if old is not None and old.mailbox == made.mailbox:
        made = replace(
            made,
            uid_ceiling=max(made.uid_ceiling, old.uid_ceiling),
            modseq=max(made.modseq, old.modseq),
        )
    if made != old:
        _write(folder, FOLDER_FILE, _format_folder(made))
    return made


def _format_folder(value: FolderFile) -> str:
    lines = [
        f"mailserver-folder {FORMAT}",
        f"mailbox {value.mailbox}",
        f"uidvalidity {value.uidvalidity}",
        f"uid-ceiling {value.uid_ceiling}",
        f"modseq {value.modseq}",
        f"special-use {value.special_use or '-'}",
        f"subscribed {'yes' if value.subscribed else 'no'}",
    ]
    lines += [f"letter {a} {word}" for a, word in zip(LETTERS, value.letters, strict=False)]
    lines += [f"keywords {uid} {' '.join(words)}" for uid, words in sorted(value.extra.items())]
    return "\n".join([*lines, "end\n"])


def _format_account(value: AccountFile) -> str:
    lines = [
        f"mailserver-account {FORMAT}",
        f"modseq {value.modseq}",
        f"uidvalidity {value.uidvalidity}",
    ]
    lines += [f"subscription {encode_utf7(name)}" for name in sorted(value.subscriptions)]
    return "\n".join([*lines, "end\n"])


def _parse_folder(lines: list[tuple[str, str]]) -> FolderFile:
    one = dict(lines)
    try:
        return FolderFile(
            mailbox=MailboxId(int(one["mailbox"])),
            uidvalidity=int(one["uidvalidity"]),
            uid_ceiling=int(one["uid-ceiling"]),
            modseq=int(one["modseq"]),
            special_use="" if one["special-use"] == "-" else one["special-use"],
            subscribed=one["subscribed"] == "yes",
            letters=tuple(rest.split(" ", 1)[1] for key, rest in lines if key == "letter"),
            extra=dict(_extra(rest) for key, rest in lines if key == "keywords"),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise FolderFileDamaged(f"damaged folder file: {error}") from error


def _extra(rest: str) -> tuple[int, tuple[str, ...]]:
    uid, _, words = rest.partition(" ")
    return int(uid), tuple(words.split(" "))


def _parse_account(lines: list[tuple[str, str]]) -> AccountFile:
    one = dict(lines)
    try:
        return AccountFile(
            modseq=int(one["modseq"]),
            uidvalidity=int(one["uidvalidity"]),
            subscriptions=tuple(decode_utf7(rest) for key, rest in lines if key == "subscription"),
        )
    except (KeyError, ValueError) as error:
        raise FolderFileDamaged(f"damaged account file: {error}") from error


def _read(path: Path, kind: str) -> list[tuple[str, str]] | None:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise FolderFileDamaged(f"{path.name} is not UTF-8") from error
    lines = [(key, rest) for key, _, rest in (line.partition(" ") for line in text.split("\n"))]
    if lines[0] != (kind, str(FORMAT)) or lines[-2:] != [("end", ""), ("", "")]:
        raise FolderFileDamaged(f"{path.name} is cut short or of another version")
    return lines[1:-2]


def _write(folder: Path, name: str, text: str) -> None:
    """O_EXCL, flush, rename, flush of the folder: the one place where a rename overwrites."""
    spare = folder / f"{name}.tmp"
    spare.unlink(missing_ok=True)
    fd = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
        os.fdatasync(fd)
    finally:
        os.close(fd)
    spare.replace(folder / name)
    _flush(folder)


def _flush(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
