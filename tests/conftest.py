"""For every test: a blocking call of the project's code in an event loop fails it.

Only the store's key look-ups on its read-only connection, and reads of what the page cache holds,
may run in the loop; they are named here by file and function. (open_writer runs a loop of its own.)
"""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

PACKAGES = [
    "auth", "config", "filters", "imap", "mailserver", "message", "net", "smtp", "storage", "web",
]  # fmt: skip
ALLOWED = {
    "storage/database.py": {"_cursor", "fetch_now", "fetch_some", "open_writer", "transaction"},
    "storage/reads.py": {"read_cached"},
    # drivers that look for their files when they connect
    "sqlalchemy/dialects/sqlite/pysqlite.py": {"create_connect_args"},
    "asyncpg/connect_utils.py": {"_parse_connect_arguments", "_parse_connect_dsn_and_args"},
}


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Watches the loop while the test runs."""
    with blockbuster_ctx(PACKAGES) as watch:
        # executors and queues take short locks that nobody holds for long
        watch.functions["threading.Lock.acquire"].deactivate()
        for function in watch.functions.values():
            for file, names in ALLOWED.items():
                function.can_block_in(file, names)
        yield watch
