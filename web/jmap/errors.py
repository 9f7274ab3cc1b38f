"""What a request, a method or a part of a /set is refused with (RFC 8620 §3.6, §5.3)."""

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Any, Final

_URN: Final = "urn:ietf:params:jmap:error:"


class RequestError(Exception):
    """The whole request is refused, as a problem of HTTP. `kind` is `notJSON`, `notRequest`,
    `unknownCapability` or `limit`; `limit` names the limit that was passed (§3.6.1).
    """

    def __init__(self, kind: str, detail: str, *, limit: str = "", status: int = 400) -> None:
        super().__init__(detail)
        self.kind, self.limit, self.status = kind, limit, status

    @property
    def members(self) -> dict[str, Any]:
        """What stands in the problem beside title, status and detail."""
        found = {"type": _URN + self.kind}
        return found | {"limit": self.limit} if self.limit else found


def too_many(limit: str = "maxConcurrentRequests") -> RequestError:
    """More of what `limit` names than run at once."""
    return RequestError("limit", "too many requests at once", limit=limit)


class MethodError(Exception):
    """One method call is refused (§3.6.2); `more` are members of this type of error."""

    def __init__(self, kind: str, description: str = "", **more: Any) -> None:
        super().__init__(description or kind)
        self.kind, self.description, self.more = kind, description, more

    @property
    def members(self) -> dict[str, Any]:
        """The arguments of the `error` response."""
        described = {"description": self.description} if self.description else {}
        return {"type": self.kind, **described, **self.more}


class SetError(Exception):
    """One create, update or destroy of a /set is refused (§5.3), at fault `properties`."""

    def __init__(
        self, kind: str, description: str = "", properties: tuple[str, ...] = (), **more: Any
    ) -> None:
        super().__init__(description or kind)
        self.kind, self.description, self.properties = kind, description, properties
        self.more = more

    @property
    def members(self) -> dict[str, Any]:
        """The SetError object."""
        found: dict[str, Any] = {"type": self.kind}
        if self.description:
            found["description"] = self.description
        if self.properties:
            found["properties"] = list(self.properties)
        return found | self.more


@contextmanager
def partly(done: Sized) -> Iterator[None]:
    """Around what changes objects one by one, noted in `done`: what breaks off then is
    serverPartialFail, since other errors say that nothing was changed (§3.6.2).
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, MethodError) and not done:
            raise
        raise MethodError("serverPartialFail") from error


def invalid_arguments(description: str) -> MethodError:
    """An argument is of the wrong type, missing, unknown, or makes no sense."""
    return MethodError("invalidArguments", description)


def invalid_properties(description: str, *properties: str) -> SetError:
    """Properties of an object are of the wrong type, unknown, or make no sense."""
    return SetError("invalidProperties", description, properties)
