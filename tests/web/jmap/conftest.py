"""A server on both databases, with a client of JMAP and one of IMAP."""

import imaplib
from collections.abc import Iterator

import pytest

from tests.support.directories import database_of_module
from tests.support.jmap import ADA, BOB, Jmap, basic
from tests.support.server import PASSWORD, ServerProcess, configuration

PROXY = '[http]\ntrusted_proxies = ["127.0.0.0/8"]\n'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with database_of_module(request.param) as database:
        folder = tmp_path_factory.mktemp("jmap")
        with ServerProcess(folder, configuration(database=database, extra=PROXY)) as running:
            for address in (ADA, BOB):
                running.perform("account.add", address=address, password=PASSWORD)
            yield running


@pytest.fixture(scope="module")
def imap(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    client.logout()


@pytest.fixture(scope="module")
def jmap(server: ServerProcess) -> Jmap:
    return Jmap(server, basic())
