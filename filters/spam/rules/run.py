"""All rules over one message, and the weights of what they and other filters found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from config.symbols import SYMBOLS, Group
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
# How programs and scripts of those we know write their mail is no sign of spam.
FORGIVEN: Final = frozenset(
    {Group.PEER, Group.ADDRESSES, Group.HEADER, Group.SUBJECT, Group.MIME, Group.AUTHENTICATION}
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


def forgiven(found: Iterable[Scored], weights: Mapping[str, float]) -> tuple[Scored, ...]:
    """For those we know: what they say counts, not how it is written, unless the configuration
    names the symbol.
    """
    return tuple(
        replace(one, weight=0.0) if one.weight > 0 and _is_form(one.name, weights) else one
        for one in found
    )


def _is_form(name: str, weights: Mapping[str, float]) -> bool:
    known = SYMBOLS.get(name)
    return known is not None and known.group in FORGIVEN and name not in weights


def weight_of(name: str, weights: Mapping[str, float]) -> float:
    """What a symbol adds; 0 for one that the table does not know."""
    known = SYMBOLS.get(name)
    return weights.get(name, known.weight if known is not None else 0.0)
