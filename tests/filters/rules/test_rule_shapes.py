"""Rules as JSON, and as the script of an account."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.recipients.compiled import Compiled
from filters.rules.shapes import rule_of, shape_of
from filters.rules.values import BadRule, File, MailingList, Rule, Star, Tag
from filters.scripts import SMALL
from filters.user_rules import Held, OwnScript, UserRules
from net.threads import Offload
from storage.script_values import ScriptChanged
from tests.support.directories import make_settings, open_directory

LISTS = Rule("Lists", (MailingList("python"),), (File("Lists"),))
STARS = Rule("Stars", (), (Star(),), enabled=False)


def test_shapes_both_ways() -> None:
    shape = {
        "name": "all",
        "enabled": False,
        "match": "any",
        "stop": False,
        "conditions": [
            {"type": "header", "name": "Subject", "value": "x", "compare": "is", "negated": True},
            {"type": "address", "who": "recipient", "value": "b.test", "compare": "domain",
             "negated": False},
            {"type": "contact", "who": "from", "group": "", "negated": False},
            {"type": "correspondent", "who": "from", "negated": True},
            {"type": "size", "octets": 10, "over": False},
            {"type": "attachment", "negated": False},
            {"type": "list", "value": "x", "negated": False},
            {"type": "text", "value": "x", "negated": False},
        ],
        "actions": [
            {"type": "tag", "keyword": "a"},
            {"type": "star"},
            {"type": "mark_read"},
            {"type": "never_spam"},
            {"type": "file", "mailbox": "x"},
            {"type": "archive"},
            {"type": "delete"},
            {"type": "forward", "address": "a@b.test", "keep": False},
        ],
    }  # fmt: skip
    assert shape_of(rule_of(shape)) == shape
    assert json.loads(json.dumps(shape_of(rule_of(shape)))) == shape
    short = {"name": "x", "actions": [{"type": "star"}]}
    assert rule_of(short) == Rule("x", (), (Star(),))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"name": "x", "actions": [{"type": "star"}], "more": 1},
        {"name": "x", "actions": {"type": "star"}},
        {"name": "x", "actions": ["star"]},
        {"name": "x", "actions": [{"type": "explode"}]},
        {"name": "x", "actions": [{"type": []}]},
        {"name": "x", "actions": [{"type": "star", "many": 5}]},
        {"name": "x", "actions": [{"type": "tag"}]},
        {"name": "x", "actions": [{"type": "tag", "keyword": 5}]},
        {"name": "x", "match": "some"},
        {"name": "x", "enabled": "yes"},
        {"name": "x", "conditions": [{"type": "size", "octets": True}]},
        {"name": "x", "conditions": [{"type": "address", "who": "me", "value": "x"}]},
    ],
)
def test_what_is_no_rule_says_why(wrong: object) -> None:
    with pytest.raises(BadRule) as caught:
        rule_of(wrong)
    assert str(caught.value)


_KEYS = st.sampled_from(["name", "type", "actions", "conditions", "value", "who", "match"])
_WORDS = st.sampled_from(["header", "tag", "file", "all", "x", "from", "contact"])
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(_VALUES)
def test_any_json_is_a_rule_or_says_why(value: Any) -> None:
    try:
        rule = rule_of(value)
    except BadRule:
        return
    assert rule_of(shape_of(rule)) == rule


async def test_rules_are_the_active_script_and_an_own_one_stays_as_it_is(tmp_path: Path) -> None:
    offload = Offload()
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        scripts, rules = directory.scripts, UserRules(directory.scripts, offload)
        assert await rules.load(ada) == Held("rules", False, ())
        await rules.save(ada, [LISTS])
        active = await scripts.active(ada)
        assert active is not None and active.name == "rules"
        assert b'fileinto :create "Lists";' in active.text
        # a change by ManageSieve is seen as rules, as far as it is some
        await scripts.put(ada, "rules", active.text.replace(b'"python"', b'"perl"'))
        held = await rules.load(ada)
        assert held.rules is not None and held.rules[0].conditions == (MailingList("perl"),)
        await rules.save(ada, [STARS, LISTS])
        assert (await rules.load(ada)).rules == (STARS, LISTS)
        with pytest.raises(BadRule):
            await rules.save(ada, [LISTS, LISTS])
        # an own script is not touched
        await scripts.put(ada, "mine", b"keep; # mine\r\n")
        await scripts.activate(ada, "mine")
        assert await rules.load(ada) == Held("mine", True, None)
        with pytest.raises(OwnScript, match="'mine'"):
            await rules.save(ada, [LISTS])
        assert (await scripts.get(ada, "mine")).text == b"keep; # mine\r\n"
        # and rules come back when it is no longer active
        await scripts.activate(ada, "")
        assert await rules.load(ada) == Held("rules", False, (STARS, LISTS))
    offload.close()


async def test_rules_that_make_no_script_are_not_kept(tmp_path: Path) -> None:
    offload = Offload(processes=1)
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        rules = UserRules(directory.scripts, offload)
        await rules.save(ada, [LISTS])
        tags = tuple(Tag(f"t{n}") for n in range(20))
        many = [Rule(f"{n}", (), tags) for n in range(500)]
        with pytest.raises(BadRule, match="more than 10000 commands"):
            await rules.save(ada, many)
        assert (await rules.load(ada)).rules == (LISTS,)
    offload.close()


async def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    offload = Offload()
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        scripts, rules = directory.scripts, UserRules(directory.scripts, offload)

        def add(name: str) -> Callable[[tuple[Rule, ...]], list[Rule]]:
            return lambda present: [*present, Rule(name, (), (Star(),))]

        await asyncio.gather(*(rules.change(ada, add(name)) for name in ("a", "b", "c")))
        held = await rules.load(ada)
        assert held.rules is not None and {one.name for one in held.rules} == {"a", "b", "c"}
        # a script that took the place of the rules meanwhile is not written over
        active = await scripts.active(ada)
        assert active is not None
        own = asyncio.ensure_future(scripts.put(ada, "rules", b"keep; # mine\r\n"))
        with pytest.raises(OwnScript):
            await asyncio.gather(own, rules.save(ada, [LISTS]))
        assert (await scripts.get(ada, "rules")).text == b"keep; # mine\r\n"
        with pytest.raises(ScriptChanged):
            await scripts.put(ada, "rules", b"stop;", over=active.text)
        with pytest.raises(ScriptChanged):
            await scripts.put(ada, "none", b"stop;", over=b"stop;")
        assert [one.name for one in await scripts.listed(ada)] == ["rules"]
    offload.close()


async def test_a_thousand_rules_are_kept_compiled_and_read_again(tmp_path: Path) -> None:
    offload = Offload(processes=1)
    async with open_directory(make_settings(tmp_path)) as directory:
        ada = (await directory.add_account("ada@example.test", "hash")).id
        rules = UserRules(directory.scripts, offload)
        many = tuple(
            Rule(f"{n}", (MailingList(f"list {n}"),), (File("Lists"),)) for n in range(1000)
        )
        await rules.save(ada, many)
        assert (await rules.load(ada)).rules == many
        active = await directory.scripts.active(ada)
        assert active is not None and len(active.text) > SMALL
        assert len((await Compiled(offload).get(active.text)).nodes) == 1000
        with pytest.raises(BadRule):
            await rules.save(ada, (*many, LISTS))
    offload.close()
