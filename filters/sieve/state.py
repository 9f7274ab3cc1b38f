"""One run of a script: its variables, flags and actions so far, and what it may still spend."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from filters.sieve.actions import (
    Action,
    FileInto,
    Keep,
    Place,
    Redirect,
    Reject,
    Track,
    Vacation,
)
from filters.sieve.environment import Answer, Environment, Question
from filters.sieve.errors import RunError
from filters.sieve.limits import Limits
from filters.sieve.mail import Fields, Mail, fields_of
from filters.sieve.strings import Reference
from message.crlf import to_crlf
from message.edits import Edit, apply_edits
from message.headers import header_block, without_blank_line

if TYPE_CHECKING:
    from filters.sieve.glob import Span
    from filters.sieve.parts import Parts
    from message.scan import Part

CHECK_EVERY: Final = 2000
MAX_MATCHED: Final = 1000
_BESIDE_NO_REJECT: Final = (Keep, FileInto, Redirect, Vacation)


class Flow(Enum):
    """Why a block ended before its end."""

    STOP = "stop"
    RETURN = "return"
    BREAK = "break"


class Truth(Protocol):
    """A compiled test."""

    def holds(self, run: "Run") -> bool: ...


class Node(Protocol):
    """A compiled command."""

    @property
    def line(self) -> int: ...

    def do(self, run: "Run") -> Flow | None: ...


class Unanswered(Exception):
    """The run needs the answers to questions first."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        super().__init__(questions)
        self.questions = questions


