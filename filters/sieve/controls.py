"""Control commands and the tests that join tests (RFC 5228 §3, §5.2, §5.3, §5.7 to §5.10)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.signature import Definition, Given, TestDefinition, Tests
from filters.sieve.state import Flow, Node, Run, Truth, execute


@dataclass(frozen=True, slots=True)
class Branch:
    """if or elsif."""

    test: Truth
    block: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class If:
    """if, all its elsif, and what else holds."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Node, ...]
    line: int

    def do(self, run: Run) -> Flow | None:
        for branch in self.branches:
            if branch.test.holds(run):
                run.note(branch.line)
                return execute(branch.block, run)
        return execute(self.otherwise, run) if self.otherwise else None


@dataclass(frozen=True, slots=True)
class Stop:
    line: int

    def do(self, run: Run) -> Flow | None:
        return Flow.STOP


@dataclass(frozen=True, slots=True)
class Constant:
    """true, false, and `ihave` whose answer is known (`tentative`)."""

    value: bool
    tentative: bool = False

    def holds(self, run: Run) -> bool:
        return self.value


@dataclass(frozen=True, slots=True)
class Not:
    test: Truth

    def holds(self, run: Run) -> bool:
        return not self.test.holds(run)


@dataclass(frozen=True, slots=True)
class AllOf:
    tests: tuple[Truth, ...]

    def holds(self, run: Run) -> bool:
        return all(test.holds(run) for test in self.tests)


@dataclass(frozen=True, slots=True)
class AnyOf:
    tests: tuple[Truth, ...]

    def holds(self, run: Run) -> bool:
        return any(test.holds(run) for test in self.tests)


def known_truth(test: Truth) -> bool | None:
    """What a test gives for any message, when that can be told and hangs on an `ihave`
    (RFC 5463 §4: what it guards need not be understood).
    """
    match test:
        case Constant(value, tentative):
            return value if tentative else None
        case Not(inner):
            truth = known_truth(inner)
            return None if truth is None else not truth
        case AllOf(tests):
            return False if any(known_truth(one) is False for one in tests) else _same(tests, True)
        case AnyOf(tests):
            return True if any(known_truth(one) is True for one in tests) else _same(tests, False)
    return None


def _same(tests: tuple[Truth, ...], value: bool) -> bool | None:
    return value if all(known_truth(one) is value for one in tests) else None


def _tests(given: Given) -> tuple[Truth, ...]:
    """Behind an ihave that fails, the rest of allof is not looked at; likewise of anyof."""
    stop = given.node.name == "anyof"
    out: list[Truth] = []
    for test in given.node.tests:
        out.append(given.compiler.test(test))
        if known_truth(out[-1]) is stop:
            break
    return tuple(out)


COMMANDS: Final = (Definition("stop", lambda given: Stop(given.line)),)
TESTS: Final = (
    TestDefinition("true", lambda _: Constant(True)),
    TestDefinition("false", lambda _: Constant(False)),
    TestDefinition(
        "not", lambda given: Not(given.compiler.test(given.node.tests[0])), tests=Tests.ONE
    ),
    TestDefinition("allof", lambda given: AllOf(_tests(given)), tests=Tests.LIST),
    TestDefinition("anyof", lambda given: AnyOf(_tests(given)), tests=Tests.LIST),
)
