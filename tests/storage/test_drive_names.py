"""Names of the drive: what anybody may send, as people can read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.drive_names import checked_folder, part_id, part_of, tidy_name
from storage.drive_values import BadDriveValue, ItemId
from storage.values import BlobId


@given(st.text(max_size=600))
def test_any_name_is_tidied_once(name: str) -> None:
    made = tidy_name(name)
    assert made
    assert "/" not in made
    assert "\\" not in made
    assert made.isprintable()
    assert made not in (".", "..")
    assert len(made.encode()) <= 255
    assert tidy_name(made) == made


@pytest.mark.parametrize("folder", ["..", "a/../b", "a//b", "a/./b", "x\ny", "a/ b", "\u202ea"])
def test_folders_that_are_none(folder: str) -> None:
    with pytest.raises(BadDriveValue):
        checked_folder(folder)


def test_folders() -> None:
    assert checked_folder("") == ""
    assert checked_folder("/Reports/2026/") == "Reports/2026"


@given(st.integers(0, (1 << 63) - 1), st.lists(st.integers(1, 99), min_size=1, max_size=9))
def test_ids_of_attachments_there_and_back(message: int, numbers: list[int]) -> None:
    part = ".".join(map(str, numbers))
    assert part_of(part_id(BlobId(message), part)) == (message, part)


@pytest.mark.parametrize("text", ["B1", "D00", "B-1", "Bffffffffffffffff-1", "B1-", "B1-1.2", ""])
def test_other_ids_are_of_no_attachment(text: str) -> None:
    assert part_of(ItemId(text)) is None
