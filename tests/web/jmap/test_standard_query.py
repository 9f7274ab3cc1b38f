"""/query and /queryChanges of any type, over a type of a few numbers."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.logging import get_logger
from web.jmap.kept_results import KeptResults, difference
from web.jmap.limits import Limits
from web.jmap.listed_query import Listed, equals, holds
from web.jmap.methods import Call, Methods
from web.jmap.request import ApiRequest, Invocation
from web.jmap.standard import Object
from web.jmap.standard_query import StandardQuery

USING = "urn:test"
Call_ = Call[str]


class Fruit(Listed[str, str]):
    """The account is a name; there is one of that name."""

    name = "Fruit"
    capability = USING
    properties = frozenset(("name", "ripe"))
    conditions: ClassVar = {"name": holds("name"), "ripe": equals("ripe", bool)}
    sort_keys: ClassVar = {"name": lambda one: one["name"], "ripe": lambda one: one["ripe"]}
    sorts = frozenset(sort_keys)

    def __init__(self) -> None:
        self.held: list[Object] = []
        self.number = 0

    def put(self, *names: str, ripe: bool = True) -> None:
        self.number += 1
        self.held = [{"id": f"f-{name.lower()}", "name": name, "ripe": ripe} for name in names]

    def account(self, call: Call_, account_id: str) -> str:
        return account_id

    async def state(self, account: str) -> str:
        return str(self.number)

    async def get(
        self, account: str, ids: Sequence[str] | None, properties: frozenset[str], arguments: Any
    ) -> tuple[list[Object], list[str]]:
        return self.held, []

    async def objects(self, account: str) -> Sequence[Object]:
        return self.held


class Server:
    """The methods of Fruit; `ids_in_query` is 4."""

    def __init__(self) -> None:
        self.fruit = Fruit()
        limits = Limits(ids_in_query=4)
        self._methods = Methods[str](limits, get_logger("test"))
        StandardQuery(self._methods, limits, lambda context: context, 1_000_000).add(self.fruit)

    async def call(self, name: str, who: str = "me", **arguments: Any) -> Any:
        asked = Invocation(f"Fruit/{name}", {"accountId": "A1", **arguments}, "c")
        (found,) = await self._methods.run(ApiRequest(frozenset((USING,)), (asked,), None), who)
        return found.arguments


@pytest.fixture
def server() -> Server:
    server = Server()
    server.fruit.put("Pear", "apple", "Fig", "date", "Cherry")
    return server


NAME: dict[str, Any] = {"sort": [{"property": "name"}]}


@pytest.mark.parametrize(
    ("arguments", "position", "ids"),
    [
        pytest.param({"limit": 2}, 0, ["apple", "cherry"], id="limit"),
        pytest.param({"position": 3}, 3, ["fig", "pear"], id="position"),
        pytest.param({"position": -2}, 3, ["fig", "pear"], id="from-the-end"),
        pytest.param({"position": -9, "limit": 1}, 0, ["apple"], id="before-the-start"),
        pytest.param({"position": 5}, 5, [], id="behind-the-end"),
        pytest.param({"anchor": "f-date", "position": 4, "limit": 1}, 2, ["date"], id="anchor"),
        pytest.param(
            {"anchor": "f-date", "anchorOffset": -1, "limit": 2}, 1, ["cherry", "date"], id="offset"
        ),
        pytest.param(
            {"anchor": "f-date", "anchorOffset": -9, "limit": 1}, 0, ["apple"], id="clamped"
        ),
        pytest.param({"anchorOffset": 2, "limit": 1}, 0, ["apple"], id="offset-alone"),
        pytest.param({"limit": 0}, 0, [], id="none"),
    ],
)
async def test_a_window_is_a_part_of_the_result(
    server: Server, arguments: dict[str, Any], position: int, ids: list[str]
) -> None:
    found = await server.call("query", **NAME, **arguments)
    assert (found["position"], found["ids"]) == (position, [f"f-{id_}" for id_ in ids])
    assert "total" not in found
    assert ("limit" in found) is ("limit" not in arguments)


async def test_a_limit_that_the_server_sets_is_told(server: Server) -> None:
    found = await server.call("query", **NAME, limit=9, calculateTotal=True)
    assert (len(found["ids"]), found["limit"], found["total"]) == (4, 4, 5)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"limit": -1}, "invalidArguments", id="negative"),
        pytest.param({"anchor": "f-plum"}, "anchorNotFound", id="anchor"),
        pytest.param({"filter": {"weight": 1}}, "unsupportedFilter", id="condition"),
        pytest.param({"filter": {"name": 1}}, "invalidArguments", id="type"),
        pytest.param({"filter": []}, "invalidArguments", id="array"),
        pytest.param(
            {"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments", id="operator"
        ),
        pytest.param({"filter": {"operator": "AND"}}, "invalidArguments", id="no-conditions"),
        pytest.param(
            {"filter": {"operator": "AND", "conditions": [{}] * 500}},
            "unsupportedFilter",
            id="many",
        ),
        pytest.param({"sort": [{"property": "weight"}]}, "unsupportedSort", id="property"),
        pytest.param(
            {"sort": [{"property": "name", "collation": "x"}]}, "unsupportedSort", id="collation"
        ),
        pytest.param({"sort": [{}]}, "invalidArguments", id="no-property"),
        pytest.param({"sort": [{"property": "name", "x": 1}]}, "invalidArguments", id="member"),
        pytest.param({"more": 1}, "invalidArguments", id="argument"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_name(
    server: Server, arguments: dict[str, Any], error: str
) -> None:
    assert (await server.call("query", **arguments))["type"] == error


async def test_operators_join_conditions(server: Server) -> None:
    async def ids(operator: str, *conditions: Any) -> list[str]:
        filter_ = {"operator": operator, "conditions": list(conditions)}
        return list((await server.call("query", **NAME, filter=filter_))["ids"])

    an_e, a_p = {"name": "E"}, {"name": "p"}
    assert await ids("AND", an_e, a_p) == ["f-apple", "f-pear"]
    assert await ids("OR", {"name": "fig"}, a_p) == ["f-apple", "f-fig", "f-pear"]
    assert await ids("NOT", an_e, a_p) == ["f-fig"]
    assert await ids("OR") == []
    assert await ids("NOT", {"operator": "OR", "conditions": [an_e]}) == ["f-fig"]
    assert len(await ids("AND")) == 4
    nothing = await server.call("query", filter=None, sort=None)
    assert len(nothing["ids"]) == 4


async def test_changes_lead_from_the_old_result_to_the_new_one(server: Server) -> None:
    before = (await server.call("query", **NAME))["queryState"]
    same = await server.call("queryChanges", **NAME, sinceQueryState=before)
    assert (same["removed"], same["added"], same["newQueryState"]) == ([], [], before)
    server.fruit.put("Pear", "apple", "banana", "date")
    found = await server.call("queryChanges", **NAME, sinceQueryState=before, calculateTotal=True)
    assert sorted(found["removed"]) == ["f-cherry", "f-fig"]
    assert found["added"] == [{"id": "f-banana", "index": 1}]
    assert (found["oldQueryState"], found["total"]) == (before, 4)
    asked: dict[str, Any] = {**NAME, "sinceQueryState": before}
    assert (await server.call("queryChanges", **asked, maxChanges=2))["type"] == "tooManyChanges"
    other = await server.call("queryChanges", **asked, filter={"ripe": True})
    assert other["type"] == "cannotCalculateChanges"
    another = await server.call("queryChanges", who="you", **asked)
    assert another["type"] == "cannotCalculateChanges"
    unknown = await server.call("queryChanges", **NAME, sinceQueryState="x")
    assert unknown["type"] == "cannotCalculateChanges"


_IDS = st.lists(st.sampled_from("abcdefghij"), unique=True)


@given(_IDS, _IDS)
def test_a_difference_applied_to_the_old_gives_the_new(old: list[str], new: list[str]) -> None:
    found = difference(old, new)
    result = [id_ for id_ in old if id_ not in found.removed]
    for id_, at in found.added:
        result.insert(at, id_)
    assert result == new
    assert [at for _, at in found.added] == sorted(at for _, at in found.added)
    if old == new:
        assert not found.removed


def test_kept_results_are_bounded() -> None:
    kept = KeptResults(3_000)
    for number in range(9):
        kept.put("a", str(number), ["x"] * 10)
    assert [number for number in range(9) if kept.get("a", str(number))] == [7, 8]
    kept.put("a", "large", ["x"] * 1_000)
    assert kept.get("a", "large") is None
