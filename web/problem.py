"""Errors of the API as application/problem+json (RFC 9457)."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class ProblemResponse(JSONResponse):
    """Never kept by a cache. `wait` in seconds is Retry-After; `more` are further members."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        wait: float = 0.0,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
        if detail:
            body["detail"] = detail
        fields = {"Cache-Control": "no-store", **(headers or {})}
        if wait > 0:
            fields["Retry-After"] = str(math.ceil(wait))
        super().__init__(body | dict(more or {}), status, fields)
