"""What a user's own change says about a message, and what it does not.

Pure. Into Junk by the user's hand is spam, out of it to anywhere but Trash is ham; a junk or
not-junk keyword says the same; what its reader answers is ham. What delivery or an import put
there, and what is expunged, says nothing.
"""

from dataclasses import replace
from enum import Enum
from typing import Final

from storage.spam_values import Known, Label

JUNK_WORDS: Final = frozenset({"$junk", "junk"})
NOT_JUNK_WORDS: Final = frozenset({"$notjunk", "notjunk", "$nonjunk", "nonjunk"})
"""RFC 9051 §2.3.2 has $Junk and $NotJunk; Thunderbird writes Junk and NonJunk, Apple Mail NotJunk
too, KMail $NotJunk.
"""


class Place(Enum):
    """What a mailbox is for, as far as it matters here."""

    JUNK = "junk"
    TRASH = "trash"
    OTHER = "other"


def place_of(special_use: str, name: str) -> Place:
    """Of a mailbox; one without a special use counts by its name."""
    use = (special_use or f"\\{name}").casefold()
    if use in ("\\junk", "\\spam"):
        return Place.JUNK
    return Place.TRASH if use == "\\trash" else Place.OTHER


def mark_of(words: frozenset[str]) -> Label:
    """What keywords (in lower case) say; NONE when they contradict each other."""
    junk, not_junk = not words.isdisjoint(JUNK_WORDS), not words.isdisjoint(NOT_JUNK_WORDS)
    if junk is not_junk:
        return Label.NONE
    return Label.SPAM if junk else Label.HAM


Said = tuple[Known, Label | None]
"""What is remembered from then on, and what the message is to be learned as: None says nothing,
Label.NONE takes back what was learned.
"""


def came(
    place: Place,
    words: frozenset[str],
    by_user: bool,
    known: Known,
    source: Place = Place.OTHER,
) -> Said:
    """A message is new in a mailbox; moved there from `source`, if that is known."""
    mark = mark_of(words)
    if source is Place.JUNK:
        known = replace(known, in_junk=True)
    if place is Place.JUNK:
        spam = by_user and source is not Place.JUNK
        return replace(known, in_junk=True, mark=mark), Label.SPAM if spam else None
    if not by_user:  # what a script or an import marked is not said by the user
        return known if mark is Label.NONE else replace(known, mark=mark), None
    if known.in_junk and place is Place.OTHER:
        return replace(known, in_junk=False, mark=mark), Label.HAM
    if mark is Label.SPAM and known.mark is not Label.SPAM:
        return replace(known, mark=mark), Label.SPAM
    return known, None


def flagged(words: frozenset[str], answered: bool, known: Known) -> Said:
    """A message's flags changed. A keyword that is removed takes back what it said, but for a
    message that the user has moved into Junk.
    """
    mark = mark_of(words)
    fresh = known.learned is Label.NONE and not known.in_junk
    if mark is known.mark:
        return known, Label.HAM if answered and fresh and mark is Label.NONE else None
    said = replace(known, mark=mark)
    if mark is not Label.NONE:
        return said, mark
    stays = known.learned is not known.mark or (known.in_junk and known.learned is Label.SPAM)
    return said, None if stays else Label.NONE
