"""What a filter says: a value. Only the pipeline merges verdicts, and only its caller acts on them.

Merging: the worst action wins with its own reply; everything else is joined, so that scores add up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from filters.authentication.results import Result
from filters.message_changes import NO_CHANGES, Changes, joined


class Action(IntEnum):
    """In order of severity. JUNK delivers into Junk; QUARANTINE keeps the message from its
    recipients until somebody releases it, and the sender is told that it was taken.
    """

    ACCEPT = 0
    JUNK = 1
    QUARANTINE = 2
    DEFER = 3
    REJECT = 4


@dataclass(frozen=True, slots=True)
class Scored:
    """A symbol that counts: `weight` is added to the score, `detail` says what it was found in."""

    name: str
    weight: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`scored` are those of the symbols that count; `symbols` names them too.

    `headers` are complete raw fields with CRLF; `keywords` IMAP keywords for local copies,
    `results` what authentication found; the pipeline puts them into Context.results. `reverse` is
    the peer's verified name, found at connect; `changes` of the message are those of milters.

    `code`, `status` and `text` are the reply of DEFER and REJECT; `text` may be shown to the peer.
    """

    action: Action = Action.ACCEPT
    scored: tuple[Scored, ...] = ()
    symbols: tuple[str, ...] = ()
    headers: tuple[bytes, ...] = ()
    keywords: frozenset[str] = frozenset()
    results: tuple[Result, ...] = ()
    code: int = 0
    status: str = ""
    text: str = ""
    reverse: str = ""
    changes: Changes = NO_CHANGES

    @property
    def score(self) -> float:
        """The sum of the weights."""
        return sum(one.weight for one in self.scored)

    @property
    def refused(self) -> bool:
        """True for DEFER and REJECT."""
        return self.action >= Action.DEFER


ACCEPT = Verdict()


def reject(text: str, *, status: str = "5.7.1", code: int = 550, symbol: str = "") -> Verdict:
    """A permanent refusal."""
    symbols = (symbol,) if symbol else ()
    return Verdict(Action.REJECT, symbols=symbols, code=code, status=status, text=text)


def defer(text: str, *, status: str = "4.7.1", code: int = 450, symbol: str = "") -> Verdict:
    """A temporary refusal."""
    symbols = (symbol,) if symbol else ()
    return Verdict(Action.DEFER, symbols=symbols, code=code, status=status, text=text)


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of several; ACCEPT of none."""
    told = [verdict for verdict in verdicts if verdict is not ACCEPT]
    if not told:
        return ACCEPT
    if len(told) == 1:
        return told[0]
    worst = max(told, key=lambda verdict: verdict.action)
    return Verdict(
        worst.action,
        tuple(scored for verdict in told for scored in verdict.scored),
        tuple(symbol for verdict in told for symbol in verdict.symbols),
        tuple(header for verdict in told for header in verdict.headers),
        frozenset().union(*(verdict.keywords for verdict in told)),
        tuple(result for verdict in told for result in verdict.results),
        worst.code,
        worst.status,
        worst.text,
        next((verdict.reverse for verdict in told if verdict.reverse), ""),
        joined(verdict.changes for verdict in told),
    )
