"""docs/architecture.md names modules, interfaces and tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "architecture.md").read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_there_are_components() -> None:
    assert {"Gateway", "Service registry", "AuthService"} <= {row[0] for row in rows()}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0].replace(" ", "-"))
def test_a_component_is_there(row: list[str]) -> None:
    _, modules, interface, tests = row
    first, *others = re.findall(r"`([^`]+)`", modules)
    assert all((ROOT / path).is_file() for path in (first, *others)), modules
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert all((ROOT / path).is_file() and path.startswith("tests/") for path in named), tests
    code = (ROOT / first).read_text("utf-8")
    assert re.search(rf"^(class|def|async def) {interface.strip('`')}\b", code, re.M), interface
