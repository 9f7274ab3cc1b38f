"""IMAP, JMAP and REST take turns on one account: after each step all show the same.

JMAP is followed by /changes alone, so that what it forgets to tell is found.
"""

import imaplib
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.directories import database_of_module
from tests.support.jmap import Jmap, basic
from tests.support.protocol_steps import ByImap, ByJmap, ByRest, Log, Step
from tests.support.rest import Rest
from tests.support.server import PASSWORD, ServerProcess, configuration

number = st.integers(0, 11)
steps = st.lists(st.tuples(st.integers(0, 43), number, number, number), min_size=12, max_size=20)
_accounts = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    with database_of_module(request.param) as database:
        folder = tmp_path_factory.mktemp("agree")
        with ServerProcess(folder, configuration(database=database)) as running:
            yield running


@given(steps)
@settings(
    max_examples=8,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_all_protocols_show_the_same(server: ServerProcess, chosen: list[Step]) -> None:
    address = f"user{next(_accounts)}@example.test"
    server.perform("account.add", address=address, password=PASSWORD)
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as client:
        client.login(address, PASSWORD)
        imap, jmap = ByImap(client), ByJmap(Jmap(server, basic(address)))
        rest = ByRest(Rest(server, address))
        actions = [
            (name, one)
            for name, steps in (("imap", imap), ("jmap", jmap), ("rest", rest))
            for one in steps.steps()
        ]
        log = Log()
        for step in chosen:
            log.do(step, *actions[step[0] % len(actions)])
            expected = imap.view()
            for name, told in (("jmap", jmap.view()), ("rest", rest.view())):
                assert told.emails == expected.emails, (name, log.lines)
                assert told.boxes == expected.boxes, (name, log.lines)
