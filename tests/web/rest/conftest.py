"""A server on both databases, with two users and an administrator."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.directories import own_database
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
    with asyncio.Runner() as runner:
        opened = own_database(request.param)
        database = runner.run(opened.__aenter__())
        try:
            folder = tmp_path_factory.mktemp("rest")
            with ServerProcess(folder, configuration(database=database, extra=EXTRA)) as running:
                for address in (ADA, BOB):
                    running.perform("account.add", address=address, password=PASSWORD)
                running.perform("account.add", address=ROOT, password=PASSWORD, admin=True)
                yield running
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def ada(server: ServerProcess) -> Rest:
    return Rest(server, ADA)


@pytest.fixture(scope="module")
def bob(server: ServerProcess) -> Rest:
    return Rest(server, BOB)


@pytest.fixture(scope="module")
def root(server: ServerProcess) -> Rest:
    return Rest(server, ROOT)
