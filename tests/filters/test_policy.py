"""Rules become one policy: the first that matches and sets a key decides it, and none too early."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sections_server import PolicyRule
from filters.policy import (
    NO_POLICY,
    NULL_SENDER,
    Match,
    Policy,
    Ruling,
    Subject,
    match,
    resolve,
    together,
)

SUBJECT = Subject("smtp", "192.0.2.1", "", "partner.test", "example.test")


def rule(**keys: Any) -> PolicyRule:
    return PolicyRule.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "subject", "expected"),
    [
        ({}, SUBJECT, Match.YES),
        ({"listener": "smtp"}, SUBJECT, Match.YES),
        ({"listener": ["submission", "lmtp"]}, SUBJECT, Match.NO),
        ({"network": ["192.0.2.0/24"]}, SUBJECT, Match.YES),
        ({"network": "192.0.2.0/24"}, Subject("smtp", "::ffff:192.0.2.9"), Match.YES),
        ({"network": "2001:db8::/32"}, SUBJECT, Match.NO),
        ({"sender_domain": "partner.test"}, SUBJECT, Match.YES),
        ({"sender_domain": "*.partner.test"}, SUBJECT, Match.NO),
        ({"sender_domain": "*.test"}, SUBJECT, Match.YES),
        ({"sender_domain": "<>"}, Subject("smtp", "", "", NULL_SENDER), Match.YES),
        ({"sender_domain": "<>"}, SUBJECT, Match.NO),
        ({"sender_domain": "partner.test"}, Subject("smtp", "192.0.2.1"), Match.MAYBE),
        ({"sender_domain": "x.test", "listener": "lmtp"}, Subject("smtp", ""), Match.NO),
        ({"account": "Ada@example.test"}, Subject("smtp", "", "ada@example.test"), Match.YES),
        ({"account": "@example.test"}, Subject("smtp", "", "ada@example.test"), Match.YES),
        ({"account": "@ample.test"}, Subject("smtp", "", "ada@example.test"), Match.NO),
        ({"account": "@example.test"}, SUBJECT, Match.NO),
        ({"account": "@example.test"}, Subject("submission", ""), Match.MAYBE),
        ({"recipient_domain": ["a.test", "example.test"]}, SUBJECT, Match.YES),
    ],
)
def test_what_a_rule_is_about(keys: dict[str, Any], subject: Subject, expected: Match) -> None:
    assert match(rule(**keys), subject) is expected


def test_without_rules_the_settings_hold() -> None:
    assert resolve([], SUBJECT) is NO_POLICY
    assert resolve([rule(listener="lmtp", recipients=1)], SUBJECT) is NO_POLICY


def test_each_key_is_decided_by_the_first_rule_that_sets_it() -> None:
    rules = [
        rule(sender_domain="partner.test", message_size="20M", skip=["greylist"]),
        rule(network="192.0.2.0/24", message_size="1M", recipients=5, messages_per_minute=9),
        rule(action="refuse", text="no", recipients=1),
    ]
    found = resolve(rules, SUBJECT)
    assert (found.message_size, found.recipients) == (20 << 20, 5)
    assert (found.messages_per_minute, found.rule) == (9, 2)
    assert (found.ruling, found.text) == (Ruling.REFUSE, "no")
    assert found.skip == {"greylist"}


def test_accept_protects_from_later_rules() -> None:
    rules = [rule(sender_domain="partner.test", action="accept"), rule(action="refuse")]
    assert resolve(rules, SUBJECT).ruling is Ruling.ACCEPT
    assert resolve(rules, Subject("smtp", "", "", "other.test")).ruling is Ruling.REFUSE


def test_nothing_is_decided_that_an_earlier_rule_may_decide_later() -> None:
    rules = [rule(sender_domain="partner.test", action="accept"), rule(action="refuse")]
    assert resolve(rules, Subject("smtp", "192.0.2.1", "")).ruling is None


KEYS = st.fixed_dictionaries(
    {},
    optional={
        "listener": st.sampled_from(["smtp", "lmtp"]),
        "sender_domain": st.sampled_from(["a.test", "*.test", "<>"]),
        "recipient_domain": st.sampled_from(["a.test", "b.test"]),
        "action": st.sampled_from(["accept", "refuse"]),
        "recipients": st.integers(1, 9),
    },
)


@given(st.lists(KEYS.map(lambda keys: rule(**keys)), max_size=6), st.data())
def test_what_is_decided_early_stays(rules: list[PolicyRule], data: st.DataObject) -> None:
    """Knowing more never changes a decision made with less."""
    sender = data.draw(st.sampled_from(["a.test", "x.test", NULL_SENDER]))
    recipient = data.draw(st.sampled_from(["a.test", "b.test"]))
    early = resolve(rules, Subject("smtp", "192.0.2.1", ""))
    middle = resolve(rules, Subject("smtp", "192.0.2.1", "", sender))
    late = resolve(rules, Subject("smtp", "192.0.2.1", "", sender, recipient))
    for key in ("ruling", "recipients"):
        decided = [getattr(one, key) for one in (early, middle, late)]
        decided = [value for value in decided if value is not None]
        assert len(set(decided)) <= 1


def test_a_message_for_several_recipients() -> None:
    first = Policy(message_size=5, skip=frozenset({"spf", "greylist"}))
    second = Policy(message_size=9, skip=frozenset({"greylist"}))
    assert together([first, second]) == (5, frozenset({"greylist"}))
    assert together([first, NO_POLICY]) == (5, frozenset())
    assert together([]) == (None, frozenset())


@pytest.mark.parametrize(
    "keys",
    [
        {"listener": "imap"},
        {"network": "nonsense"},
        {"sender_domain": "a b"},
        {"account": "ada"},
        {"skip": ["syntax"]},
        {"skip": ["nonsense"]},
        {"recipients": 0},
        {"nonsense": 1},
    ],
)
def test_rules_that_are_none(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        rule(**keys)
