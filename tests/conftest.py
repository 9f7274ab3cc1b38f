"""For every test: a blocking call of the project's code in an event loop fails it.

Only the store's key look-ups on its read-only connection, and reads of what the page cache holds,
may run in the loop; they are named here by file and function. (The writer of PostgreSQL has a loop
of its own: open_writer, transaction, run.) What a test calls without awaiting is its own affair.
"""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from tests.support import warm

# whole programs, whose files take longest: at the end only quick ones are left to share out
FIRST = ("system", "interop", "mailserver")
TESTS = str(Path(__file__).parent)
PACKAGES = [
    "auth", "config", "filters", "imap", "mailserver", "message", "net", "smtp", "storage", "web",
]  # fmt: skip
ALLOWED = {
    "storage/database.py": {
        "_cursor",
        "fetch_now",
        "fetch_some",
        "open_writer",
        "run",
        "transaction",
    },
    "storage/reads.py": {"read_cached"},
    # drivers that look for their files when they connect
    "sqlalchemy/dialects/sqlite/pysqlite.py": {"create_connect_args"},
    "asyncpg/connect_utils.py": {"_parse_connect_arguments", "_parse_connect_dsn_and_args"},
}


def pytest_configure() -> None:
    warm.allowed = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not set(FIRST).intersection(item.path.parts[-3:-1]))


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Watches the loop while the test runs."""
    watch = BlockBuster(PACKAGES)
    for function in watch.functions.values():
        function.can_block_predicate = _or_called_by_a_test(function.can_block_predicate)
        for file, names in ALLOWED.items():
            function.can_block_in(file, names)
    # executors and queues take short locks that nobody holds for long
    del watch.functions["threading.Lock.acquire"]
    watch.activate()
    yield watch
    watch.deactivate()


def _or_called_by_a_test(harmless: Callable[..., bool]) -> Callable[..., bool]:
    def check(*args: object, **kwargs: object) -> bool:
        return harmless(*args, **kwargs) or _called_by_a_test()

    return check


def _called_by_a_test() -> bool:
    """The innermost frame of a test called a plain function: nothing of the server waits."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        if (
            frame.f_back.f_code.co_filename.startswith(TESTS)
            and frame.f_code.co_filename != __file__
        ):
            return not frame.f_code.co_flags & inspect.CO_COROUTINE
        frame = frame.f_back
    return False
