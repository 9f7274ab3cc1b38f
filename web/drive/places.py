"""Places in lists of the drive as cursors have them: texts and numbers. Pure.

A cursor gives no right: whatever it says, the list is that of who asks.
"""

from collections.abc import Sequence
from typing import Final

from filters.drive.service import Place

_MOST: Final = (1 << 62) - 1


def packed(place: Place) -> list[str | int]:
    """For a cursor."""
    at, number = place.file if place.file is not None else (0.0, "")
    message = -1 if place.message is None else place.message
    return [repr(at), number, message, place.told, int(place.files_over), int(place.parts_over)]


def unpacked(values: Sequence[str | int]) -> Place | None:
    """None for what `packed` never gave."""
    match values:
        case [str(at), str(number), int(message), int(told), int(files), int(parts)]:
            seconds = _seconds(at)
            if seconds is None or not -1 <= message <= _MOST or not 0 <= told <= _MOST:
                return None
            return Place(
                (seconds, number) if number else None,
                None if message < 0 else message,
                told,
                bool(files),
                bool(parts),
            )
    return None


def link_place(values: Sequence[str | int]) -> tuple[float, str] | None:
    """The place in a list of links: the time and id of the last that was told."""
    match values:
        case [str(at), str(number)]:
            seconds = _seconds(at)
            return None if seconds is None else (seconds, number)
    return None


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if -1e12 < found < 1e12 else None
