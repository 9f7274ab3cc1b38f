"""foreverypart and break (RFC 5703 §3)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.errors import Mistake
from filters.sieve.parts import parts_of
from filters.sieve.signature import Definition, Given, Option, Type
from filters.sieve.state import Flow, Node, Run, execute
from filters.sieve.tree import Command


@dataclass(frozen=True, slots=True)
class ForEveryPart:
    """The block for each part: of the message, or of the part that a loop outside has reached."""

    name: str
    block: tuple[Node, ...]
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        parts, outside = parts_of(run), run.part
        found = parts.below(outside or parts.root)
        run.spend(len(found))
        try:
            for part in found if outside is None else found[1:]:
                run.part = part
                flow = execute(self.block, run)
                if flow is Flow.BREAK:
                    ours = not run.break_to or run.break_to == self.name
                    return None if ours else flow
                if flow is not None:
                    return flow
        finally:
            run.part = outside
        return None


@dataclass(frozen=True, slots=True)
class Break:
    """`name` "" is the innermost loop."""

    name: str
    line: int

    def do(self, run: Run) -> Flow | None:
        run.break_to = self.name
        return Flow.BREAK


def _loop(given: Given) -> Node:
    compiler = given.compiler
    name = given.constant(":name", "the name of a loop") if given.has(":name") else ""
    compiler.reads_body = True
    compiler.loops.append(name)
    try:
        block = compiler.nested(given.node) if isinstance(given.node, Command) else ()
    finally:
        compiler.loops.pop()
    return ForEveryPart(name, block, given.line)


def _break(given: Given) -> Node:
    loops = given.compiler.loops
    name = given.constant(":name", "the name of a loop") if given.has(":name") else ""
    if not loops or (name and name not in loops):
        what = f'a foreverypart named "{name[:60]}"' if name else "a foreverypart"
        raise Mistake(f'"break" stands within no {what.removeprefix("a ")}', given.node.offset)
    return Break(name, given.line)


_NAME: Final = Option(":name", Type.STRING)
COMMANDS: Final = (
    Definition("foreverypart", _loop, "foreverypart", (_NAME,), block=True),
    Definition("break", _break, "foreverypart", (_NAME,)),
)
TESTS: Final = ()
