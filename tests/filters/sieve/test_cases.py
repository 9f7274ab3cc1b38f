"""Scripts, messages and what comes of them: RFC 5228 and its extensions, one file a subject."""

import pytest

from tests.support.sieve_cases import Case, all_cases, expected, told


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.id)
def test_case(case: Case) -> None:
    wanted, got = expected(case, told(case))
    assert got == wanted, f"line {case.line} of {case.file}.txt"
