"""What a request brings, checked: parameters of path and query, and the JSON of its body.

JSON is I-JSON (RFC 7493) of at most DEPTH levels. What is no such JSON is 400, what has not the
declared shape 422 with where and what; values that came are never repeated in errors.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, get_args
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request

from net.threads import Offload
from web.json_body import read_body
from web.rest.endpoint import Endpoint
from web.rest.errors import RestError
from web.rest.models import Query
from web.rest.table import names_of

DEPTH: Final = 32
MAX_FIELDS: Final = 64
MAX_ERRORS: Final = 20
MAX_TEXT: Final = 300
_NUL: Final = rb"\u0000"
_NO_NUL: Final = "a text holds U+0000, which is stored nowhere"
_QUICK: Final = 64 * 1024
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_FLAGS: Final = {"true": True, "false": False}


async def body_of(
    request: Request, endpoint: Endpoint, offload: Offload
) -> tuple[bytes, BaseModel | None]:
    """The octets of the body and what they mean; none where the endpoint takes none. Raises
    RestError, BadBody, ClientDisconnect, Busy.
    """
    if endpoint.takes is None:
        if await read_body(request, endpoint.limit):
            raise RestError(400, "this takes no body")
        return b"", None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        accept = {"Accept": "application/json"}
        raise RestError(415, "a body of the type application/json is needed", headers=accept)
    data = await read_body(request, endpoint.limit)
    wrong = fault_of(data) if len(data) < _QUICK else await offload.process(fault_of, data)
    if wrong:
        raise RestError(400, wrong)
    if _NUL in data and _holds_nul(orjson.loads(data)):
        raise RestError(422, _NO_NUL)
    return data, _checked(partial(endpoint.takes.model_validate_json, data), 422)


def fault_of(data: bytes) -> str:
    """Why it is no JSON that is taken here, "" where it is. Pure."""
    try:
        found = orjson.loads(data)
        json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return "the body is no JSON, or a name stands twice in it"
    return f"the body has more than {DEPTH} levels" if _is_deep(found, DEPTH) else ""


def query_of(request: Request, endpoint: Endpoint) -> Query:
    """Raises RestError."""
    raw = request.scope.get("query_string", b"")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise RestError(400, "the part behind ? cannot be read") from None
    values: dict[str, Any] = {}
    for name, text in pairs:
        if "\0" in text:
            raise RestError(422, _NO_NUL)
        if name in values:
            raise RestError(400, f"a parameter stands twice: {name[:50]!r}")
        values[name] = _typed(endpoint.query, name, text)
    made = partial(endpoint.query.model_validate_json, json.dumps(values))
    found: Query = _checked(made, 400)
    return found


def params_of(endpoint: Endpoint, texts: tuple[str, ...]) -> Mapping[str, Any]:
    """By name. What cannot be anybody's name is not there. Raises RestError."""
    found: dict[str, Any] = {}
    for name, text in zip(names_of(endpoint.path), texts, strict=True):
        kind = endpoint.params.get(name, str)
        value: Any = text
        if _is_number(kind):
            value = int(text) if _NUMBER.fullmatch(text) else text
        try:
            found[name] = _adapter(kind).validate_python(value, strict=True)
        except ValidationError:
            raise RestError(404, f"there is no such {name}") from None
    return found


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _checked(made: Callable[[], Any], status: int) -> Any:
    try:
        return made()
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = [
            {"pointer": _pointer(one["loc"]), "detail": _sentence(one)}
            for one in found[:MAX_ERRORS]
        ]
        what = "body" if status == 422 else "query"
        raise RestError(status, f"the {what} is not valid", more={"errors": told}) from None


def _sentence(error: Any) -> str:
    """Without what came."""
    if error["type"] == "union_tag_invalid":
        return "there is no such type"
    return str(error["msg"])[:MAX_TEXT]


def _pointer(place: tuple[str | int, ...]) -> str:
    """RFC 6901."""
    steps = (str(step)[:100].replace("~", "~0").replace("/", "~1") for step in place)
    return "".join(f"/{step}" for step in steps)


def _typed(kind: type[Query], name: str, text: str) -> Any:
    declared = kind.model_fields.get(name)
    if declared is None:
        return text
    if _is_number(declared.annotation) and _NUMBER.fullmatch(text):
        return int(text)
    if _holds(declared.annotation, bool):
        return _FLAGS.get(text, text)
    return text


def _is_number(kind: Any) -> bool:
    return _holds(kind, int) or _holds(kind, float)


def _holds(kind: Any, wanted: type) -> bool:
    return kind is wanted or any(_holds(one, wanted) for one in get_args(kind))


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice in an object")


def _holds_nul(value: Any) -> bool:
    """Of JSON that is not too deep."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(map(_holds_nul, value))


def _is_deep(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return left == 0 or any(_is_deep(one, left - 1) for one in inner)
