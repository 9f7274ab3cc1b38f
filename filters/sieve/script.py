"""A compiled script, and `compile_script`, which makes one.

A Script may be kept, shared by threads and pickled. Compiling takes about 40 us a line: keep it.
"""

from dataclasses import dataclass, field

from filters.sieve.compiler import Compiler
from filters.sieve.errors import CompileError, Mistake, Problem
from filters.sieve.lexer import Places
from filters.sieve.limits import LIMITS, Limits
from filters.sieve.parser import parse
from filters.sieve.state import Node


@dataclass(frozen=True, slots=True)
class Script:
    """`required`: the extensions that it uses; `shared_names`: its global variables; `reads_body`:
    it looks beyond the header, or a script that it includes may.
    """

    nodes: tuple[Node, ...] = field(repr=False)
    required: frozenset[str]
    reads_body: bool = False
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
    return Script(
        nodes,
        frozenset(compiler.enabled),
        compiler.reads_body,
        frozenset(compiler.shared_names),
    )


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
