"""Values of what is learned about spam: what a message is taken for, what is remembered of it, what
is to be learned, and what was.
"""

from array import array
from dataclasses import dataclass, field
from enum import IntEnum

from storage.values import AccountId

SITE = AccountId(0)
"""The owner of the site-wide model, and of what the administrator taught."""
RULES = AccountId(-2)
"""The owner of what rules alone were sure of (filters/spam/clear.py): as one more account."""


class Label(IntEnum):
    """What a message is taken for."""

    NONE = 0
    SPAM = 1
    HAM = 2


def no_features() -> "array[int]":
    """Of what is not learned."""
    return array("I")


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a message of an account: whether it was last seen in Junk, what its
    keywords said last, and what it was learned as.
    """

    in_junk: bool = False
    mark: Label = Label.NONE
    learned: Label = Label.NONE


NOTHING = Known()


@dataclass(frozen=True, slots=True)
class Lesson:
    """One message, `key` as in storage/spam_changes.py. `known` is what to remember of it; with
    `label` it is learned as that (NONE: what was learned of it is taken back), without it stays
    what it was. `features` are distinct; they are needed with SPAM and HAM only.
    """

    key: bytes
    known: Known
    label: Label | None = None
    features: "array[int]" = field(default_factory=no_features)


@dataclass(frozen=True, slots=True)
class Example:
    """What was learned of one message: its features, ascending, whether it counts site-wide, and
    the steps that it added to each feature (filters/spam/model.py), of the site and of its owner.
    """

    label: Label
    features: "array[int]"
    site: bool = False
    site_step: int = 0
    own_step: int = 0


UNTAUGHT = Example(Label.NONE, no_features())


@dataclass(slots=True)
class Step:
    """One message that is learned as something else than before; `after` gets its steps before it
    is stored.
    """

    key: bytes
    before: Example
    after: Example


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages of each kind."""

    spam: int = 0
    ham: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Messages learned by an owner, and those of them that count site-wide; of SITE: all that count
    site-wide, and `voters` is how many accounts they are of.
    """

    own: Counts = Counts()
    site: Counts = Counts()
    voters: int = 0
