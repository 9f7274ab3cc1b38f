"""Regular expressions as automata: time grows with the text, never faster.

`holds` says whether, by sets of states; `find`, with threads (Pike's), where the groups are, by the
priorities of a backtracking matcher. Every step is paid for with `spend`. What is built for a text
goes with it: a script of a thousand expressions must not hold memory for each.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from filters.sieve.pattern_syntax import (
    Choice,
    Edge,
    Group,
    Item,
    Node,
    PatternError,
    Repeat,
    Sequence,
)

MAX_PROGRAM: Final = 3000
MAX_MOVES: Final = 2000
MAX_KEPT: Final = 100_000  # states of all moves together: some 5 MB
Spans: TypeAlias = list[tuple[int, int]]
Spend: TypeAlias = Callable[[int], None]


class Op(Enum):
    """What an instruction does."""

    CHAR = 0
    SPLIT = 1
    SAVE = 2
    START = 3
    END = 4
    MATCH = 5


@dataclass(slots=True)
class Step:
    """`to` is tried before `other`."""

    op: Op
    to: int = 0
    other: int = 0
    slot: int = 0
    fits: Callable[[str], object] | None = None


@dataclass(slots=True)
class Program:
    """The instructions; the first is number 0."""

    flags: int
    groups: int
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1


def size_of(node: Node) -> int:
    """How many instructions it takes; raises PatternError for more than MAX_PROGRAM."""
    size = _size(node) + 3
    if size > MAX_PROGRAM:
        raise PatternError("its repeats make it too large")
    return size


def _size(node: Node) -> int:
    match node:
        case Sequence(nodes):
            return sum(map(_size, nodes))
        case Choice(nodes):
            return sum(map(_size, nodes)) + 2 * len(nodes) - 2
        case Group(inner, _):
            return _size(inner) + 2
        case Repeat(inner, least, most, _):
            each = _size(inner)
            if most is None:
                return (least + 1) * each + 2
            return most * each + most - least
    return 1


def program_of(node: Node, groups: int, flags: int) -> Program:
    """Of an expression whose size is within bounds."""
    program = Program(flags, groups)
    _emit(program, Group(node, 0))
    program.add(Step(Op.MATCH))
    return program


def _emit(program: Program, node: Node) -> None:
    """Each piece falls through to what stands behind it."""
    match node:
        case Item(source):
            fits = re.compile(source, program.flags).fullmatch
            at = program.add(Step(Op.CHAR, fits=fits))
            program.steps[at].to = at + 1
        case Edge(end):
            at = program.add(Step(Op.END if end else Op.START))
            program.steps[at].to = at + 1
        case Sequence(nodes):
            for inner in nodes:
                _emit(program, inner)
        case Choice(nodes):
            _emit_choice(program, nodes)
        case Group(inner, number):
            for slot in (2 * number, 2 * number + 1):
                if slot % 2:
                    _emit(program, inner)
                at = program.add(Step(Op.SAVE, slot=slot))
                program.steps[at].to = at + 1
        case Repeat():
            _emit_repeat(program, node)


def _emit_choice(program: Program, nodes: tuple[Node, ...]) -> None:
    jumps: list[int] = []
    for inner in nodes[:-1]:
        split = program.add(Step(Op.SPLIT))
        program.steps[split].to = split + 1
        _emit(program, inner)
        jumps.append(program.add(Step(Op.SPLIT)))
        program.steps[split].other = len(program.steps)
    _emit(program, nodes[-1])
    for jump in jumps:
        program.steps[jump].to = program.steps[jump].other = len(program.steps)


def _emit_repeat(program: Program, node: Repeat) -> None:
    for _ in range(node.least):
        _emit(program, node.node)
    splits: list[int] = []
    for _ in range(1 if node.most is None else node.most - node.least):
        splits.append(program.add(Step(Op.SPLIT)))
        _emit(program, node.node)
    if node.most is None:
        back = program.add(Step(Op.SPLIT))
        program.steps[back].to = program.steps[back].other = splits[0]
    for split in splits:
        inside, behind = split + 1, len(program.steps)
        step = program.steps[split]
        step.to, step.other = (inside, behind) if node.greedy else (behind, inside)


def holds(program: Program, text: str, spend: Spend) -> bool:
    """Whether the text holds a match: a set of states for each character, each move made once."""
    accept = len(program.steps) - 1
    state = _closure(program, [0], start=True, end=not text)
    begin = _closure(program, [0], start=False, end=False)
    moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}
    last, kept = len(text) - 1, 0
    for at, char in enumerate(text):
        if accept in state:
            return True
        if at % 64 == 0:
            spend(2)
        after = moves.get((state, char))
        if after is None:
            spend(1 + len(state) // 4)
            after = _move(program, state, char) | begin
            kept += len(after)
            if len(moves) > MAX_MOVES or kept > MAX_KEPT:
                moves.clear()
                kept = len(after)
            moves[state, char] = after
        if at == last:
            after = _closure(program, [*after, 0], start=False, end=True)
        state = after
    return accept in state


def _move(program: Program, state: frozenset[int], char: str) -> frozenset[int]:
    steps = program.steps
    onward = [
        steps[number].to
        for number in state
        if (fits := steps[number].fits) is not None and fits(char)
    ]
    return _closure(program, onward, start=False, end=False)


def _closure(program: Program, numbers: list[int], start: bool, end: bool) -> frozenset[int]:
    """The states that are reached without a character."""
    seen: set[int] = set()
    pending = list(numbers)
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        step = program.steps[number]
        if step.op is Op.SPLIT:
            pending += (step.to, step.other)
        elif step.op is Op.SAVE or (step.op is Op.START and start) or (step.op is Op.END and end):
            pending.append(step.to)
    return frozenset(seen)


_Slots: TypeAlias = tuple[int, ...]


def find(program: Program, text: str, spend: Spend) -> Spans | None:
    """The first match by priority: the span of it and of each group, (-1, -1) for an unused one."""
    found: _Slots | None = None
    threads: list[tuple[int, _Slots]] = []
    empty = (-1,) * (2 * program.groups + 2)
    for at in range(len(text) + 1):
        if found is None:
            threads.append((0, empty))
        elif not threads:
            break
        ready, hit = _follow(program, threads, at, len(text), spend)
        if hit is not None:
            found = hit
        threads = _advance(program, ready, text, at)
    if found is None:
        return None
    return [(found[slot], found[slot + 1]) for slot in range(0, len(found), 2)]


def _advance(
    program: Program, ready: list[tuple[int, _Slots]], text: str, at: int
) -> list[tuple[int, _Slots]]:
    if at >= len(text):
        return []
    char, steps = text[at], program.steps
    fitting: dict[int, bool] = {}
    out: list[tuple[int, _Slots]] = []
    for number, slots in ready:
        step = steps[number]
        if number not in fitting:
            fitting[number] = step.fits is not None and bool(step.fits(char))
        if fitting[number]:
            out.append((step.to, slots))
    return out


def _follow(
    program: Program, threads: list[tuple[int, _Slots]], at: int, end: int, spend: Spend
) -> tuple[list[tuple[int, _Slots]], _Slots | None]:
    """The threads that wait for a character, in order of priority, up to the first that matches."""
    ready: list[tuple[int, _Slots]] = []
    seen: set[int] = set()
    pending = threads[::-1]
    while pending:
        number, slots = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        step = program.steps[number]
        if step.op is Op.CHAR:
            ready.append((number, slots))
        elif step.op is Op.MATCH:
            spend(1 + len(seen) // 4)
            return ready, slots
        elif step.op is Op.SPLIT:
            pending += ((step.other, slots), (step.to, slots))
        elif step.op is Op.SAVE:
            slots = (*slots[: step.slot], at, *slots[step.slot + 1 :])
            pending.append((step.to, slots))
        elif at == (end if step.op is Op.END else 0):
            pending.append((step.to, slots))
    spend(1 + len(seen) // 4)
    return ready, None
