"""addheader and deleteheader (RFC 5293): later tests and actions see the changed header."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.errors import Mistake, RunError
from filters.sieve.mail import FieldOf
from filters.sieve.matching import Matcher, matcher_of
from filters.sieve.message_tests import FIELD_NAME, Where, where_of
from filters.sieve.signature import MATCH, Definition, Given, Option, Type
from filters.sieve.state import Flow, Node, Run
from filters.sieve.strings import Text
from filters.sieve.values import Values

# They tell of the way of the message, and stop loops: what would delete them is passed over.
KEPT: Final = frozenset({"received", "auto-submitted"})
_NOT_ADDED: Final = frozenset({"received", "return-path", "authentication-results"})


@dataclass(frozen=True, slots=True)
class AddHeader:
    name: Text
    value: Text
    last: bool
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        name = self.name.of(run)
        if not FIELD_NAME.fullmatch(name) or name.lower() in _NOT_ADDED:
            raise RunError(f'the field "{name[:60]}" can\'t be added')
        if sum(one.start < 0 for one in run.fields.fields) >= run.limits.added_headers:
            raise RunError(f"more than {run.limits.added_headers} fields are added")
        run.spend(1 + len(run.fields.fields) // 8)
        run.fields.add(name, self.value.of(run), self.last)
        run.changed = True
        return None


@dataclass(frozen=True, slots=True)
class DeleteHeader:
    """`matcher` None: whatever they hold."""

    where: Where
    matcher: Matcher | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        found = [one for one in self.where.fields(run) if one.name not in KEPT]
        gone = [one for one in found if self._fits(run, one)]
        if gone:
            run.spend(1 + len(run.fields.fields) // 8)
            run.fields.remove(gone)
            run.changed = True
        return None

    def _fits(self, run: Run, one: FieldOf) -> bool:
        return self.matcher is None or self.matcher.any(run, Values([one.decoded()]))


def _add(given: Given) -> Node:
    name = given.compiler.string(given, 0)
    if name.constant is not None:
        if not FIELD_NAME.fullmatch(name.constant):
            raise Mistake(f'"{name.constant[:60]}" is no name of a header field', given.offset(0))
        if name.constant.lower() in _NOT_ADDED:
            raise Mistake(f"{name.constant} can't be added", given.offset(0))
    return AddHeader(name, given.compiler.string(given, 1), given.has(":last"), given.line)


def _delete(given: Given) -> Node:
    where = where_of(given, 0)
    matcher = None if given.argument(1) is None else matcher_of(given, 1)
    return DeleteHeader(where, matcher, given.line)


# Part of the action itself, so that they need no "index" (RFC 5293 §5).
_INDEX: Final = (Option(":index", Type.NUMBER), Option(":last"))
COMMANDS: Final = (
    Definition("addheader", _add, "editheader", (Option(":last"),), (Type.STRING, Type.STRING)),
    Definition(
        "deleteheader",
        _delete,
        "editheader",
        (*MATCH, *_INDEX),
        (Type.STRING, Type.STRINGS),
        optional_last=True,
    ),
)
TESTS: Final = ()
