"""What a link's signature covers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.drive.signature import is_signature, signature
from storage.drive_values import Audience, Disposition, ItemId, Link, LinkId, Terms
from storage.values import AccountId

KEY = bytes(range(32))
TERMS = Terms(1_800_000_000)
LINK = Link(LinkId("a" * 22), AccountId(1), ItemId("D1"), "x", "S" + "0" * 64, 1, TERMS, 0.0)


@pytest.mark.parametrize(
    "other",
    [
        replace(LINK, id=LinkId("b" * 22)),
        replace(LINK, content="S" + "1" * 64),
        replace(LINK, terms=replace(TERMS, expires=1_800_000_001)),
        replace(LINK, terms=replace(TERMS, disposition=Disposition.INLINE)),
        replace(LINK, terms=replace(TERMS, audience=Audience.USERS)),
    ],
    ids=["id", "content", "expires", "disposition", "audience"],
)
def test_everything_that_a_link_promises(other: Link) -> None:
    assert not is_signature(KEY, other, signature(KEY, LINK))
    assert is_signature(KEY, other, signature(KEY, other))


def test_the_name_is_not_covered_and_the_key_is() -> None:
    assert signature(KEY, replace(LINK, name="y")) == signature(KEY, LINK)
    assert signature(bytes(32), LINK) != signature(KEY, LINK)
    assert len(signature(KEY, LINK)) == 43


@given(st.text(max_size=60))
def test_no_text_is_one_by_chance(text: str) -> None:
    assert is_signature(KEY, LINK, text) == (text == signature(KEY, LINK))
