"""A server on both databases, with two users and an administrator."""

from collections.abc import Iterator

import pytest

from tests.support.directories import database_of_module
from tests.support.rest import ADA, BOB, ROOT, Rest
from tests.support.server import PASSWORD, ServerProcess, configuration

EXTRA = """[http]
trusted_proxies = ["127.0.0.0/8"]
cors_origins = ["https://app.example.test"]
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with database_of_module(request.param) as database:
        folder = tmp_path_factory.mktemp("rest")
        with ServerProcess(folder, configuration(database=database, extra=EXTRA)) as running:
            for address in (ADA, BOB):
                running.perform("account.add", address=address, password=PASSWORD)
            running.perform("account.add", address=ROOT, password=PASSWORD, admin=True)
            yield running


@pytest.fixture(scope="module")
def ada(server: ServerProcess) -> Rest:
    return Rest(server, ADA)


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Rest:
    return Rest(server, BOB)


@pytest.fixture(scope="module")
def root(server: ServerProcess) -> Rest:
    return Rest(server, ROOT)
