"""The rules of `[[policy]]`: what a connection, a sender, a recipient may, as one value. Pure.

Each key is decided by the first rule that sets it and matches. While something that such a rule
asks for is not known yet (the sender, before MAIL), the key is undecided and the general setting
holds, so that no later rule decides what an earlier one will.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from config.sections_server import PolicyRule
from net.networks import parse_address

NULL_SENDER = "<>"


class Match(Enum):
    """Whether a rule is about a subject; MAYBE while something is not known."""

    NO = 0
    MAYBE = 1
    YES = 2


class Ruling(Enum):
    """What a rule says of the whole; ACCEPT protects from later rules."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known so far; None is not known yet. `account` is "" where nobody logs in,
    `sender` the domain of the sender, NULL_SENDER for the null one.
    """

    listener: str
    address: str
    account: str | None = None
    sender: str | None = None
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """None where the general setting holds. `rule` is the number of the rule, from 1, that set
    `messages_per_minute`: its count is kept under it. `text` belongs to `ruling`.
    """

    ruling: Ruling | None = None
    text: str = ""
    require_tls: bool = False
    message_size: int | None = None
    recipients: int | None = None
    messages_per_minute: int | None = None
    rule: int = 0
    skip: frozenset[str] = frozenset()


NO_POLICY = Policy()


def resolve(rules: Sequence[PolicyRule], subject: Subject) -> Policy:
    """The policy for a subject."""
    if not rules:
        return NO_POLICY
    matches = [(number, rule, match(rule, subject)) for number, rule in enumerate(rules, 1)]
    matches = [one for one in matches if one[2] is not Match.NO]
    if not matches:
        return NO_POLICY

    def first(key: str) -> tuple[int, Any]:
        for number, rule, found in matches:
            value = getattr(rule, key)
            if value is not None:
                return (number, value) if found is Match.YES else (0, None)
        return 0, None

    ruled, action = first("action")
    rate_rule, rate = first("messages_per_minute")
    return Policy(
        Ruling(action) if action is not None else None,
        rules[ruled - 1].text if ruled else "",
        bool(first("require_tls")[1]),
        first("message_size")[1],
        first("recipients")[1],
        rate,
        rate_rule,
        frozenset(first("skip")[1] or ()),
    )


def together(policies: Iterable[Policy]) -> tuple[int | None, frozenset[str]]:
    """Of the recipients of one message: the smallest size, and the filters that all skip."""
    found = list(policies)
    sizes = [one.message_size for one in found if one.message_size is not None]
    skipped = frozenset.intersection(*(one.skip for one in found)) if found else frozenset()
    return min(sizes, default=None), skipped


def match(rule: PolicyRule, subject: Subject) -> Match:
    """Whether all that a rule asks for holds; a list asks for one of its entries."""
    found = Match.YES
    for wanted, value, holds in (
        (rule.listener, subject.listener, _is_equal),
        (rule.network, subject.address, _is_in),
        (rule.account, subject.account, _is_account),
        (rule.sender_domain, subject.sender, _is_domain),
        (rule.recipient_domain, subject.recipient, _is_domain),
    ):
        one = _match_one(wanted, value, holds)
        if one is Match.NO:
            return Match.NO
        if one is Match.MAYBE:
            found = Match.MAYBE
    return found


def _match_one(
    wanted: Sequence[Any], value: str | None, holds: Callable[[Any, str], bool]
) -> Match:
    if not wanted:
        return Match.YES
    if value is None:
        return Match.MAYBE
    return Match.YES if any(holds(one, value) for one in wanted) else Match.NO


def _is_equal(wanted: str, value: str) -> bool:
    return wanted == value


def _is_in(network: Any, address: str) -> bool:
    parsed = parse_address(address)
    return parsed is not None and parsed in network


def _is_account(wanted: str, account: str) -> bool:
    if wanted.startswith("@"):
        return account.casefold().endswith(wanted.casefold())
    return account.casefold() == wanted.casefold()


def _is_domain(wanted: str, domain: str) -> bool:
    if wanted.startswith("*."):
        return domain.endswith(wanted[1:])
    return domain == wanted
