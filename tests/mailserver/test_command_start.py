"""What a command to a running server loads: of the server nothing, so that it starts at once."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import MAILSERVER, ServerProcess, configuration

HEAVY = {
    *("aiohttp", "aiosmtpd", "aiosqlite", "asyncpg", "bcrypt", "cryptography", "dkim", "dns"),
    *("sqlalchemy", "starlette", "structlog", "uvicorn", "uvloop"),
    *("auth", "filters", "imap", "net", "smtp", "web"),
}
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


def test_a_command_without_a_server_loads_what_it_works_with(tmp_path: Path) -> None:
    loaded = imported(ServerProcess(tmp_path, configuration()), "account", "list")
    assert {"sqlalchemy", "storage.store"} <= loaded
