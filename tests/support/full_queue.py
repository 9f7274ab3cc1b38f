"""A queue of any length, made by bulk inserts: rows alone, for what depends on their number."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, insert

from storage.schema import queue_message, queue_recipient

PIECE = 10_000


def fill(conn: Connection, count: int, *, now: float, due_every: int = 10) -> None:
    """So many messages of one recipient each: to many domains and a few large ones, by many
    senders; one in `due_every` is due, the others within four hours.
    """
    for start in range(0, count, PIECE):
        numbers = range(start, min(start + PIECE, count))
        conn.execute(insert(queue_message), list(_messages(numbers, now)))
        conn.execute(insert(queue_recipient), list(_recipients(numbers, now, due_every)))


def _messages(numbers: range, now: float) -> Iterator[dict[str, Any]]:
    for number in numbers:
        yield {
            "id": number + 1,
            "account": number % 1000,
            "sender": f"s{number % 1000}@example.test",
            "size": 4096,
            "queued_at": now - 3600,
            "path": f"{number + 1}.msg",
        }


def _recipients(numbers: range, now: float, due_every: int) -> Iterator[dict[str, Any]]:
    for number in numbers:
        domain = f"big{number % 7}.test" if number % 2 else f"d{number % 50_000}.test"
        late = 0.0 if number % due_every == 0 else 1.0 + number % 14_400
        yield {
            "queue": number + 1,
            "position": 0,
            "address": f"u{number}@{domain}",
            "domain": domain,
            "next_attempt": now + late,
            "attempts": 1,
            "last_reply": "450 4.2.0 later",
            "lane": f"09:={number % 1000}",
        }
