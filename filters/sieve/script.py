"""A compiled script, and `compile_script`, which makes one.

A Script may be kept, shared by threads and pickled. Compiling takes about 40 us a line: keep it.
"""

from dataclasses import dataclass, field

from filters.sieve.compiler import Compiler
from filters.sieve.errors import CompileError, Mistake, Problem
from filters.sieve.lexer import Places
from filters.sieve.limits import LIMITS, Limits
from filters.sieve.lists import list_name
from filters.sieve.parser import parse
from filters.sieve.state import Node


@dataclass(frozen=True, slots=True)
class Needs:
    """What the script names, as far as it can be told before it runs: to be asked for beforehand.

    `includes`: (name, "personal" or "global"); `annotations`: (mailbox or "", entry).
    `reads_body`: it looks beyond the header.
    """

    includes: tuple[tuple[str, str], ...] = ()
    lists: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    reads_body: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """`required`: the extensions that it uses; `shared_names`: its global variables."""

    nodes: tuple[Node, ...] = field(repr=False)
    required: frozenset[str]
    needs: Needs = Needs()
    shared_names: frozenset[str] = frozenset()


def compile_script(source: str | bytes, limits: Limits = LIMITS) -> Script:
    """Raises CompileError, with line and column of every mistake."""
    text = _text(source, limits)
    try:
        tree = parse(text, limits)
    except Mistake as mistake:
        raise _error(text, mistake) from mistake
    compiler = Compiler(text, limits)
    nodes = compiler.script(tree)
    needs = Needs(
        tuple(dict.fromkeys(compiler.includes)),
        tuple(dict.fromkeys(map(list_name, compiler.list_names))),
        tuple(dict.fromkeys(compiler.mailboxes)),
        tuple(dict.fromkeys(compiler.annotations)),
        compiler.reads_body,
    )
    return Script(nodes, frozenset(compiler.enabled), needs, frozenset(compiler.shared_names))


def _text(source: str | bytes, limits: Limits) -> str:
    octets = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(octets) > limits.script_size:
        size = limits.script_size
        raise CompileError((Problem(1, 1, f"the script is longer than {size} octets"),))
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        before = octets[: error.start].decode("utf-8")
        raise _error(before, Mistake("the script is not UTF-8 here", len(before))) from error
    zero = text.find("\0")
    if zero >= 0:
        raise _error(text, Mistake("the script has a NUL in it", zero))
    return text.removeprefix("\ufeff")


def _error(text: str, mistake: Mistake) -> CompileError:
    places = Places(text)
    line, column = places.line(mistake.offset), places.column(mistake.offset)
    return CompileError((Problem(line, column, mistake.text),))
