"""One command line: its verb and what follows it (RFC 5321 §2.3.8, §4.1.1).

Invariants: a line is ended by CRLF and by nothing else; NUL, bare CR and bare LF make it invalid;
the verb is upper case.
"""

from typing import NamedTuple

# Longest line taken; RFC 4954 §4 wants 12288 octets for AUTH, all others stay below 4 KiB.
MAX_LINE = 4096
MAX_AUTH_LINE = 12_400


class Command(NamedTuple):
    """`argument` without the blanks around it, UTF-8 decoded; surrogates stand for other bytes."""

    verb: str
    argument: str


class LineError(ValueError):
    """Not a command line."""


def parse_command(line: bytes) -> Command:
    """A line with its line end. Raises LineError."""
    if line[-2:] != b"\r\n":
        raise LineError("not ended by CRLF")
    body = line[:-2]
    if b"\r" in body or b"\n" in body or b"\0" in body:
        raise LineError("control character")
    verb, _, argument = body.decode("utf-8", "surrogateescape").partition(" ")
    return Command(verb.upper(), argument.strip(" \t"))


def encode_command(command: Command) -> bytes:
    """The line of a command."""
    line = f"{command.verb} {command.argument}" if command.argument else command.verb
    return line.encode("utf-8", "surrogateescape") + b"\r\n"
