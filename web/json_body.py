"""The JSON object that a request brings, bounded in octets and time; what is wrong is a BadBody."""

import asyncio
from typing import Any, Final

import orjson
from starlette.requests import Request

SECONDS: Final = 10.0


class BadBody(Exception):
    """With the status that answers it; the text may be shown."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Fields:
    """Members of the object: each asked for by name and type; others are passed over."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def text(self, name: str, *, needed: bool = True) -> str:
        """A string, "" for one that is not needed and absent. Raises BadBody."""
        value = self._members.get(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or (needed and not value):
            raise BadBody(400, f"{name}: a text" + (" is needed" if needed else ""))
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false. Raises BadBody."""
        value = self._members.get(name, default)
        if not isinstance(value, bool):
            raise BadBody(400, f"{name}: true or false")
        return value

    def members(self, name: str) -> dict[str, Any]:
        """An object. Raises BadBody."""
        value = self._members.get(name)
        if not isinstance(value, dict):
            raise BadBody(400, f"{name}: an object is needed")
        return value


async def read_fields(request: Request, limit: int) -> Fields:
    """Raises BadBody, starlette.requests.ClientDisconnect."""
    return Fields(await read_json(request, limit))


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """Its members as they are. Raises as read_fields."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BadBody(415, "a body of the type application/json is needed")
    try:
        found = orjson.loads(await read_body(request, limit))
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise BadBody(400, "the body is no JSON object")
    return found


async def read_body(request: Request, limit: int) -> bytes:
    """Raises BadBody, starlette.requests.ClientDisconnect."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise BadBody(408, "the body did not come in time") from None


async def _read(request: Request, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise BadBody(413, f"the body has more than {limit} octets")
        pieces.append(piece)
    return b"".join(pieces)
