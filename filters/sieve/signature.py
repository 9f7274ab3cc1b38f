"""What a command or a test may be given, and the check of what it is given (RFC 5228 §2.7)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from filters.sieve.errors import Mistake
from filters.sieve.tree import Argument, Command, Number, String, Strings, Tag, Test

if TYPE_CHECKING:
    from filters.sieve.compiler import Compiler
    from filters.sieve.state import Node, Truth


class Type(Enum):
    """Of an argument; a STRINGS may be given as one string."""

    STRING = "a string"
    STRINGS = "a list of strings"
    NUMBER = "a number"


class Tests(Enum):
    """How many tests stand behind the arguments."""

    NONE = 0
    ONE = 1
    LIST = 2


@dataclass(frozen=True, slots=True)
class Option:
    """A tag, the type of its value, the extension it needs; those of one `group` exclude others."""

    name: str
    value: Type | None = None
    needs: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """The first `optional` of the `positional` arguments may be left out, or the last one."""

    name: str
    build: "Callable[[Given], Node]"
    needs: str = ""
    options: tuple[Option, ...] = ()
    positional: tuple[Type, ...] = ()
    optional: int = 0
    tests: Tests = Tests.NONE
    block: bool = False
    optional_last: bool = False


@dataclass(frozen=True, slots=True)
class TestDefinition:
    """As Definition."""

    name: str
    build: "Callable[[Given], Truth]"
    needs: str = ""
    options: tuple[Option, ...] = ()
    positional: tuple[Type, ...] = ()
    optional: int = 0
    tests: Tests = Tests.NONE


MATCH: Final = (
    Option(":is", group="match type"),
    Option(":contains", group="match type"),
    Option(":matches", group="match type"),
    Option(":regex", needs="regex", group="match type"),
    Option(":value", Type.STRING, "relational", "match type"),
    Option(":count", Type.STRING, "relational", "match type"),
    Option(":list", needs="extlists", group="match type"),
    Option(":comparator", Type.STRING),
)
ADDRESS_PART: Final = (
    Option(":all", group="address part"),
    Option(":localpart", group="address part"),
    Option(":domain", group="address part"),
    Option(":user", needs="subaddress", group="address part"),
    Option(":detail", needs="subaddress", group="address part"),
)
INDEX: Final = (Option(":index", Type.NUMBER, "index"), Option(":last", needs="index"))
MIME: Final = (Option(":mime", needs="mime"), Option(":anychild", needs="mime"))
MIME_PART: Final = (
    Option(":type", needs="mime", group="part of the field"),
    Option(":subtype", needs="mime", group="part of the field"),
    Option(":contenttype", needs="mime", group="part of the field"),
    Option(":param", Type.STRINGS, "mime", "part of the field"),
)


@dataclass(slots=True)
class Given:
    """The checked arguments of one command or test, for the function that builds its node."""

    node: Command | Test
    compiler: "Compiler"
    line: int
    options: dict[str, tuple[Argument | None, int]] = field(default_factory=dict)
    positional: list[Argument | None] = field(default_factory=list)

    def has(self, name: str) -> bool:
        return name in self.options

    def chosen(self, names: tuple[str, ...], default: str) -> str:
        """The one of the tags that is given."""
        return next((name for name in names if name in self.options), default)

    def argument(self, where: str | int) -> Argument | None:
        """Of a tag, or at a position."""
        if isinstance(where, int):
            return self.positional[where]
        return self.options.get(where, (None, 0))[0]

    def number(self, where: str | int) -> int | None:
        argument = self.argument(where)
        return argument.value if isinstance(argument, Number) else None

    def strings(self, where: str | int) -> tuple[String, ...]:
        """What is written there, without its meaning."""
        argument = self.argument(where)
        if isinstance(argument, Strings):
            return argument.items
        return (argument,) if isinstance(argument, String) else ()

    def constant(self, where: str | int, what: str) -> str:
        """One string without variables in it, else a Mistake."""
        found = self.strings(where)
        text = self.compiler.text(found[0]) if found else None
        if text is None or text.constant is None:
            raise Mistake(f"{what} can't hold variables", self.offset(where))
        return text.constant

    def offset(self, where: str | int) -> int:
        """Where to point when something is wrong with it."""
        argument = self.argument(where)
        if argument is not None:
            return argument.offset
        found = self.options.get(where) if isinstance(where, str) else None
        return self.node.offset if found is None else found[1]

    def only_with(self, name: str, other: str) -> None:
        """A tag that makes no sense without another."""
        if name in self.options and other not in self.options:
            raise Mistake(f"{name} needs {other}", self.options[name][1])


def check(
    node: Command | Test, definition: Definition | TestDefinition, compiler: "Compiler"
) -> Given:
    """The arguments sorted by what they are; raises Mistake."""
    if definition.needs and definition.needs not in compiler.enabled:
        raise Mistake(f'"{node.name}" needs require "{definition.needs}"', node.offset)
    given = Given(node, compiler, compiler.places.line(node.offset))
    rest = _options(node, definition, given)
    _positional(node, definition, given, rest)
    _tests(node, definition)
    _block(node, definition)
    return given


def _options(
    node: Command | Test, definition: Definition | TestDefinition, given: Given
) -> list[Argument]:
    known = {option.name: option for option in definition.options}
    groups: dict[str, str] = {}
    rest: list[Argument] = []
    arguments = iter(node.arguments)
    for argument in arguments:
        if not isinstance(argument, Tag):
            rest.append(argument)
            continue
        if rest:
            raise Mistake(f"{argument.name} stands behind an argument, tags stand before them",
                          argument.offset)  # fmt: skip
        option = known.get(argument.name)
        if option is None:
            raise Mistake(f'"{node.name}" has no {argument.name}', argument.offset)
        _allowed(option, argument, given, groups)
        value = next(arguments, None) if option.value is not None else None
        if option.value is not None:
            _typed(value, option.value, argument.name, argument.offset)
        given.options[option.name] = value, argument.offset
    return rest


def _allowed(option: Option, tag: Tag, given: Given, groups: dict[str, str]) -> None:
    if option.needs and option.needs not in given.compiler.enabled:
        raise Mistake(f'{tag.name} needs require "{option.needs}"', tag.offset)
    if option.name in given.options:
        raise Mistake(f"{tag.name} is given twice", tag.offset)
    if option.group:
        if option.group in groups:
            raise Mistake(
                f"{tag.name} and {groups[option.group]} exclude each other: one {option.group}",
                tag.offset,
            )
        groups[option.group] = tag.name


def _positional(
    node: Command | Test,
    definition: Definition | TestDefinition,
    given: Given,
    rest: list[Argument],
) -> None:
    wanted = definition.positional
    missing = len(wanted) - len(rest)
    if missing < 0:
        raise Mistake(
            f'"{node.name}" takes {_count(len(wanted))}, this is one more', rest[len(wanted)].offset
        )
    last = isinstance(definition, Definition) and definition.optional_last
    if missing > (1 if last else definition.optional):
        kind = wanted[len(rest)].value
        raise Mistake(f'"{node.name}" lacks an argument: {kind} is expected', node.offset)
    kinds = wanted[: len(rest)] if last else wanted[missing:]
    for number, (argument, kind_of) in enumerate(zip(rest, kinds, strict=True), 1):
        _typed(argument, kind_of, f'argument {number} of "{node.name}"', argument.offset)
    left_out: list[Argument | None] = [None] * missing
    given.positional = [*rest, *left_out] if last else [*left_out, *rest]


def _typed(argument: Argument | None, kind: Type, what: str, offset: int) -> None:
    fits = (
        isinstance(argument, Number)
        if kind is Type.NUMBER
        else isinstance(argument, String)
        or (kind is Type.STRINGS and isinstance(argument, Strings))
    )
    if not fits:
        where = offset if argument is None else argument.offset
        raise Mistake(f"{what} must be {kind.value}, not {_name(argument)}", where)


def _tests(node: Command | Test, definition: Definition | TestDefinition) -> None:
    count, name = len(node.tests), node.name
    if definition.tests is Tests.NONE and count:
        raise Mistake(f'"{name}" takes no test', node.tests[0].offset)
    if definition.tests is Tests.ONE and (count != 1 or node.listed):
        raise Mistake(f'"{name}" takes one test, without parentheses around it', node.offset)
    if definition.tests is Tests.LIST and not node.listed:
        raise Mistake(f'"{name}" takes tests in parentheses', node.offset)


def _block(node: Command | Test, definition: Definition | TestDefinition) -> None:
    if not isinstance(node, Command) or not isinstance(definition, Definition):
        return
    if definition.block and node.block is None:
        raise Mistake(f'"{node.name}" needs a block in {{ }} behind it', node.offset)
    if not definition.block and node.block is not None:
        raise Mistake(f'"{node.name}" takes no block: it ends with ";"', node.offset)


def _count(number: int) -> str:
    return {0: "no arguments", 1: "one argument"}.get(number, f"{number} arguments")


def _name(argument: Argument | None) -> str:
    match argument:
        case None:
            return "nothing"
        case Tag(name):
            return name
        case Number():
            return "a number"
        case String():
            return "a string"
        case Strings():
            return "a list"
