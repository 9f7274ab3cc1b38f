"""A store of a million messages: those of the search rows a hundred times over, as rows and as
segments of the word index. Their files stay as few as they were, so that only what the index
answers can be measured.
"""

import shutil
import sqlite3
from array import array
from pathlib import Path

from storage.search.build import Built, Old, merge_segments
from tests.bench import search_rows
from tests.bench.jmap_client import Client
from tests.bench.sides import Ours

TIMES = 100
NUMBER = 6
"""The account of the search rows."""

_SHIFT = 34


def million(base: Path) -> Ours:
    """The server, to be started; made once and kept."""
    if not (base / "ready").exists():
        shutil.rmtree(base, ignore_errors=True)
        ours = Ours(base)
        side = ours.start()
        try:
            search_rows.fill(side)
            client = Client(side, NUMBER)
            client.call("Email/query", collapseThreads=True)  # each has its thread
            client.close()
        finally:
            ours.stop()
        _multiply(base / "data")
        (base / "ready").touch()
    return Ours(base)


def _multiply(data: Path) -> None:
    shutil.rmtree(data / "views", ignore_errors=True)
    index = sqlite3.connect(data / "index.db")
    with index:
        ((account, box, count),) = index.execute(
            "SELECT account, id, messages FROM mailbox WHERE name = 'Words'"
        ).fetchall()
        ((last,),) = index.execute("SELECT max(id) FROM blob").fetchall()
        for copy in range(1, TIMES):
            shift = {"uid": copy * count, "blob": copy << _SHIFT, "last": last}
            for statement in (_BLOBS, _MESSAGES):
                index.execute(statement, {"account": account, "box": box, **shift})
        index.execute(
            "UPDATE mailbox SET messages = messages * :n, uidnext = uidnext + (:n - 1) * :count,"
            " unseen = unseen * :n, size = size * :n WHERE account = :account AND id = :box",
            {"n": TIMES, "count": count, "account": account, "box": box},
        )
        index.execute(
            "UPDATE mail_account SET used_messages = used_messages * :n,"
            " used_bytes = used_bytes * :n WHERE id = :account",
            {"n": TIMES, "account": account},
        )
        index.execute("UPDATE writer_state SET last_blob = last_blob + ?", (TIMES << _SHIFT,))
        index.execute("UPDATE threaded SET blob = blob + ?", (TIMES << _SHIFT,))
    index.close()
    _segments(sqlite3.connect(data / "search" / f"{account}.db"), account)


_BLOBS = """INSERT INTO blob SELECT account, id + :blob, size, stored, header_length, version,
 digest, meta, parts FROM blob WHERE account = :account AND id <= :last"""
_MESSAGES = """INSERT INTO message SELECT account, mailbox, uid + :uid, modseq, flags, keywords,
 internaldate + :uid, savedate, size, blob + :blob, thread + :uid FROM message
 WHERE account = :account AND mailbox = :box AND blob <= :last"""


def _segments(search: sqlite3.Connection, account: int) -> None:
    """One segment of all, and its like for each copy."""
    with search:
        olds = []
        for number, blobs, loose in search.execute(
            "SELECT id, blobs, loose FROM search_segment WHERE account = ? ORDER BY id", (account,)
        ).fetchall():
            parts = search.execute(
                "SELECT part, data FROM search_part WHERE account = ? AND segment = ?",
                (account, number),
            ).fetchall()
            olds.append(Old(array("Q", blobs), array("H", loose), tuple(parts), frozenset()))
        search.execute("DELETE FROM search_segment")
        search.execute("DELETE FROM search_part")
        _put(search, account, merge_segments(olds))


def _put(search: sqlite3.Connection, account: int, built: Built) -> None:
    for copy in range(TIMES):
        blobs = array("Q", [blob + (copy << _SHIFT) for blob in built.blobs])
        search.execute(
            "INSERT INTO search_segment VALUES (?, ?, ?, ?)",
            (account, copy + 1, blobs.tobytes(), built.loose.tobytes()),
        )
        for at, data in built.parts:
            row = (account, copy + 1, at, data)
            search.execute("INSERT INTO search_part VALUES (?, ?, ?, ?)", row)
