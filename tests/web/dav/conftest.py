"""A server on both databases, and clients of CardDAV; each test has an account of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.support.dav import Dav
from tests.support.directories import database_of_module
from tests.support.jmap import basic
from tests.support.server import PASSWORD, ServerProcess, configuration

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with database_of_module(request.param) as database:
        folder = tmp_path_factory.mktemp("dav")
        with ServerProcess(folder, configuration(database=database)) as running:
            yield running
            wrong = [line for line in running.log if '"level":"error"' in line]
            assert not wrong, "\n".join(wrong)


@pytest.fixture
def address(server: ServerProcess) -> str:
    """Of an account that no other test uses."""
    made = f"user{next(_numbers)}@example.test"
    server.perform("account.add", address=made, password=PASSWORD)
    return made


@pytest.fixture
def dav(server: ServerProcess, address: str) -> Dav:
    return Dav(server, basic(address))


@pytest.fixture
def another(server: ServerProcess) -> Callable[[], Dav]:
    """Makes clients of further accounts."""

    def make() -> Dav:
        made = f"other{next(_numbers)}@example.test"
        server.perform("account.add", address=made, password=PASSWORD)
        return Dav(server, basic(made))

    return make
