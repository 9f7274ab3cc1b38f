"""Endpoints that are operations: what commands do, done for the login and as far as that may. What
the operation is called, takes and gives stands in mailserver/operations.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from web.rest.endpoint import Call, Handler

Perform = Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
"""For the account of an address the operation of a name with arguments. Raises RestError."""
_PAGING = frozenset({"limit", "cursor"})


class Operations:
    """Makes handlers."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def by(
        self,
        name: str,
        *,
        own: str = "",
        renamed: Mapping[str, str] | None = None,
        pick: Callable[[Any], Any] = lambda found: found,
        **fixed: Any,
    ) -> Handler:
        """The operation `name` with the members of path, query and body as arguments, some of them
        `renamed`, and `fixed` ones; the argument `own` is the login's address. `pick` makes what
        the endpoint gives of the result.
        """

        async def handler(call: Call) -> Any:
            args = arguments(call, renamed or {}) | fixed
            if own:
                args[own] = call.user.address
            return pick(await self.do(call, name, args))

        return handler

    async def do(self, call: Call, name: str, args: Mapping[str, Any]) -> Any:
        """The result. Raises RestError."""
        return await self._perform(call.user.address, name, args)


def arguments(call: Call, renamed: Mapping[str, str]) -> dict[str, Any]:
    """What the request brings, without what was left out."""
    found = call.query.model_dump(exclude_unset=True, exclude=set(_PAGING))
    if call.body is not None:
        found |= call.body.model_dump(mode="json", exclude_unset=True)
    found |= call.params
    return {renamed.get(name, name): value for name, value in found.items()}
