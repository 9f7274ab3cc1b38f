"""A syntax tree back to text: `parse(text_of(tree)) == tree`."""

from typing import Final

from filters.sieve.tree import Argument, Command, Number, String, Strings, Tag, Test

_INDENT: Final = "    "


def text_of(commands: tuple[Command, ...]) -> str:
    """The script with CRLF, one command a line, blocks indented."""
    return "".join(_command(command, "") for command in commands)


def quote(value: str) -> str:
    """A quoted string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _command(command: Command, indent: str) -> str:
    head = indent + _head(command)
    if command.block is None:
        return head + ";\r\n"
    inside = "".join(_command(inner, indent + _INDENT) for inner in command.block)
    return f"{head} {{\r\n{inside}{indent}}}\r\n"


def _head(node: Command | Test) -> str:
    words = [node.name, *(_argument(argument) for argument in node.arguments)]
    if node.tests:
        tests = ", ".join(_head(test) for test in node.tests)
        words.append(f"({tests})" if node.listed else tests)
    return " ".join(words)


def _argument(argument: Argument) -> str:
    match argument:
        case Tag(name):
            return name
        case Number(value):
            return str(value)
        case String(value):
            return quote(value)
        case Strings(items):
            return "[" + ", ".join(quote(item.value) for item in items) + "]"
