"""Twenty random clients in three shared mailboxes: no model ever differs from the server's."""

import random
from pathlib import Path

import pytest

from tests.system.consistency import consistent


@pytest.mark.timeout(150)
def test_twenty_clients_never_disagree(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    print(consistent(tmp_path / "server", 40, seed))
