"""The table of extensions, what it promises and the page that shows it."""

from pathlib import Path

import pytest

from filters.sieve.extensions import EXTENSIONS, TABLE
from filters.sieve.script import compile_script
from filters.sieve.signature import Definition
from filters.sieve.signature import TestDefinition as DefinitionOfTest
from filters.sieve.tables import COMMANDS, TESTS

PAGE = Path(__file__).parents[3] / "docs" / "sieve.md"


@pytest.mark.parametrize("name", EXTENSIONS)
def test_every_extension_may_be_required(name: str) -> None:
    assert name in compile_script(f'require "{name}"; keep;').required


def test_names_are_sorted_and_unique() -> None:
    assert list(EXTENSIONS) == sorted(set(EXTENSIONS))


def test_what_a_command_needs_is_in_the_table() -> None:
    defined: list[Definition | DefinitionOfTest] = [*COMMANDS.values(), *TESTS.values()]
    for definition in defined:
        needs = {definition.needs, *(option.needs for option in definition.options)}
        assert needs - {""} <= set(EXTENSIONS), definition.name


def test_the_page_shows_the_table() -> None:
    rows = [
        f"| {one.name} | {f'RFC {one.rfc}' if one.rfc else 'draft'} | {one.brings} |"
        for one in TABLE
    ]
    assert "\n".join(rows) in PAGE.read_text("utf-8")
