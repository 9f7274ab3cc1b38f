"""What the standards bring, word by word, stands in transcripts: tests/dialogues/standards.tsv.

A capability is announced only when each of its commands, items, responses and codes was tried.
"""

import re
from pathlib import Path

import pytest

from imap.capabilities import TABLE

_FOLDER = Path(__file__).parents[1] / "dialogues"


def _rows() -> list[tuple[str, str, tuple[str, ...]]]:
    """Standard, kind, words."""
    lines = (_FOLDER / "standards.tsv").read_text().splitlines()
    parts = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(standard, kind, tuple(words.split(" | "))) for standard, kind, words in parts]


def _said() -> dict[str, str]:
    """All that clients and the server say in transcripts, and the tests beside them."""
    lines = [
        line
        for folder in ("imap", "clients")
        for path in (_FOLDER / folder).glob("*.txt")
        for line in path.read_text().splitlines()
    ]
    beside = [path.read_text() for path in Path(__file__).parent.glob("*.py")]
    return {
        "C": "\n".join(line for line in lines if line[:1] in ("C", "B")).lower(),
        "S": "\n".join(line for line in lines if line[:1] == "S").lower(),
        "T": "\n".join(beside).lower(),
    }


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    return _said()


def _stands(word: str, text: str) -> bool:
    """Whether a word or phrase stands in the text, not as part of a longer word."""
    start = r"(?<![a-z0-9.\\-])" if word[0].isalnum() else ""
    end = r"(?![a-z0-9.:-])" if word[-1].isalnum() else ""
    return re.search(start + re.escape(word.lower()) + end, text) is not None


@pytest.mark.parametrize(("standard", "kind", "words"), _rows())
def test_it_was_said(
    said: dict[str, str], standard: str, kind: str, words: tuple[str, ...]
) -> None:
    assert [word for word in words if not _stands(word, said[kind])] == [], standard


def test_every_capability_has_its_words() -> None:
    known = {standard for standard, _, _ in _rows()}
    named = {row.standard.split()[row.standard.startswith("RFC")] for row in TABLE}
    # tests/imap/grammar/test_imap_framer.py and i18nlevel.txt show what brings no word of its own
    assert named - known == {"7888", "5255"}
