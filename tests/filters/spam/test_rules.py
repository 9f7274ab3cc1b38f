"""Each rule by a small message that shows its symbol, and one that shows none at all."""

import re
from pathlib import Path

import pytest

from config.symbols import SYMBOLS, Group
from filters.spam.rules.run import find, scored
from tests.support.spam_cases import CASES, mail, message, symbols


@pytest.mark.parametrize("symbol", CASES)
def test_a_message_that_shows_it(symbol: str) -> None:
    assert symbol in symbols(CASES[symbol])


def test_an_ordinary_letter_shows_nothing_that_counts() -> None:
    found = scored(find(mail(message())), {})
    assert [one for one in found if one.weight] == []


def test_every_symbol_has_a_case_or_comes_from_elsewhere() -> None:
    """What other filters find, and what the filter itself knows from storage and DNS."""
    elsewhere = {
        name
        for name, symbol in SYMBOLS.items()
        if symbol.group is Group.LEARNED or name.startswith(("FUZZY_", "RDNS_", "HELO_"))
    }
    elsewhere |= {name for name, one in SYMBOLS.items() if one.group is Group.AUTHENTICATION}
    elsewhere |= {"MIME_ARCHIVE_BOMB", "MIME_OBFUSCATED_ARCHIVE"}
    elsewhere |= {"EARLY_TALKER", "HFILTER_FROMHOST_NORES_A_OR_MX"}
    assert set(CASES) == set(SYMBOLS) - elsewhere | {"AUTH_NA"}


def test_no_rule_says_what_the_table_does_not_know() -> None:
    unknown = {name for case in CASES.values() for name in symbols(case)} - set(SYMBOLS)
    assert unknown == set()


def test_the_table_stands_in_the_docs() -> None:
    text = (Path(__file__).parents[3] / "docs" / "spam.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| `[A-Z0-9_]+` \|", line)]
    wanted = [f"| `{one.name}` | {one.weight:g} | {one.description} |" for one in SYMBOLS.values()]
    assert rows == wanted
