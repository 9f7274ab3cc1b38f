"""Authentication results as the statements of an Authentication-Results field (RFC 8601 §2.7)."""

from collections.abc import Iterable

from filters.authentication.results import (
    ArcResult,
    DkimResult,
    DmarcResult,
    Identity,
    Result,
    SpfResult,
)
from message.authentication_results import Statement, build_results

MAX_STATEMENTS = 30
PROVING = {"spf": ("smtp", "mailfrom"), "dkim": ("header", "d"), "dmarc": ("header", "from")}
"""By method, the property that names the domain which a pass proves."""


def results_field(hostname: str, results: Iterable[Result]) -> bytes:
    """The one field of a message, complete; b"" when nothing was examined."""
    statements = statements_of(results)
    return build_results(hostname, statements) if statements else b""


def statements_of(results: Iterable[Result]) -> list[Statement]:
    """In the order found, at most MAX_STATEMENTS."""
    return [_statement(one) for one in results][:MAX_STATEMENTS]


def lines_of(results: Iterable[Result]) -> list[str]:
    """Each result in a line for the log: `spf=pass mailfrom=example.org (reason)`."""
    lines = []
    for one in statements_of(results):
        words = [f"{one.method}={one.result}"]
        words += [f"{name}={value}" for _, name, value in one.properties]
        lines.append(" ".join([*words, f"({one.reason})"] if one.reason else words))
    return lines


def _statement(result: Result) -> Statement:
    match result:
        case SpfResult():
            name = "helo" if result.identity is Identity.HELO else "mailfrom"
            return _said("spf", result, (("smtp", name, result.domain),))
        case DkimResult():
            properties = (
                ("header", "d", result.domain),
                ("header", "i", result.agent),
                ("header", "s", result.selector),
                ("header", "a", result.algorithm),
                ("header", "b", result.tag),
            )
            return _said("dkim", result, properties)
        case ArcResult():
            return _said("arc", result, ())
        case DmarcResult():
            said = (("header", "from", result.domain), ("policy", "dmarc", result.policy))
            return _said("dmarc", result, said, _done(result))


def _done(result: DmarcResult) -> str:
    """Said only where it is not plain from the rest."""
    return f"disposition {result.disposition}" if result.disposition != "none" else ""


def _said(
    method: str, result: Result, properties: tuple[tuple[str, str, str], ...], comment: str = ""
) -> Statement:
    kept = tuple(one for one in properties if one[2])
    return Statement(method, result.outcome.value, result.reason, kept, comment)
