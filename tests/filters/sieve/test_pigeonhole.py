"""The cases once more, with Pigeonhole's opinion (Debian's 0.5.19) beside ours."""

import random
from collections.abc import Iterator
from typing import Final

import pytest

from filters.sieve.actions import Vacation
from filters.sieve.errors import CompileError
from filters.sieve.mail import mail_of
from filters.sieve.running import run
from filters.sieve.script import compile_script
from tests.support.pigeonhole import Pigeonhole, pigeonhole, words
from tests.support.sieve_cases import Case, all_cases, environment_of

# Where the two differ, and why.
DIFFERENT: Final = {
    "answers:everything": "it has no fcc",
    "answers:mistakes": "it has no fcc",
    "answers:a note": "it takes one address before the ?, RFC 6068 several",
    "answers:notes about notes are not sent": "it decides later, when the note is to be sent",
    "base:unicode-casemap knows letters beyond ASCII": "it has no such comparator",
    "base:the null sender is empty in all of its parts": "its program can't be given that",
    "base:each address and mailbox gets one copy": "it tells host names apart by case",
    "base:ereject": "it has none outside of a delivery",
    "base:characters that there are none of": "it takes surrogates",
    "body:text, content and raw": "it reads <b>pri</b>ce as two words",
    "date:parts of a date in its own zone": "its local zone is its own",
    "date:index of fields": "its test date ignores :index",
    "date:the present": "its time is its own",
    "date:mistakes": "it warns only",
    "editing:parts of a message": "a parameter that is missing is empty for it",
    "mistakes:large numbers": "its numbers are larger",
    "site:mailboxes and special uses": "needs mailboxes",
    "site:mailboxes by their ids": "it has no mailboxid",
    "site:spam and virus": "needs its configuration",
    "site:what was not tested counts as none": "for it, what was not tested counts too",
    "site:the environment": "its program has no imapsieve",
    "variables:set and the modifiers": "it has no :quoteregex",
    "variables:what matched is that of the text, not of its form": "it has no such comparator",
}


@pytest.fixture(scope="module")
def peer() -> Iterator[Pigeonhole]:
    with pigeonhole() as found:
        yield found


def compared() -> list[Case]:
    """Without those that need answers, or other scripts, or are about our own additions."""
    asking = (
        "include",
        "site:annotations",
        "site:what is not known",
        "site:lists of",
        "site:a list",
        "site:groups of",
    )
    more = (*asking, "site:an id", "site:ids are")
    return [one for one in all_cases() if one.id not in DIFFERENT and not one.id.startswith(more)]


@pytest.mark.parametrize("case", compared(), ids=lambda case: case.id)
def test_pigeonhole_agrees(peer: Pigeonhole, case: Case) -> None:
    known = environment_of(case.environment)
    sender = known.sender or "sender@example.com"
    theirs = peer.actions(case.script, case.message, sender, known.recipient)
    assert ours(case) == theirs


def ours(case: Case) -> list[str] | None:
    try:
        script = compile_script(case.script)
    except CompileError:
        return None
    data = case.message.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    known = environment_of(case.environment)
    return sorted(map(words, run(script, mail_of(data), known).actions))


def test_every_difference_is_a_case() -> None:
    assert set(DIFFERENT) <= {case.id for case in all_cases()}


def ones(peer: Pigeonhole, head: str, tests: list[str]) -> list[tuple[str, bool, bool]]:
    """Of many tests in one script, each with (ours, theirs)."""
    found: list[tuple[str, bool, bool]] = []
    for start in range(0, len(tests), 100):  # it shows no more of a long name
        chunk = tests[start : start + 100]
        lines = [f'require ["variables", "fileinto"{head}]; set "r" "x";']
        lines += [
            f'if {one} {{ set "r" "${{r}}1"; }} else {{ set "r" "${{r}}0"; }}' for one in chunk
        ]
        script = "\n".join([*lines, 'fileinto "${r}";'])
        case = Case("", "", 0, script, "Subject: x\n\n", "", "")
        mine = ours(case)
        theirs = peer.actions(script, case.message, "a@example.com", "b@example.com")
        assert mine is not None
        assert theirs is not None
        flags = zip(mine[0][7:], theirs[0][7:], strict=True)
        found += [
            (one, own == "1", other == "1") for one, (own, other) in zip(chunk, flags, strict=True)
        ]
    return found


def test_wildcards_agree_on_random_patterns(peer: Pigeonhole) -> None:
    """Without "?", which it takes wrongly: for it, "?b*?" matches "bA"."""
    choice = random.Random(5228)
    tests = []
    for number in range(400):
        text = "".join(choice.choices("abAB-", k=choice.randint(1, 8)))
        pattern = "".join(choice.choices("ab*-", (3, 3, 3, 1), k=choice.randint(1, 7)))
        name = ("i;octet", "i;ascii-casemap")[number % 2]
        tests.append(f'string :matches :comparator "{name}" "{text}" "{pattern}"')
    found = ones(peer, "", tests)
    assert [one for one in found if one[1] != one[2]] == []
    assert 40 < sum(one[1] for one in found) < 360


def test_what_wildcards_took_agrees(peer: Pigeonhole) -> None:
    choice = random.Random(5229)
    lines = ['require ["variables", "fileinto", "vacation"]; set "r" "x";']
    for _ in range(150):
        text = "".join(choice.choices("ab-", k=choice.randint(3, 9)))
        pattern = "".join(choice.choices("ab*-", (2, 2, 4, 1), k=choice.randint(2, 6)))
        lines.append(f'if string :matches "{text}" "{pattern}" {{')
        lines.append('set "r" "${r}(${0} ${1} ${2} ${3} ${4})"; }')
    case = Case("", "", 0, "\n".join([*lines, 'vacation "${r}";']), "Subject: x\n\n", "", "")
    known = environment_of("")
    outcome = run(compile_script(case.script), mail_of(b"Subject: x\r\n\r\n"), known)
    vacation = outcome.actions[0]
    assert isinstance(vacation, Vacation)
    assert vacation.reason.count("(") > 20
    theirs = peer.output(case.script, case.message, known.sender, known.recipient)
    assert f"START MESSAGE\n{vacation.reason}\nEND MESSAGE" in theirs


def test_expressions_agree_on_random_patterns(peer: Pigeonhole) -> None:
    choice = random.Random(5230)
    atoms = ("a", "b", "-", ".", "[ab]", "[^a]", "(a|b)", "(ab)", "[[:alpha:]]", "(a|-b)")
    repeats = ("", "", "", "*", "+", "?", "{2}", "{1,2}")
    tests = []
    for number in range(400):
        text = "".join(choice.choices("abAB-1", k=choice.randint(1, 8)))
        pieces = choice.choices(atoms, k=choice.randint(1, 5))
        pattern = "".join(piece + choice.choice(repeats) for piece in pieces)
        pattern = choice.choice(("", "^")) + pattern + choice.choice(("", "$"))
        name = ("i;octet", "i;ascii-casemap")[number % 2]
        tests.append(f'string :regex :comparator "{name}" "{text}" "{pattern}"')
    found = ones(peer, ', "regex"', tests)
    assert [one for one in found if one[1] != one[2]] == []
    assert 40 < sum(one[1] for one in found) < 360
