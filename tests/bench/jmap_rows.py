"""Email/query by JMAP: pages of a result that is known, over HTTP; ours alone."""

import atexit
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.imap_rows import BIG_COUNT, fill
from tests.bench.jmap_client import Client
from tests.bench.million import NUMBER, million
from tests.bench.rows import Row
from tests.bench.search_rows import WORD
from tests.bench.sides import Ours, Side

BASE = Path(__file__).parents[2] / "var" / "bench" / "million"

_PAGES = 5_000
_PAGE = 60
_numbers = itertools.count(1)
NEWEST: dict[str, Any] = {"sort": [{"property": "receivedAt", "isAscending": False}]}


def pages(side: Side) -> float:
    """Requests for the first page of 10,000 Emails, by second of the server's CPU."""
    if not side.ours:
        return 0.0
    client = Client(side, 1)
    asked = {**NEWEST, "position": 0, "limit": _PAGE, "calculateTotal": True}
    found = client.call("Email/query", **asked)
    assert (len(found["ids"]), found["total"]) == (_PAGE, BIG_COUNT), found
    del asked["calculateTotal"]
    request = client.request("Email/query", **asked)
    length = len(client.exchange(request))
    before = side.cpu()
    for _ in range(_PAGES):
        assert len(client.exchange(request)) == length
    taken = side.cpu() - before
    client.close()
    return _PAGES / taken


class _Million:
    """A server of its own, started for the first of these rows."""

    def __init__(self) -> None:
        self._ours: Ours | None = None
        self._client: Client | None = None

    def client(self) -> Client:
        if self._client is None:
            self._ours = million(BASE)
            atexit.register(self._ours.stop)
            self._client = Client(self._ours.start(), NUMBER)
        return self._client

    def first_page(self, **filter_: Any) -> Callable[[Side], float]:
        """Milliseconds of the first page of a search that nobody asked for before."""

        def run(side: Side) -> float:
            if not side.ours:
                return 0.0
            client = self.client()
            # each is another question: none is known
            asked = {"operator": "AND", "conditions": [filter_, {"minSize": next(_numbers)}]}
            request = client.request("Email/query", **NEWEST, filter=asked, limit=60)
            begin = time.perf_counter()
            client.exchange(request)
            return (time.perf_counter() - begin) * 1000

        return run

    def load(self, side: Side) -> None:
        """The account's table is in memory, and what was looked up last of the index."""
        if side.ours:
            client = self.client()
            for _ in range(2):
                client.call("Email/query", **NEWEST, filter={"text": WORD}, limit=1)


_million = _Million()
ROWS = [
    Row("Email/query, a known page of 60", "req/s a core", pages, least=1000, prepare=fill),
    *(
        Row(
            f"Email/query in a million, {name}",
            "ms",
            _million.first_page(**filter_),
            limit=100,
            prepare=_million.load,
        )
        for name, filter_ in (
            ("by subject", {"subject": WORD}),
            ("by body", {"body": WORD}),
            ("by text", {"text": WORD}),
            ("by keyword", {"hasKeyword": "$flagged"}),
            ("all", {}),
        )
    ),
]
