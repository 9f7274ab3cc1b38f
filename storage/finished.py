"""Methods that run to their end even when who called them is cancelled."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from storage.config_database import ConfigDatabase


class _Owner(Protocol):
    database: ConfigDatabase


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=_Owner)


def finished(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The method of an object with a `database`: commit and telling are one."""

    @wraps(method)
    async def wrapped(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.finish(method(self, *args, **kwargs))

    return wrapped
