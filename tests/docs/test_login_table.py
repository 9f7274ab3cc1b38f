"""docs/auth.md shows which clients of others log in by what, as they are tested."""

from tests.interop.login_table import SECRETS, shown
from tests.support.server import ROOT


def test_the_table_of_the_documentation() -> None:
    """`.venv/bin/python -m tests.interop.login_table` prints it."""
    assert shown() in (ROOT / "docs" / "auth.md").read_text()


def test_no_mechanism_without_a_client() -> None:
    rows = {row.split(" | ")[0].strip("| "): row for row in shown().splitlines()[2:]}
    assert rows.keys() == SECRETS.keys()
    assert not [name for name, row in rows.items() if "|  |" in row]
