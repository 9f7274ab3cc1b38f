"""A message taken piece by piece: what another server could read as two is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.mailing.loading import Taking
from filters.mailing.values import NotSent, Why


def taken(data: bytes, cuts: list[int], path: Path | None = None) -> bytes:
    taking = Taking(path)
    at = 0
    for cut in sorted({min(one, len(data)) for one in cuts} | {len(data)}):
        taking.take(data[at:cut])
        at = cut
    message = taking.message()
    assert message.content.size == len(data)
    return message.header


@given(
    st.lists(st.sampled_from([b"a", b"\r\n", b"\r", b"\0", b"b"]), max_size=12),
    st.lists(st.integers(0, 24), max_size=4),
)
def test_cr_without_lf_and_nul_are_found_at_any_cut(parts: list[bytes], cuts: list[int]) -> None:
    data = b"A: b\r\n\r\n" + b"".join(parts)
    bad = b"\0" in data or b"\r" in data.replace(b"\r\n", b"")
    if not bad:
        assert taken(data, cuts) == b"A: b\r\n"
        return
    with pytest.raises(NotSent) as error:
        taken(data, cuts)
    assert error.value.why is Why.INVALID_EMAIL


def test_a_large_message_lies_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    assert taken(b"A: b\r\n\r\n" + 1000 * b"c", [10, 500], path) == b"A: b\r\n"
    assert path.read_bytes().endswith(1000 * b"c")
