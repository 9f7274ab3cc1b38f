"""Reads the files of tests/filters/sieve/cases: scripts, messages and what comes of them.

A case begins with `=== its name`; its sections with `--- script`, `--- message`, `--- environment`,
`--- outcome`. A case without a message or environment has that of the case before it. The outcome
is a line for each action (filters/sieve/describing.py), then `error: ...`, `warning: ...`,
`track: handle value seconds`, `matched: lines`, `asked: ...`, and `+Field` or `-Field` for each
change of the header of the last version. `compile: line 1, column 2: ...` stands for a script that
can't be used. What an outcome says nothing of (matched, tracks) isn't compared.
"""

import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filters.sieve.describing import describe
from filters.sieve.environment import Answer, Ask, Environment, Question
from filters.sieve.errors import CompileError
from filters.sieve.mail import mail_of
from filters.sieve.running import run
from filters.sieve.script import compile_script
from message.headers import header_block

CASES = Path(__file__).parents[1] / "filters" / "sieve" / "cases"
_OPTIONAL = ("matched", "track", "warning")


@dataclass(frozen=True, slots=True)
class Case:
    """`file:name` is its id; texts have LF."""

    file: str
    name: str
    line: int
    script: str = ""
    message: str = ""
    environment: str = ""
    outcome: str = ""

    @property
    def id(self) -> str:
        return f"{self.file}:{self.name}"


def all_cases() -> list[Case]:
    return [case for path in sorted(CASES.glob("*.txt")) for case in _read(path)]


def _read(path: Path) -> Iterator[Case]:
    case: Case | None = None
    section = ""
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if line.startswith("=== "):
            if case is not None:
                yield case
            before = case or Case(path.stem, "", 0)
            case = replace(before, name=line[4:].strip(), line=number, script="", outcome="")
            section = ""
        elif line.startswith("--- "):
            section = line[4:].strip()
            assert case is not None and hasattr(case, section), f"{path}:{number}"
            case = _with(case, section, "")
        elif case is not None and section:
            case = _with(case, section, getattr(case, section) + line + "\n")
    if case is not None:
        yield case


def _with(case: Case, section: str, text: str) -> Case:
    changed: dict[str, Any] = {section: text}
    return replace(case, **changed)


def environment_of(text: str) -> Environment:
    """`name: value` lines of a section."""
    known = Environment(sender="sender@example.com", recipient="user@example.org")
    items: dict[str, str] = {}
    answers: dict[Question, Answer] = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, value = line.partition(":")
        value = value.strip()
        if name == "item":
            key, _, value = value.partition("=")
            items[key.strip()] = value.strip()
        elif name == "answer":
            question, answer = _answer(value)
            answers[question] = answer
        else:
            known = replace(known, **_setting(name, value))
    return replace(known, items=items, answers=answers)


def _setting(name: str, value: str) -> dict[str, Any]:
    if name == "mailboxes":
        pairs = (one.strip().partition("=") for one in value.split(","))
        return {name: {box: frozenset(uses.split()) for box, _, uses in pairs}}
    if name == "mailbox_ids":
        return {name: dict(one.strip().split("=") for one in value.split(","))}
    if name == "addresses":
        return {name: frozenset(value.split())}
    if name in ("now", "spam"):
        return {name: float(value)}
    if name in ("zone", "virus"):
        return {name: int(value)}
    if name in ("forged", "suspicious"):
        return {name: value == "yes"}
    return {name: value}


def _answer(text: str) -> tuple[Question, Answer]:
    kind, rest = text.split(" ", 1)
    question, _, said = rest.rpartition(" = ")
    name, _, detail = question.strip().partition(" ")
    asked = Question(Ask[kind.upper()], "" if name == '""' else name, detail)
    if asked.ask is Ask.SCRIPT:
        return asked, None if said == "none" else compile_script(said.replace("\\n", "\n"))
    if asked.ask is Ask.LISTED:
        return asked, frozenset(said.split())
    if asked.ask is Ask.METADATA:
        return asked, None if said == "none" else said
    return asked, said == "yes"


def told(case: Case) -> list[str]:
    """What comes of it, in the words of the files."""
    data = case.message.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    try:
        script = pickle.loads(pickle.dumps(compile_script(case.script)))
    except CompileError as error:
        return [f"compile: {problem}" for problem in error.problems]
    outcome = run(script, mail_of(data), environment_of(case.environment))
    lines = [describe(action) for action in outcome.actions]
    lines += _changes(data, outcome.message(data, -1))
    if outcome.error:
        lines.append(f"error: line {outcome.error_place.line}: {outcome.error}")
    for asked in outcome.asked:
        lines.append(f"asked: {asked.ask.name.lower()} {asked.name} {asked.detail}".rstrip())
    lines += [f"warning: {text}" for text in outcome.warnings]
    lines += [f"track: {one.handle} {one.value} {one.seconds}" for one in outcome.tracks]
    lines.append("matched: " + " ".join(str(place.line) for place in outcome.matched))
    return lines


def _changes(before: bytes, after: bytes) -> list[str]:
    if before == after:
        return []
    fields = re.compile(rb"[^\r\n]+(?:\r\n[ \t][^\r\n]*)*")
    old = fields.findall(header_block(before))
    new = fields.findall(header_block(after))
    out = [f"-{one.decode()}" for one in old if old.count(one) > new.count(one)]
    return out + [f"+{one.decode()}" for one in new if new.count(one) > old.count(one)]


def expected(case: Case, lines: list[str]) -> tuple[list[str], list[str]]:
    """What the case wants, and what came of it without that of which the case says nothing."""
    wanted = [line for line in case.outcome.splitlines() if line.strip()]
    said = {line.partition(":")[0] for line in wanted}
    hidden = tuple(f"{name}:" for name in _OPTIONAL if name not in said)
    return wanted, [line for line in lines if not line.startswith(hidden)]
