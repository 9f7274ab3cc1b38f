"""The OpenAPI 3.1 document, made of what the endpoints declare; docs/openapi.json is a copy."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.problem import MEDIA_TYPE
from web.rest.conditions import CHANGES
from web.rest.endpoint import PREFIX, Access, Endpoint, Match
from web.rest.models import Query
from web.rest.repeats import KEY, MAX_KEY
from web.rest.table import names_of

_REF: Final = "#/components/schemas/{model}"
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-session",
        "description": "beside the field X-Requested-With",
    },
}
_MEANING: Final = {
    Access.PUBLIC: "Anybody may ask.",
    Access.MAIL: "For every login that has `jmap`, as far as that goes.",
    Access.OWN: "For logins that have `web` and no bounds.",
    Access.SESSION: "For sessions that a person opened.",
    Access.FRESH: "For sessions that a person opened in the last ten minutes.",
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document, the same for the same endpoints."""
    shown = [one for one in endpoints if one.summary]
    references, definitions = _schemas(shown)
    paths: dict[str, dict[str, Any]] = {}
    for one in shown:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mail server", "version": "1", "license": {"name": "Apache-2.0"}},
        "servers": [{"url": PREFIX}],
        "tags": [{"name": name} for name in dict.fromkeys(one.tag for one in shown)],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **definitions},
            "responses": _responses(shown),
            "securitySchemes": _SECURITY,
        },
    }


Key = tuple[type[BaseModel], str]


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[Mapping[Key, Any], dict[str, Any]]:
    wanted: dict[Key, None] = {}
    for one in endpoints:
        if one.takes is not None:
            wanted[one.takes, "validation"] = None
        if one.gives is not None:
            wanted[one.gives, "serialization"] = None
    found, whole = models_json_schema(list(wanted), ref_template=_REF)  # type: ignore[arg-type]
    return found, dict(sorted(whole.get("$defs", {}).items()))  # type: ignore[return-value]


def _operation(one: Endpoint, references: Mapping[Key, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": _MEANING[one.access],
        "parameters": [*_path_parameters(one), *_query_parameters(one.query), *_fields(one)],
        "responses": {
            **{str(status): _success(one, references, status) for status in _good(one)},
            **_problems(one),
        },
    }
    if one.access is not Access.PUBLIC:
        found["security"] = [{"bearer": []}, {"session": []}]
    if one.takes is not None:
        content = {"application/json": {"schema": references[one.takes, "validation"]}}
        found["requestBody"] = {"required": True, "content": content}
    elif one.brings:
        found["requestBody"] = {"required": False, "content": {one.brings: {}}}
    return found


def _path_parameters(one: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"minLength": 1, **one.typed(name).json_schema()}
            if one.typed(name).json_schema().get("type") == "string"
            else one.typed(name).json_schema(),
        }
        for name in names_of(one.path)
    ]


def _query_parameters(query: type[Query]) -> list[dict[str, Any]]:
    schema = query.model_json_schema()
    needed = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": part}
        for name, part in schema.get("properties", {}).items()
    ]


def _fields(one: Endpoint) -> list[dict[str, Any]]:
    found = []
    if one.method == "POST" and one.access is not Access.PUBLIC and one.handler is not None:
        key = {"type": "string", "pattern": f"^{KEY}$", "maxLength": MAX_KEY}
        found.append(_field("Idempotency-Key", key))
    if one.method in CHANGES and one.access is not Access.PUBLIC and one.handler is not None:
        found.append(_field("If-Match", {"type": "string"}))
    return found


def _field(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": dict(schema)}


def _good(one: Endpoint) -> tuple[int, ...]:
    return (one.answers, *one.also)


def _success(one: Endpoint, references: Mapping[Key, Any], status: int) -> dict[str, Any]:
    found: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if status >= 300:
        return found
    if one.gives is not None:
        schema = references[one.gives, "serialization"]
        found["content"] = {one.media: {"schema": schema}}
    elif one.ready:
        found["content"] = {one.media: {}}
    return found


def _problems(one: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in sorted(_statuses(one))
    }
    if one.method == "GET" and one.gives is not None and one.handler is not None:
        found["304"] = {"description": "Not Modified"}
    return found


def _responses(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Every problem that one of them may have."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    statuses = sorted({status for one in endpoints for status in _statuses(one)})
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def _statuses(one: Endpoint) -> set[int]:
    found = {400, 403, 404, 422, 429, 503, *one.refused}
    if one.access is not Access.PUBLIC:
        found.add(401)
    if one.takes is not None:
        found |= {408, 413, 415, 422}
    if one.method != "GET":
        found |= {409, 507}
    if one.method in CHANGES:
        found.add(412)
    if one.match is Match.NEEDED:
        found.add(428)
    return found
