"""A syntax tree to nodes that can run: names looked up, arguments checked, strings understood.

Each mistake is recorded with its place, and the next command is looked at, up to a bound.
"""

from typing import Final

from filters.sieve.controls import Branch, If, known_truth
from filters.sieve.errors import CompileError, Mistake, Problem
from filters.sieve.extensions import IMPLIED, KNOWN
from filters.sieve.lexer import Places
from filters.sieve.limits import Limits
from filters.sieve.signature import Given, Type, check
from filters.sieve.state import Node, Truth
from filters.sieve.strings import Text, Texts, read_text
from filters.sieve.tables import COMMANDS, TESTS
from filters.sieve.tree import Argument, Command, String, Strings, Test

_HINTS: Final = {
    "elseif": 'write "elsif"',
    "else_if": 'write "elsif"',
    "elif": 'write "elsif"',
    "and": 'write "allof (..., ...)"',
    "or": 'write "anyof (..., ...)"',
    "move": 'write "fileinto"',
    "forward": 'write "redirect"',
    "delete": 'write "discard"',
}


class Compiler:
    """`enabled`: extensions in force; `shared_names`: variables that are global; `own_names`: those
    that were set while they were not.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        self.places = Places(text)
        self.limits = limits
        self.enabled: set[str] = set()
        self.problems: list[Problem] = []
        self.reads_body = False
        self.shared_names: set[str] = set()
        self.own_names: set[str] = set()
        self.loops: list[str] = []
        self.depth = 0
        self._begun = False

    def script(self, commands: tuple[Command, ...]) -> tuple[Node, ...]:
        """The nodes of the whole; raises CompileError."""
        nodes = self.block(commands)
        if self.problems:
            raise CompileError(tuple(self.problems))
        return nodes

    def block(self, commands: tuple[Command, ...]) -> tuple[Node, ...]:
        out: list[Node] = []
        at = 0
        while at < len(commands):
            command = commands[at]
            at += 1
            chain = [command]
            if command.name == "if":
                while at < len(commands) and commands[at].name in ("elsif", "else"):
                    chain.append(commands[at])
                    at += 1
                    if chain[-1].name == "else":
                        break
            try:
                node = self._chain(chain) if command.name == "if" else self._command(command)
                if node is not None:
                    out.append(node)
            except Mistake as mistake:
                self._record(mistake)
        return tuple(out)

    def _record(self, mistake: Mistake) -> None:
        line, column = self.places.line(mistake.offset), self.places.column(mistake.offset)
        self.problems.append(Problem(line, column, mistake.text))
        if len(self.problems) >= self.limits.problems:
            raise CompileError(tuple(self.problems))

    def _command(self, command: Command) -> Node | None:
        if command.name == "require":
            self._require(command)
            return None
        self._begun = True
        if command.name in ("elsif", "else"):
            raise Mistake(f'"{command.name}" stands behind no "if"', command.offset)
        definition = COMMANDS.get(command.name)
        if definition is None:
            raise Mistake(_unknown(command.name, "command", command.name in TESTS), command.offset)
        return definition.build(check(command, definition, self))

    def _chain(self, chain: list[Command]) -> Node:
        self._begun = True
        branches: list[Branch] = []
        otherwise: tuple[Node, ...] = ()
        reachable = True
        for command in chain:
            if command.name == "else":
                self._bare(command)
                otherwise = self.nested(command) if reachable else ()
                break
            if not reachable:
                continue
            test = self._condition(command)
            truth = known_truth(test)
            if truth is not False:
                line = self.places.line(command.offset)
                branches.append(Branch(test, self.nested(command), line))
            reachable = truth is not True
        return If(tuple(branches), otherwise, self.places.line(chain[0].offset))

    def _condition(self, command: Command) -> Truth:
        if command.arguments:
            raise Mistake(f'"{command.name}" takes a test, not an argument',
                          command.arguments[0].offset)  # fmt: skip
        if len(command.tests) != 1 or command.listed:
            hint = ": several are joined by allof or anyof" if command.listed else ""
            raise Mistake(f'"{command.name}" takes one test{hint}', command.offset)
        if command.block is None:
            raise Mistake(f'"{command.name}" needs a block in {{ }}', command.offset)
        return self.test(command.tests[0])

    def _bare(self, command: Command) -> None:
        if command.arguments or command.tests:
            raise Mistake('"else" takes neither test nor argument', command.offset)
        if command.block is None:
            raise Mistake('"else" needs a block in { }', command.offset)

    def nested(self, command: Command) -> tuple[Node, ...]:
        """The block behind a command."""
        self.depth += 1
        try:
            return self.block(command.block or ())
        finally:
            self.depth -= 1

    def _require(self, command: Command) -> None:
        if self._begun or self.depth:
            raise Mistake('"require" stands before all other commands', command.offset)
        if len(command.arguments) != 1 or command.tests or command.block is not None:
            raise Mistake('"require" takes one list of names', command.offset)
        for string in self._listed(command.arguments[0], "require"):
            if string.value not in KNOWN:
                raise Mistake(f'the extension "{string.value[:60]}" is unknown', string.offset)
            self.enable(string.value)

    def enable(self, name: str) -> None:
        """An extension and what it brings with it."""
        self.enabled.update((name, *IMPLIED.get(name, ())))

    def _listed(self, argument: Argument, name: str) -> tuple[String, ...]:
        if isinstance(argument, Strings):
            return argument.items
        if isinstance(argument, String):
            return (argument,)
        raise Mistake(f'"{name}" takes {Type.STRINGS.value}', argument.offset)

    def test(self, test: Test) -> Truth:
        """The node of a test; raises Mistake."""
        definition = TESTS.get(test.name)
        if definition is None:
            raise Mistake(_unknown(test.name, "test", test.name in COMMANDS), test.offset)
        return definition.build(check(test, definition, self))

    def text(self, string: String) -> Text:
        """The meaning of a string under what is enabled."""
        enabled = self.enabled
        return read_text(
            string, "encoded-character" in enabled, "variables" in enabled, "include" in enabled
        )

    def texts(self, given: Given, where: int | str) -> Texts:
        """A list of strings of a command."""
        texts = tuple([self.text(string) for string in given.strings(where)])
        fixed = [text.constant for text in texts if text.constant is not None]
        return Texts(tuple(fixed)) if len(fixed) == len(texts) else Texts(None, texts)

    def string(self, given: Given, where: int | str) -> Text:
        """One string of a command; "" where it was left out."""
        found = given.strings(where)
        return self.text(found[0]) if found else Text("")


def _unknown(name: str, kind: str, other: bool) -> str:
    if other:
        return f'"{name}" is a test: it stands behind if' if kind == "command" else (
            f'"{name}" is a command, a test is expected'
        )  # fmt: skip
    hint = _HINTS.get(name)
    return f'the {kind} "{name[:60]}" is unknown' + (f": {hint}" if hint else "")
