"""The Request object, references between its calls, and patches (RFC 8620 §3.3, §3.7, §5.3)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from config.logging import get_logger
from net.threads import Busy
from web.jmap.errors import MethodError, RequestError, SetError
from web.jmap.limits import Limits
from web.jmap.methods import CORE, Call, Methods, Results
from web.jmap.octets import Budget
from web.jmap.patch import patched
from web.jmap.references import evaluate, resolved
from web.jmap.request import Invocation, response, value_of
from web.jmap.request import request_of as parsed_request

LIMITS = Limits(request=4096, calls=4)
KNOWN = {CORE, "urn:test"}


def request_of(*calls: list[Any], using: tuple[str, ...] = (CORE, "urn:test")) -> bytes:
    return orjson.dumps({"using": using, "methodCalls": calls})


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"{", "notJSON", id="cut-short"),
        pytest.param(b'{"using":["\xff"],"methodCalls":[]}', "notJSON", id="not-utf-8"),
        pytest.param(b'{"using":["\\ud800"],"methodCalls":[]}', "notJSON", id="lone-surrogate"),
        pytest.param(b'{"using":[],"using":[],"methodCalls":[]}', "notJSON", id="name-twice"),
        pytest.param(b"[" * 2000 + b"]" * 2000, "notJSON", id="deep"),
        pytest.param(b'{"using":[],"methodCalls":[NaN]}', "notJSON", id="nan"),
        pytest.param(b"[]", "notRequest", id="array"),
        pytest.param(b'{"using":[]}', "notRequest", id="no-calls"),
        pytest.param(b'{"using":"x","methodCalls":[]}', "notRequest", id="using-text"),
        pytest.param(b'{"using":[1],"methodCalls":[]}', "notRequest", id="using-number"),
        pytest.param(b'{"using":[],"methodCalls":{}}', "notRequest", id="calls-object"),
        pytest.param(b'{"using":[],"methodCalls":[["a",{}]]}', "notRequest", id="short-call"),
        pytest.param(b'{"using":[],"methodCalls":[["a",[],"c"]]}', "notRequest", id="array-args"),
        pytest.param(
            b'{"using":[],"methodCalls":[],"createdIds":{"a":1}}', "notRequest", id="created-number"
        ),
        pytest.param(b'{"using":["urn:no"],"methodCalls":[]}', "unknownCapability", id="unknown"),
        pytest.param(
            request_of(*[["Core/echo", {}, str(n)] for n in range(5)]), "limit", id="calls"
        ),
        pytest.param(b'{"using":[],"methodCalls":[]}' + b" " * 4096, "limit", id="size"),
    ],
)
def test_a_request_that_is_none_is_refused_by_the_name_of_what_is_wrong(
    data: bytes, kind: str
) -> None:
    with pytest.raises(RequestError) as found:
        parsed_request(value_of(data, LIMITS), LIMITS, KNOWN)
    assert found.value.members["type"] == f"urn:ietf:params:jmap:error:{kind}"
    limits = {"calls": "maxCallsInRequest", "size": "maxSizeRequest"}
    assert (found.value.limit in limits.values()) is (kind == "limit")


def test_members_that_are_not_known_are_passed_over() -> None:
    found = parsed_request({"using": [], "methodCalls": [], "later": {"x": 1}}, LIMITS, KNOWN)
    assert (found.calls, found.created_ids) == ((), None)


@given(st.binary(max_size=60))
def test_any_octets_are_parsed_or_refused(data: bytes) -> None:
    try:
        parsed_request(value_of(data, LIMITS), LIMITS, KNOWN)
    except RequestError as error:
        assert error.kind in {"notJSON", "notRequest"}


RESPONSES = [
    Invocation(
        "A/query", {"ids": ["a", "b/c"], "m~n": 1, "lists": [{"x": [1, 2]}, {"x": 3}]}, "t0"
    ),
    Invocation("B/set", {"ids": []}, "t1"),
    Invocation("C/set", {"ids": ["z"]}, "t1"),
]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("", RESPONSES[0].arguments, id="all"),
        pytest.param("/ids", ["a", "b/c"], id="array"),
        pytest.param("/ids/1", "b/c", id="item"),
        pytest.param("/m~0n", 1, id="escaped"),
        pytest.param("/lists/*/x", [1, 2, 3], id="flattened"),
    ],
)
def test_a_pointer_finds_what_it_points_at(path: str, value: Any) -> None:
    reference = {"#ids": {"resultOf": "t0", "name": "A/query", "path": path}}
    assert resolved({**reference, "other": 5}, RESPONSES, Budget("all", 200)) == {
        "ids": value,
        "other": 5,
    }


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        pytest.param({"#a": 5}, "invalidResultReference", id="no-reference"),
        pytest.param(
            {"#a": {"resultOf": "t9", "name": "A/query", "path": ""}},
            "invalidResultReference",
            id="no-such-call",
        ),
        pytest.param(
            {"#a": {"resultOf": "t1", "name": "C/set", "path": ""}},
            "invalidResultReference",
            id="not-the-first-response",
        ),
        pytest.param(
            {"#a": {"resultOf": "t0", "name": "A/query", "path": "/ids/01"}},
            "invalidResultReference",
            id="leading-zero",
        ),
        pytest.param(
            {"#a": {"resultOf": "t0", "name": "A/query", "path": "/ids/2"}},
            "invalidResultReference",
            id="past-the-end",
        ),
        pytest.param(
            {"#a": {"resultOf": "t0", "name": "A/query", "path": "ids"}},
            "invalidResultReference",
            id="no-slash",
        ),
        pytest.param(
            {"#a": {"resultOf": "t0", "name": "A/query", "path": "/*" * 900}},
            "invalidResultReference",
            id="endless",
        ),
        pytest.param({"#a": {}, "a": 1}, "invalidArguments", id="given-twice"),
    ],
)
def test_a_reference_to_nothing_refuses_its_method(arguments: dict[str, Any], kind: str) -> None:
    with pytest.raises(MethodError) as found:
        resolved(arguments, RESPONSES, Budget("all", 100))
    assert found.value.kind == kind


@given(st.lists(st.sampled_from(["a", "b", "~", "/", "*", "0", ""]), max_size=4))
def test_names_of_any_kind_are_found_by_their_escaped_pointer(names: list[str]) -> None:
    value: Any = "here"
    for name in reversed(names):
        value = {name: value}
    path = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
    assert evaluate(value, path, Budget("all", 100)) == "here"


async def answers(data: bytes) -> list[Invocation]:
    methods = Methods[None](LIMITS, get_logger("test"))

    async def broken(_call: Call[None], _arguments: dict[str, Any]) -> Results:
        raise RuntimeError("secret")

    async def twice(_call: Call[None], arguments: dict[str, Any]) -> Results:
        return [("T/twice", arguments), ("T/more", {})]

    async def busy(_call: Call[None], _arguments: dict[str, Any]) -> Results:
        raise Busy("mime")

    methods.add("urn:test", "T/broken", broken)
    methods.add("urn:test", "T/busy", busy)
    methods.add("urn:test", "T/twice", twice)
    return await methods.run(parsed_request(value_of(data, LIMITS), LIMITS, KNOWN), None)


async def test_calls_are_answered_in_order_and_an_error_stops_none_after_it() -> None:
    with capture_logs() as logged:
        found = await answers(
            request_of(
                ["Core/echo", {"hello": True}, "a"],
                ["No/such", {}, "b"],
                ["T/broken", {}, "c"],
                ["T/twice", {"#x": {"resultOf": "a", "name": "Core/echo", "path": "/hello"}}, "d"],
            )
        )
    assert [line["method"] for line in logged] == ["T/broken"]
    assert [[one.name, one.arguments, one.call_id] for one in found] == [
        ["Core/echo", {"hello": True}, "a"],
        ["error", {"type": "unknownMethod"}, "b"],
        ["error", {"type": "serverFail", "description": "the server's fault"}, "c"],
        ["T/twice", {"x": True}, "d"],
        ["T/more", {}, "d"],
    ]
    assert orjson.loads(await response(found, "s1", {"k": "F1"})) == {
        "methodResponses": [[one.name, one.arguments, one.call_id] for one in found],
        "sessionState": "s1",
        "createdIds": {"k": "F1"},
    }


async def test_a_method_of_a_capability_that_is_not_used_is_unknown() -> None:
    (found,) = await answers(request_of(["T/twice", {}, "a"], using=(CORE,)))
    assert found.arguments == {"type": "unknownMethod"}


async def test_a_server_that_is_busy_says_later() -> None:
    with capture_logs():
        (found,) = await answers(request_of(["T/busy", {}, "a"]))
    assert found.arguments == {"type": "serverUnavailable"}


async def test_references_that_double_with_each_call_are_stopped() -> None:
    text = {"x": "y" * 1000}

    def doubled(call: str) -> dict[str, Any]:
        reference = {"resultOf": call, "name": "Core/echo", "path": ""}
        return {"#one": reference, "#two": reference}

    found = await answers(
        request_of(
            ["Core/echo", text, "0"],
            ["Core/echo", doubled("0"), "1"],
            ["Core/echo", doubled("1"), "2"],
        )
    )
    assert [one.name for one in found] == ["Core/echo", "Core/echo", "error"]
    assert found[-1].arguments["type"] == "requestTooLarge"


async def test_looking_for_little_in_much_is_bounded() -> None:
    found = Invocation("A/get", {"list": [{"x": []} for _ in range(1000)]}, "t0")
    reference = {"resultOf": "t0", "name": "A/get", "path": "/list/*/x"}
    budget = Budget("references", 20_000)
    assert resolved({"#ids": reference}, [found], budget) == {"ids": []}
    with pytest.raises(MethodError) as caught:
        resolved({"#ids": reference}, [found], budget)
    assert caught.value.kind == "requestTooLarge"
    many = {f"#{n}": reference for n in range(101)}
    with pytest.raises(MethodError) as caught:
        resolved(many, [found], Budget("references", 1 << 30))
    assert caught.value.kind == "invalidArguments"


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        pytest.param({"name": "b"}, {"name": "b", "keywords": {"x": True}}, id="value"),
        pytest.param({"keywords/x": None}, {"name": "a", "keywords": {}}, id="removed"),
        pytest.param({"keywords/no": None}, {"name": "a", "keywords": {"x": True}}, id="absent"),
        pytest.param(
            {"keywords/a~1b": True},
            {"name": "a", "keywords": {"x": True, "a/b": True}},
            id="escaped",
        ),
        pytest.param({"keywords": {}}, {"name": "a", "keywords": {}}, id="replaced"),
    ],
)
def test_a_patch_changes_what_its_paths_name(patch: dict[str, Any], after: dict[str, Any]) -> None:
    before = {"name": "a", "keywords": {"x": True}}
    assert patched(before, patch) == after
    assert before == {"name": "a", "keywords": {"x": True}}


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"no/x": 1}, id="no-parent"),
        pytest.param({"name/x": 1}, id="parent-no-object"),
        pytest.param({"keywords": {}, "keywords/x": True}, id="overlap"),
        pytest.param({"/".join("k" * 1_000_000): True}, id="endless"),
    ],
)
def test_a_patch_that_cannot_be_applied_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(SetError) as found:
        patched({"name": "a", "keywords": {"x": True}}, patch)
    assert found.value.kind == "invalidPatch"
