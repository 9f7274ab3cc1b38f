"""What a command loads: with a running server nothing of it, so that it starts at once; without one
the store and its own operation, and nothing that listens or filters.
"""

import subprocess
import sys
from collections.abc import Iterator
from inspect import iscoroutinefunction, signature

import pytest

from mailserver.operations.registry import LONG, QUICK, load_all
from tests.support.server import MAILSERVER, ROOT, ServerProcess, configuration

HEAVY = {
    *("aiohttp", "aiosmtpd", "aiosqlite", "asyncpg", "bcrypt", "cryptography", "dkim", "dns"),
    *("sqlalchemy", "starlette", "structlog", "uvicorn", "uvloop"),
    *("auth", "filters", "imap", "net", "smtp", "web"),
}
LISTENING = {"aiohttp", "aiosmtpd", "dkim", "imap", "starlette", "uvicorn", "uvloop", "web"}
COMMANDS = [
    ("account", "list"),
    ("alias", "list"),
    ("block", "list"),
    ("domain", "list"),
    ("queue", "list"),
    ("queue", "shape"),
    ("report", "list"),
    ("reload",),
]
ALONE = [
    ("account", "list"),
    ("domain", "add", "more.test"),
    ("queue", "list"),
    ("report", "list"),
]


def imported(server: ServerProcess, *arguments: str) -> set[str]:
    """Every module that a command loads, by its full name."""
    done = subprocess.run(
        [*MAILSERVER, "--config", str(server.config), *arguments],
        capture_output=True,
        text=True,
        env={**server.environment, "PYTHONPROFILEIMPORTTIME": "1"},
        timeout=60,
        check=True,
    )
    lines = done.stderr.splitlines()
    return {line.split("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("start"), configuration()) as running:
        yield running


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_loads_nothing_of_the_server(
    server: ServerProcess, command: tuple[str, ...]
) -> None:
    loaded = imported(server, *command)
    assert "mailserver.cli.main" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in HEAVY}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    return ServerProcess(tmp_path_factory.mktemp("alone"), configuration())


@pytest.mark.parametrize("command", ALONE, ids=" ".join)
def test_a_command_without_a_server_loads_only_what_it_works_with(
    alone: ServerProcess, command: tuple[str, ...]
) -> None:
    loaded = imported(alone, *command)
    assert {"sqlalchemy", "storage.store"} <= loaded
    assert not {name for name in loaded if name.partition(".")[0] in LISTENING}
    assert not {"mailserver.wiring", "smtp.engine", "smtp.server", "filters.delivery"} & loaded
    assert not {"filters.spam.reading", "filters.spam.tokens"} & loaded


def test_a_server_has_loaded_what_operations_for_an_account_need() -> None:
    program = "import sys; from mailserver.operations import registry; registry.load_all()"
    program += "; print('mailserver.operations.permitted' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "True\n"


def test_every_operation_is_there() -> None:
    found = load_all()
    assert found.keys() == QUICK.keys() | LONG.keys()
    for name, function in found.items():
        assert iscoroutinefunction(function)
        assert len(signature(function).parameters) == (3 if name in LONG else 2)
