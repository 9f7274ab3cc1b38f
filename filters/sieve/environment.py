"""What a script may know beside the message: values, and questions that others answer.

Questions that neither `answers` nor `ask` can answer end the run with `Outcome.asked`; the caller
finds the answers (in a database, say), and runs the script again. A run has no effect, so that it
may be repeated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from filters.sieve.script import Script


class Ask(Enum):
    """What a question is about, and what its `name` and `detail` are."""

    LISTED = "the lists that hold the value (name): their URIs, percent-encoding undone"
    LIST = "does the list (name) exist? bool"
    SEEN = "was the id (detail) seen under the handle (name)? bool"
    METADATA = "the annotation (detail) of the mailbox (name), or None; name '' is the server"
    SCRIPT = "the script (name) at 'personal' or 'global' (detail), compiled, or None"


@dataclass(frozen=True, slots=True)
class Question:
    """One question; equal questions have one answer."""

    ask: Ask
    name: str
    detail: str = ""


Answer: TypeAlias = "bool | str | frozenset[str] | Script | None"


@dataclass(frozen=True, slots=True)
class Environment:
    """`sender` and `recipient` are those of the envelope, without brackets; `login` who submitted
    it, or "". `addresses`: all of the user's own, in lower case. `now` in seconds since 1970,
    `zone` minutes east of UTC. `mailboxes`: each that mail may be filed into, with its special uses
    (`\\\\Junk`); `mailbox_ids` their names by MAILBOXID. `items` are those of the test environment
    (RFC 5183, RFC 6785). `spam` is 0 to 100 percent, `virus` 0 to 5 as RFC 5235 §3.3; None: not
    looked at. `stored`: the message is in a mailbox already, with `flags`, and has no envelope
    (RFC 6785 §4.6). `forged`, `suspicious`: no answer is sent.
    """

    sender: str = ""
    recipient: str = ""
    login: str = ""
    addresses: frozenset[str] = frozenset()
    now: float = 0.0
    zone: int = 0
    separator: str = "+"
    mailboxes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mailbox_ids: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    spam: float | None = None
    virus: int | None = None
    flags: tuple[str, ...] = ()
    stored: bool = False
    forged: bool = False
    suspicious: bool = False
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    ask: Callable[[Question], Answer] | None = None
