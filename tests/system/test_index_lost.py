"""index.db deleted, damaged or older than the files: the start refuses, `repair` restores it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.furnished import change, furnish
from tests.system.ledger import look
from tests.system.load import ACCOUNTS, put
from tests.system.peers import answers, imap, quoted, ready
from tests.system.snapshot import Snapshot, rises, take
from tests.system.victim import Victim

State = tuple[dict[str, Snapshot], list[dict[str, Any]], list[dict[str, Any]]]


def state(victim: Victim) -> State:
    """What must be the same: mail, queue, accounts."""
    kept = ("id", "sender", "size", "queued_at")
    rows = [
        {key: row[key] for key in kept} | {"to": [one["address"] for one in row["recipients"]]}
        for row in victim.control("queue.list")
    ]
    mail = {account: take(victim.ports["imap"], account) for account in ACCOUNTS}
    return mail, rows, victim.control("account.list")


def delete(index: Path, _old: Path) -> None:
    index.unlink()


def truncate(index: Path, _old: Path) -> None:
    with index.open("r+b") as file:
        file.truncate(index.stat().st_size // 2)


def empty(index: Path, _old: Path) -> None:
    index.write_bytes(b"")


def scribble(index: Path, _old: Path) -> None:
    """Pages in the middle hold something else."""
    with index.open("r+b") as file:
        for page in range(2, index.stat().st_size // 8192, 3):
            file.seek(page * 8192)
            file.write(b"\xa5" * 8192)


def overwrite(index: Path, _old: Path) -> None:
    index.write_bytes(b"This is no database." * 5000)


def older(index: Path, old: Path) -> None:
    shutil.copyfile(old, index)


DAMAGES = [delete, truncate, empty, overwrite, older]
Damage = Callable[[Path, Path], None]


@pytest.fixture
def furnished(victim: Victim, tmp_path: Path) -> Victim:
    """Serves; tmp_path/old.db is its index before the last changes."""
    victim.start()
    furnish(victim)
    victim.server.stop()
    shutil.copyfile(victim.server.data / "index.db", tmp_path / "old.db")
    victim.start()
    change(victim)
    return victim


def refuses(victim: Victim) -> None:
    """`serve` ends with 1 and one line that names the way out."""
    lines = victim.server.command("serve", expect=1).stderr.splitlines()
    assert "mailserver repair" in lines[-1], lines
    assert not [line for line in lines if "Traceback" in line]


@pytest.mark.parametrize("damage", DAMAGES)
def test_after_a_clean_stop_repair_restores_all(
    furnished: Victim, tmp_path: Path, damage: Damage
) -> None:
    before, queue, accounts = state(furnished)
    furnished.server.stop()
    damage(furnished.server.data / "index.db", tmp_path / "old.db")
    refuses(furnished)
    furnished.server.command("repair")
    furnished.start()
    mail, queue_after, accounts_after = state(furnished)
    for account in ACCOUNTS:
        rises(before[account], mail[account])
    assert queue_after == queue
    assert accounts_after == accounts
    assert furnished.complaints() == []
    furnished.server.stop()


def test_pages_overwritten_in_the_middle(furnished: Victim, tmp_path: Path) -> None:
    """A start may not see it; `check` does, and repair needs no index."""
    before, queue, accounts = state(furnished)
    furnished.server.stop()
    scribble(furnished.server.data / "index.db", tmp_path / "old.db")
    furnished.server.command("check", expect=1)
    furnished.server.command("repair")
    furnished.start()
    mail, queue_after, accounts_after = state(furnished)
    for account in ACCOUNTS:
        rises(before[account], mail[account])
    assert (queue_after, accounts_after) == (queue, accounts)
    furnished.server.stop()


@pytest.mark.parametrize("damage", [delete, older])
def test_after_a_kill_no_message_is_lost_and_no_uid_used_twice(
    victim: Victim, tmp_path: Path, damage: Damage
) -> None:
    victim.start()
    victim.server.stop()
    shutil.copyfile(victim.server.data / "index.db", tmp_path / "old.db")
    victim.start()
    victim.die_at_random(2.0)
    for name in ("index.db-wal", "index.db-shm"):
        (victim.server.data / name).unlink(missing_ok=True)
    damage(victim.server.data / "index.db", tmp_path / "old.db")
    refuses(victim)
    victim.server.command("repair")
    victim.start()
    standing = {one.token for one in look(victim.ports["imap"], ACCOUNTS)}
    surely = {token for token, record in victim.ledger.records.items() if all(record.states)}
    assert surely <= standing
    queued = victim.queued()
    assert [
        t for t, r in victim.ledger.records.items() if r.outside == {True} and not queued[t]
    ] == []
    append_everywhere(victim)
    victim.server.stop()


def append_everywhere(victim: Victim) -> None:
    """One message into each folder: the ledger refuses a UID that another message ever had."""
    places = {place for place, _, _ in victim.ledger.uids}
    for account, folder in places:
        token = f"after-{folder}"
        text = victim.ledger.new(token)
        attempt = victim.ledger.attempt([token], put((account, folder)))
        with imap(victim.ports["imap"], account) as client, attempt, answers():
            ready(client.append(quoted(folder), "", "", text))
    for one in look(victim.ports["imap"], ACCOUNTS):
        if one.token.startswith("after-"):
            victim.ledger.uid_given(one.place, one.uidvalidity, one.uid, one.token)
