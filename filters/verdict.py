"""What a filter says: a value. Only the pipeline merges verdicts, and only its caller acts on them.

Merging: the worst action wins with its own reply, scores add up, everything else is joined.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from filters.authentication.results import Result


class Action(IntEnum):
    """In order of severity. QUARANTINE delivers into Junk."""

    ACCEPT = 0
    QUARANTINE = 1
    DEFER = 2
    REJECT = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """`headers` are complete raw fields with CRLF; `keywords` IMAP keywords for local copies,
    `results` what authentication found; the pipeline puts them into Context.results. `reverse` is
    the peer's verified name, found at connect.

    `code`, `status` and `text` are the reply of DEFER and REJECT; `text` may be shown to the peer.
    """

    action: Action = Action.ACCEPT
    score: float = 0.0
    symbols: tuple[str, ...] = ()
    headers: tuple[bytes, ...] = ()
    keywords: frozenset[str] = frozenset()
    results: tuple[Result, ...] = ()
    code: int = 0
    status: str = ""
    text: str = ""
    reverse: str = ""

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
        sum(verdict.score for verdict in told),
        tuple(symbol for verdict in told for symbol in verdict.symbols),
        tuple(header for verdict in told for header in verdict.headers),
        frozenset().union(*(verdict.keywords for verdict in told)),
        tuple(result for verdict in told for result in verdict.results),
        worst.code,
        worst.status,
        worst.text,
        next((verdict.reverse for verdict in told if verdict.reverse), ""),
    )
