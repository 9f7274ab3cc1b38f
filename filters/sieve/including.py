"""include, return and global (RFC 6609)."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from filters.sieve.environment import Ask, Question
from filters.sieve.errors import Mistake, RunError
from filters.sieve.signature import Definition, Given, Option, Type
from filters.sieve.state import Flow, Node, Run, execute
from filters.sieve.strings import NAME

if TYPE_CHECKING:
    from filters.sieve.script import Script

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Include:
    """`location` is "personal" or "global"."""

    name: str
    location: str
    once: bool
    optional: bool
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        key = self.location, self.name
        if self.once and key in run.included:
            return None
        script = run.ask(Question(Ask.SCRIPT, self.name, self.location))
        if script is None or isinstance(script, (str, bool, frozenset)):
            if self.optional:
                return None
            raise RunError(f'the {self.location} script "{self.name}" can\'t be included')
        self._count(run, key)
        return self._execute(run, script, key)

    def _count(self, run: Run, key: tuple[str, str]) -> None:
        run.included.add(key)
        run.include_count += 1
        if key in run.including:
            raise RunError(f'the script "{self.name}" includes itself')
        if len(run.including) >= run.limits.include_depth:
            raise RunError(f"scripts include more than {run.limits.include_depth} deep")
        if run.include_count > run.limits.includes:
            raise RunError(f"more than {run.limits.includes} scripts are included")

    def _execute(self, run: Run, script: "Script", key: tuple[str, str]) -> Flow | None:
        """Variables are the script's own, but for those that it calls global (§3.3)."""
        before = run.variables, run.shared_names, run.matches, run.script
        run.variables, run.shared_names, run.matches = {}, script.shared_names, []
        run.script = self.name
        run.including.append(key)
        flow = execute(script.nodes, run)
        run.including.pop()
        run.variables, run.shared_names, run.matches, run.script = before
        run.line = self.line
        return flow if flow is Flow.STOP else None


@dataclass(frozen=True, slots=True)
class Return:
    """Ends an included script; in the main one it stops."""

    line: int

    def do(self, run: Run) -> Flow | None:
        return Flow.RETURN


@dataclass(frozen=True, slots=True)
class Global:
    """Does nothing when it runs: the names are the compiler's."""

    line: int

    def do(self, run: Run) -> Flow | None:
        return None


def _include(given: Given) -> Node:
    name = given.constant(0, "the name of a script")
    if not name or len(name) > MAX_NAME or _CONTROL.search(name):
        raise Mistake("this is no name of a script", given.offset(0))
    location = "global" if given.has(":global") else "personal"
    given.compiler.reads_body = True  # the other script may
    return Include(name, location, given.has(":once"), given.has(":optional"), given.line)


def _global(given: Given) -> Node:
    if "variables" not in given.compiler.enabled:
        raise Mistake('"global" needs require "variables"', given.node.offset)
    for one in given.strings(0):
        if not NAME.fullmatch(one.value):
            raise Mistake(f'"{one.value[:60]}" is no name of a variable', one.offset)
        name = one.value.lower()
        if name in given.compiler.own_names:
            raise Mistake(f'"{name[:60]}" is set before it is global', one.offset)
        given.compiler.shared_names.add(name)
    return Global(given.line)


COMMANDS: Final = (
    Definition(
        "include",
        _include,
        "include",
        (
            Option(":personal", group="location"),
            Option(":global", group="location"),
            Option(":once"),
            Option(":optional"),
        ),
        (Type.STRING,),
    ),
    Definition("return", lambda given: Return(given.line), "include"),
    Definition("global", _global, "include", positional=(Type.STRINGS,)),
)
TESTS: Final = ()
