"""What the tests of bad days share: a folder whose accounts are made, copied by each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.victim import Victim, prepared


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration and data of a server with accounts a and b, stopped."""
    folder = tmp_path_factory.mktemp("template") / "server"
    Victim(folder).make_accounts()
    return folder


@pytest.fixture
def victim(template: Path, tmp_path: Path) -> Iterator[Victim]:
    """Not started; killed at the end if it still runs."""
    with prepared(template, tmp_path / "server") as made:
        yield made
