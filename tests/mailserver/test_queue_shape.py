"""`queue shape` and the filters of `queue list`, by the command line with its exit status."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.queue_ages import MINUTES
from mailserver.operations.queue_shape import matching
from storage.queue_filter import QueueFilter
from storage.queue_values import Listed, ListedRecipient
from storage.values import QueueId
from tests.support.server import ServerProcess


def entry(number: int, sender: str, *recipients: str, state: str = "queued") -> Listed:
    rows = tuple(ListedRecipient(address, state, 0, None, "") for address in recipients)
    return Listed(QueueId(number), sender, state, 100, 0.0, rows)


ENTRIES = [
    entry(1, "ada@example.test", "a@one.test", "b@two.test"),
    entry(2, "eve@example.test", "a@one.test", state="held"),
    entry(3, "", "C@Two.test", state="deferred"),
]


async def ids(**args: Any) -> list[int]:
    state = args.pop("state", None)
    which = QueueFilter.of(**args)

    async def entries() -> AsyncIterator[Listed]:
        for one in ENTRIES:
            yield one

    return [int(one.id) async for one in matching(entries(), which, state)]


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({}, [1, 2, 3]),
        ({"sender": "ADA@example.test"}, [1]),
        ({"sender": "<>"}, [3]),
        ({"recipient": "a@one.test"}, [1, 2]),
        ({"domain": "two.test"}, [1, 3]),
        ({"state": "held"}, [2]),
        ({"domain": "one.test", "state": "queued"}, [1]),
        ({"domain": "three.test"}, []),
    ],
)
async def test_filters(args: dict[str, str], found: list[int]) -> None:
    assert await ids(**args) == found


async def test_unknown_state_is_an_error() -> None:
    with pytest.raises(OperationError, match="no state"):
        await ids(state="lost")


def test_commands(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    (total,) = server.json("queue", "shape")
    assert total == {
        "domain": "TOTAL",
        "recipients": 0,
        "octets": 0,
        "ages": [0] * (len(MINUTES) + 1),
    }
    assert server.json("queue", "shape", "--by-sender") == [total]
    assert server.json("queue", "list", "--domain", "x.test", "--state", "held") == []
    server.command("queue", "list", "--state", "lost", expect=1)
    server.command("queue", "shape", "extra", expect=2)
    assert "TOTAL" in server.command("queue", "shape").stdout