@dataclass(slots=True)
class Run:
    """`left` steps may still be spent, at `alarm` the clock is looked at; `script` is the name of
    the included script that runs, "" for the main one. `explicit`: an action took the place of the
    implicit keep. `part`: where foreverypart is, None outside of one. `base`: the whole message
    after enclose or replace, to which edits then belong.
    """

    mail: Mail
    fields: Fields
    environment: Environment
    limits: Limits
    left: int = 0
    alarm: int = 0
    began: float = 0.0
    deadline: float = 0.0
    script: str = ""
    line: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    shared_names: frozenset[str] = frozenset()
    matches: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    explicit: bool = False
    matched: list[Place] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    versions: list[tuple[Edit, ...]] = field(default_factory=lambda: [()])
    body_edits: list[Edit] = field(default_factory=list)
    changed: bool = False
    base: bytes | None = None
    asked: int = 0
    included: set[tuple[str, str]] = field(default_factory=set)
    including: list[tuple[str, str]] = field(default_factory=list)
    include_count: int = 0
    parts: "Parts | None" = None
    part: "Part | None" = None
    break_to: str = ""

    def start(self) -> None:
        self.left = self.limits.steps
        self.flags = list(self.environment.flags)
        self.alarm = self.left - CHECK_EVERY
        self.began = time.thread_time()
        self.deadline = self.began + self.limits.cpu

    def spend(self, steps: int) -> None:
        """Pay for what is about to be done; raises RunError when it was too much."""
        self.left -= steps
        if self.left < self.alarm:
            self._look()

    def _look(self) -> None:
        if self.left < 0:
            raise RunError(f"the script took more than {self.limits.steps} steps")
        self.alarm = self.left - CHECK_EVERY
        if time.thread_time() > self.deadline:
            raise RunError(f"the script took more than {self.limits.cpu} seconds")

    def place(self, line: int) -> Place:
        return Place(line, self.script)

    def note(self, line: int) -> None:
        """A test held there."""
        if len(self.matched) < MAX_MATCHED:
            self.matched.append(Place(line, self.script))

    def warn(self, line: int, text: str) -> None:
        if len(self.warnings) < MAX_MATCHED:
            name = f"{self.script}: " if self.script else ""
            self.warnings.append(f"{name}line {line}: {text}")

    def ask(self, question: Question) -> Answer:
        """The answer of the environment; raises Unanswered."""
        return self.ask_all((question,))[0]

    def ask_all(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers of the environment, or all at once what is not known; raises Unanswered."""
        known, ask = self.environment.answers, self.environment.ask
        missing = [one for one in dict.fromkeys(questions) if one not in known]
        if not missing:
            return [known[one] for one in questions]
        self.asked += len(missing)
        if self.asked + len(known) > self.limits.questions:
            raise RunError(f"the script asked more than {self.limits.questions} questions")
        if ask is None:
            raise Unanswered(tuple(missing))
        found = {one: ask(one) for one in missing}
        return [found[one] if one in found else known[one] for one in questions]

    def variable(self, reference: int | Reference) -> str:
        """Its value, "" for one that was never set (RFC 5229 §3)."""
        if isinstance(reference, int):
            return self.matches[reference] if reference < len(self.matches) else ""
        shared = reference.shared or reference.name in self.shared_names
        return (self.shared if shared else self.variables).get(reference.name, "")

    def set(self, reference: Reference, value: str) -> None:
        """Cut at its bound (RFC 5229 §6)."""
        shared = reference.shared or reference.name in self.shared_names
        where = self.shared if shared else self.variables
        if reference.name not in where and len(where) >= self.limits.variables:
            raise RunError(f"the script has more than {self.limits.variables} variables")
        where[reference.name] = value[: self.limits.variable_size]

    def matched_spans(self, text: str, spans: "list[Span]") -> None:
        """The match variables after wildcards: the whole, then each (RFC 5229 §3.2)."""
        room = self.limits.variable_size
        self.matches = [text[:room], *(text[start:end][:room] for start, end in spans[:99])]

    def matched_groups(self, text: str, spans: "list[Span]") -> None:
        """The match variables after an expression: what it found, then its groups."""
        room = self.limits.variable_size
        self.matches = [text[start:end][:room] if start >= 0 else "" for start, end in spans[:100]]

    def version(self) -> int:
        """The number of the message as it is; each change makes another."""
        if self.changed:
            self.changed = False
            edits: tuple[Edit, ...] = (*self.fields.edits(), *self.body_edits)
            if self.base is not None:
                edits = ((0, self.mail.size, apply_edits(self.base, edits)),)
            if len(self.versions) > self.limits.actions:
                raise RunError(
                    f"the message is changed and used more than {self.limits.actions} times"
                )
            self.versions.append(edits)
        return len(self.versions) - 1

    def message(self) -> bytes:
        """The message as it is."""
        data = to_crlf(self.mail.read()) if self.base is None else self.base
        self.spend(1 + len(data) // 512)
        return apply_edits(data, (*self.fields.edits(), *self.body_edits))

    def replace_message(self, made: bytes) -> None:
        """The message becomes another; tests go on to see the parts of the one that came."""
        self.base = made
        self.fields = fields_of(without_blank_line(header_block(made)))
        self.body_edits = []
        self.changed = True

    def add(self, action: Action) -> None:
        """Record an action; raises RunError for one too many or one that can't stand by others."""
        self._check_conflict(action)
        if isinstance(action, (Keep, FileInto)) and self._merged(action):
            return
        if isinstance(action, Redirect):
            same = [one for one in self.actions if isinstance(one, Redirect)]
            if any(one.address.casefold() == action.address.casefold() for one in same):
                return
            if len(same) >= self.limits.redirects:
                raise RunError(f"more than {self.limits.redirects} redirects")
        if len(self.actions) >= self.limits.actions:
            raise RunError(f"more than {self.limits.actions} actions")
        self.actions.append(action)

    def _merged(self, action: Keep | FileInto) -> bool:
        """A mailbox gets the message once: what comes later adds its flags (RFC 5228 §2.10.3)."""
        for at, one in enumerate(self.actions):
            if not isinstance(one, (Keep, FileInto)) or _target(one) != _target(action):
                continue
            if one.version != action.version:
                continue
            known = {flag.casefold() for flag in one.flags}
            more = [flag for flag in action.flags if flag.casefold() not in known]
            if more:
                self.actions[at] = with_flags(one, (*one.flags, *more))
            return True
        return False

    def _check_conflict(self, action: Action) -> None:
        """RFC 5429 §2.3, RFC 5230 §4.7."""
        for one in self.actions:
            if isinstance(action, (Reject, Vacation)) and type(action) is type(one):
                raise RunError(f"{type(one).__name__.lower()} is used twice")
            for reject, other in ((action, one), (one, action)):
                if isinstance(reject, Reject) and isinstance(other, _BESIDE_NO_REJECT):
                    name = type(other).__name__.lower()
                    raise RunError(f"reject can't stand beside {name}")


def _target(action: Keep | FileInto) -> str:
    """What is filed where, for comparison."""
    if isinstance(action, Keep):
        return "INBOX"
    special = action.special_use.casefold()
    return f"{action.mailbox}\0{special}" if special else action.mailbox


def with_flags(action: Keep | FileInto, flags: tuple[str, ...]) -> Keep | FileInto:
    """The action with other flags."""
    if isinstance(action, Keep):
        return Keep(flags, action.implicit, action.place, action.version)
    return FileInto(
        action.mailbox, flags, action.copy, action.create, action.special_use, action.place,
        action.version,
    )  # fmt: skip


def execute(nodes: tuple[Node, ...], run: Run) -> Flow | None:
    """The commands in order, up to one that ends the block."""
    run.spend(len(nodes))
    for node in nodes:
        flow = node.do(run)
        if flow is not None:
            return flow
    return None
