"""The Request object out of its octets (RFC 8620 §3.3), and the Response object (§3.4).

Octets in, values out. What is no I-JSON (RFC 7493) is refused, names that stand twice in an
object included.
"""

import asyncio
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from web.jmap.errors import RequestError
from web.jmap.limits import Limits
from web.jmap.octets import REQUEST_DEPTH, octets_of

_TURN: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call or a response: `call_id` is the client's."""

    name: str
    arguments: dict[str, Any]
    call_id: str


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """`created_ids` is None where the client gave none, and wants none."""

    using: frozenset[str]
    calls: tuple[Invocation, ...]
    created_ids: dict[str, str] | None = field(default=None)


def value_of(data: bytes, limits: Limits, *, checked: bool = False) -> Any:
    """The JSON value; `checked`: `problem_of` found nothing. Raises RequestError: notJSON,
    notRequest, limit.
    """
    if len(data) > limits.request:
        text = f"the request has more than {limits.request} octets"
        raise RequestError("limit", text, limit="maxSizeRequest")
    if not checked and (problem := problem_of(data)):
        raise RequestError(*problem)
    return orjson.loads(data)


def request_of(found: Any, limits: Limits, capabilities: Container[str]) -> ApiRequest:
    """Of a JSON value, whose unknown members are passed over (§3.3). Raises RequestError:
    notRequest, unknownCapability, limit.
    """
    if not isinstance(found, dict) or not found.keys() >= {"using", "methodCalls"}:
        raise _not_request("an object with using and methodCalls is needed")
    using = found["using"]
    if not isinstance(using, list) or not all(isinstance(one, str) for one in using):
        raise _not_request("using: an array of strings is needed")
    if not isinstance(found["methodCalls"], list):
        raise _not_request("methodCalls: an array is needed")
    for capability in using:
        if capability not in capabilities:
            raise RequestError("unknownCapability", f"not supported: {capability[:100]}")
    if len(found["methodCalls"]) > limits.calls:
        text = f"more than {limits.calls} method calls"
        raise RequestError("limit", text, limit="maxCallsInRequest")
    calls = tuple(_invocation(one) for one in found["methodCalls"])
    return ApiRequest(frozenset(using), calls, _created_ids(found.get("createdIds")))


async def response(
    responses: list[Invocation],
    session_state: str,
    created_ids: dict[str, str] | None,
    more: Mapping[str, Any] | None = None,
) -> bytes:
    """The Response object as JSON, with further members. Others have their turn between large
    objects in a list.
    """
    found: dict[str, Any] = {
        **(more or {}),
        "methodResponses": [[one.name, await _written(one), one.call_id] for one in responses],
        "sessionState": session_state,
    }
    if created_ids is not None:
        found["createdIds"] = created_ids
    return orjson.dumps(found)


async def _written(one: Invocation) -> dict[str, Any]:
    objects = one.arguments.get("list")
    if not isinstance(objects, list):
        return one.arguments
    pieces: list[orjson.Fragment] = []
    size = 0
    for each in objects:
        piece = orjson.dumps(each)
        pieces.append(orjson.Fragment(piece))
        size += len(piece)
        if size > _TURN:
            await asyncio.sleep(0)
            size = 0
    return {**one.arguments, "list": pieces}


def problem_of(data: bytes) -> tuple[str, str] | None:
    """Kind and text of a RequestError: notJSON for what is no I-JSON, notRequest for more levels
    than can be echoed. orjson sees to UTF-8, surrogates and NaN; it takes the last of equal names.
    """
    try:
        found = orjson.loads(data)
        json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        return "notJSON", f"no I-JSON: {error}"[:200]
    try:
        octets_of(found, REQUEST_DEPTH)
    except TypeError:
        return "notRequest", f"more than {REQUEST_DEPTH} levels"
    return None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice in an object")


def _invocation(found: Any) -> Invocation:
    match found:
        case [str(name), dict(arguments), str(call_id)]:
            return Invocation(name, arguments, call_id)
    raise _not_request("a method call is an array of name, arguments and call id")


def _created_ids(found: Any) -> dict[str, str] | None:
    if found is None:
        return None
    if isinstance(found, dict) and all(isinstance(one, str) for one in found.values()):
        return dict(found)
    raise _not_request("createdIds: an object of ids is needed")


def _not_request(text: str) -> RequestError:
    return RequestError("notRequest", text)
