"""reject and ereject (RFC 5429)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.actions import Reject
from filters.sieve.signature import Definition, Given, Type
from filters.sieve.state import Flow, Node, Run
from filters.sieve.strings import Text


@dataclass(frozen=True, slots=True)
class RejectNode:
    reason: Text
    at_smtp: bool
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        run.add(Reject(self.reason.of(run), self.at_smtp, run.place(self.line)))
        run.explicit = True
        return None


def _reject(given: Given) -> Node:
    reason = given.compiler.string(given, 0)
    return RejectNode(reason, given.node.name == "ereject", given.line)


COMMANDS: Final = (
    Definition("reject", _reject, "reject", positional=(Type.STRING,)),
    Definition("ereject", _reject, "ereject", positional=(Type.STRING,)),
)
TESTS: Final = ()
