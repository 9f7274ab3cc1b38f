"""What a script wants done: values. Others do it.

Every action has the `place` in the script that asked for it. `version` counts into
`Outcome.versions`: how the message was changed (editheader, replace, enclose) when the action ran.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from filters.sieve.environment import Question
from message.edits import Edit, apply_edits


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a script; `script` is "" for the one that was run, else an included one's name."""

    line: int
    script: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """Into the inbox; `implicit`: no action of the script took its place (RFC 5228 §2.10.2)."""

    flags: tuple[str, ...] = ()
    implicit: bool = False
    place: Place = Place(0)
    version: int = 0


@dataclass(frozen=True, slots=True)
class FileInto:
    """`mailbox` as the script names it; `special_use` (`\\\\Junk`) goes before it where a mailbox
    has it. `create`: make it when it is missing, else the message goes to the inbox.
    """

    mailbox: str
    flags: tuple[str, ...] = ()
    copy: bool = False
    create: bool = False
    special_use: str = ""
    place: Place = Place(0)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Redirect:
    """To an address; with `members` to everyone in that list (RFC 6134 §2.5)."""

    address: str
    copy: bool = False
    members: bool = False
    place: Place = Place(0)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Discard:
    """Without a word."""

    place: Place = Place(0)


@dataclass(frozen=True, slots=True)
class Reject:
    """`at_smtp` (ereject): by a refusal; else by a refusal or a report (RFC 5429 §2)."""

    reason: str
    at_smtp: bool = False
    place: Place = Place(0)


@dataclass(frozen=True, slots=True)
class Vacation:
    """An answer to `to`, at most once in `seconds` for the same `handle` (RFC 5230 §4.2).

    `mime`: `reason` is a whole MIME entity. `refused` says why no answer may go out; "" when one
    may. `fcc`: a copy of what is sent goes there.
    """

    reason: str
    to: str
    seconds: int
    handle: str
    subject: str = ""
    sender: str = ""
    addresses: tuple[str, ...] = ()
    mime: bool = False
    refused: str = ""
    fcc: FileInto | None = None
    place: Place = Place(0)


@dataclass(frozen=True, slots=True)
class Notify:
    """A note by `method`, a mailto URI whose parts stand apart (RFC 5436 §2).

    `importance` 1 is high, 3 is low. `headers` of the URI that may be set; `body` of the URI.
    """

    method: str
    to: tuple[str, ...]
    message: str = ""
    sender: str = ""
    importance: int = 2
    options: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    fcc: FileInto | None = None
    place: Place = Place(0)


Action: TypeAlias = Keep | FileInto | Redirect | Discard | Reject | Vacation | Notify


@dataclass(frozen=True, slots=True)
class Track:
    """An id to remember for `seconds` once the actions are done (RFC 7352 §3)."""

    handle: str
    value: str
    seconds: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """`actions` in the order of the script, at most one a place for the message: an implicit keep
    is one of them. `matched`: where a test of if and elsif held, in order. After an `error` there
    is but the implicit keep. With `asked` nothing is decided: find the answers and run again; `cpu`
    is how many seconds of the thread it took to come so far.
    """

    actions: tuple[Action, ...] = ()
    matched: tuple[Place, ...] = ()
    versions: tuple[tuple[Edit, ...], ...] = ((),)
    tracks: tuple[Track, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_place: Place = Place(0)
    asked: tuple[Question, ...] = ()
    steps: int = field(default=0, compare=False)
    cpu: float = field(default=0.0, compare=False)

    @property
    def kept_implicitly(self) -> bool:
        return any(isinstance(action, Keep) and action.implicit for action in self.actions)

    def message(self, data: bytes, version: int) -> bytes:
        """The message as it was when an action with that version ran."""
        edits = self.versions[version]
        return apply_edits(data, edits) if edits else data
