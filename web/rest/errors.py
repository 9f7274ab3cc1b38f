"""What a request is refused with: a status and one plain sentence that is safe to show."""

from collections.abc import Mapping
from typing import Any


class RestError(Exception):
    """`wait` in seconds is Retry-After; `more` are further members (RFC 9457 §3.2)."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        wait: float = 0.0,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.wait = status, wait
        self.more, self.headers = dict(more or {}), dict(headers or {})


def absent(what: str = "There is no such thing") -> RestError:
    """What there is not, or what is somebody else's."""
    return RestError(404, what)
