"""All rules over one message, and the weights of what they and other filters found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from config.symbols import SYMBOLS
from filters.spam.rules import (
    addresses,
    attachments,
    bulk,
    header,
    links,
    mime,
    peer,
    subject,
    text,
)
from filters.spam.rules.mail import Finds, Found, Mail
from filters.verdict import Scored

MAX_DETAIL: Final = 120
LEFT_TO_US: Final = frozenset(
    {
        *("MISSING_DATE", "MISSING_MID", "MISSING_FROM", "MISSING_TO", "MISSING_SUBJECT"),
        *("EMPTY_SUBJECT", "INVALID_MSGID", "INVALID_DATE", "UNDISC_RCPTS", "TEXT_EMPTY"),
        *("MISSING_MIME_VERSION", "MIME_HEADER_CTYPE_ONLY", "FORGED_RECIPIENTS", "FROM_INVALID"),
        *("R_MISSING_CHARSET", "R_BAD_CTE_7BIT", "FROM_NEEDS_ENCODING", "MID_RHS_MATCH_TO"),
        *("MID_CONTAINS_TO", "TO_EQ_FROM", "HAS_X_PHP_SCRIPT", "SUBJECT_NEEDS_ENCODING"),
    }
)
RULES: Final[tuple[Callable[[Mail], Finds], ...]] = (
    *header.RULES,
    *addresses.RULES,
    *subject.RULES,
    *peer.RULES,
    *mime.RULES,
    *attachments.RULES,
    *text.RULES,
    *links.RULES,
    *bulk.RULES,
)


def find(mail: Mail) -> tuple[Found, ...]:
    """What the rules say, each symbol once: of several, the one that counts most."""
    found: dict[str, Found] = {}
    for rule in RULES:
        for one in rule(mail):
            known = found.get(one.name)
            if known is None or one.factor > known.factor:
                found[one.name] = one
    return tuple(found.values())


def scored(found: Iterable[Found], weights: Mapping[str, float]) -> tuple[Scored, ...]:
    """With their weights: those of the configuration, else of the table."""
    return tuple(
        Scored(one.name, weight_of(one.name, weights) * one.factor, one.detail[:MAX_DETAIL])
        for one in found
    )


def forgiven(found: Iterable[Scored]) -> tuple[Scored, ...]:
    """For those we know: what programs and scripts leave to their server does not count."""
    return tuple(
        replace(one, weight=0.0) if one.name in LEFT_TO_US and one.weight > 0 else one
        for one in found
    )


def weight_of(name: str, weights: Mapping[str, float]) -> float:
    """What a symbol adds; 0 for one that the table does not know."""
    known = SYMBOLS.get(name)
    return weights.get(name, known.weight if known is not None else 0.0)
