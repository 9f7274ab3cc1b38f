"""docs/rfc-index.tsv names code and tests that exist, and every RFC that the code names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATUS = {"full", "partial", "none"}
PACKAGES = (
    *("mailserver", "web", "imap", "smtp", "filters"),
    *("auth", "storage", "net", "message", "config"),
)


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "rfc-index.tsv").read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def test_the_first_line_names_the_columns() -> None:
    first = (ROOT / "docs" / "rfc-index.tsv").read_text("utf-8").splitlines()[0]
    assert first.split("\t") == ["rfc", "title", "status", "where", "test"]


def test_rows_are_complete_sorted_and_unique() -> None:
    numbers = [int(row[0]) for row in rows()]
    assert numbers == sorted(set(numbers))
    assert all(len(row) == 5 and row[2] in STATUS for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"rfc{row[0]}")
def test_code_and_test_exist(row: list[str]) -> None:
    for path in re.split(r"[ ,]+", row[3] + " " + row[4]):
        assert path in ("", "-") or (ROOT / path).exists(), path
    if row[2] != "none":
        assert row[4].strip() not in ("", "-")
        where = [(ROOT / path).read_text("utf-8") for path in re.split(r"[ ,]+", row[3])]
        assert any(re.search(rf"RFC {row[0]}\b", text) for text in where), "no code there names it"


def test_every_rfc_named_in_the_code_has_a_row() -> None:
    known = {int(row[0]) for row in rows()}
    named: dict[int, str] = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for number in re.findall(r"RFC (\d{3,4})", path.read_text("utf-8")):
                named.setdefault(int(number), str(path.relative_to(ROOT)))
    assert {n: where for n, where in named.items() if n not in known} == {}
