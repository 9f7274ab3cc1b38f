"""Runs the method calls of a request, in order (RFC 8620 §3.3 to §3.7)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from config.logging import Logger
from net.threads import Busy
from storage.errors import StoreError
from web.jmap.errors import MethodError
from web.jmap.limits import Limits
from web.jmap.octets import Budget
from web.jmap.references import resolved
from web.jmap.request import ApiRequest, Invocation

CORE: Final = "urn:ietf:params:jmap:core"

Arguments = dict[str, Any]
Results = Sequence[tuple[str, Arguments]]
"""Names and arguments of responses: most methods give one, of their own name."""
C = TypeVar("C")


@dataclass(slots=True)
class Call(Generic[C]):
    """What a method runs in: `context` says for whom; `created` are ids by creation id, of this
    request and those that the client sent (§5.3); `referred` counts octets that references gave,
    `budget` those of the answer.
    """

    context: C
    using: frozenset[str]
    created: dict[str, str]
    referred: Budget
    budget: Budget

    def real(self, id_: str) -> str:
        """The id behind `#` and a creation id (§5.3), where there is one; any other text as it is:
        with a `#` it is no Id.
        """
        return self.created.get(id_[1:], id_) if id_[:1] == "#" else id_


Handler = Callable[[Call[C], Arguments], Awaitable[Results]]
Admit = Callable[[C, str], None]
"""Whether a method may be called by a login now. Raises MethodError."""


class Methods(Generic[C]):
    """Methods by name, each of a capability."""

    def __init__(self, limits: Limits, log: Logger, admit: Admit[C] | None = None) -> None:
        self._limits, self._log, self._admit = limits, log, admit
        self._handlers: dict[str, tuple[str, Handler[C]]] = {}
        self.add(CORE, "Core/echo", _echo)

    def add(self, capability: str, name: str, handler: Handler[C]) -> None:
        """Raises ValueError where the name is taken."""
        if name in self._handlers:
            raise ValueError(f"there is a method {name} already")
        self._handlers[name] = (capability, handler)

    async def run(self, request: ApiRequest, context: C) -> list[Invocation]:
        """The responses; `request.created_ids` is brought up to date."""
        created = request.created_ids if request.created_ids is not None else {}
        call = Call(
            context,
            request.using,
            created,
            Budget("references", self._limits.request),
            Budget("the answer", self._limits.answer),
        )
        responses: list[Invocation] = []
        for one in request.calls:
            for name, arguments in await self._answer(one, call, responses):
                responses.append(Invocation(name, arguments, one.call_id))
        return responses

    async def _answer(
        self, one: Invocation, call: Call[C], responses: Sequence[Invocation]
    ) -> Results:
        capability, handler = self._handlers.get(one.name, ("", None))
        try:
            if handler is None or capability not in call.using:
                raise MethodError("unknownMethod")
            if self._admit is not None:
                self._admit(call.context, one.name)
            return await handler(call, resolved(one.arguments, responses, call.referred))
        except MethodError as error:
            if error.__cause__ is not None:
                self._log.error("method failed", method=one.name, reason=repr(error.__cause__))
            return [("error", error.members)]
        except (StoreError, Busy) as error:
            self._log.error("method failed", method=one.name, reason=str(error))
            return [("error", {"type": "serverUnavailable"})]
        except Exception:
            self._log.exception("method failed", method=one.name)
            return [("error", {"type": "serverFail", "description": "the server's fault"})]


async def _echo(_call: Call[C], arguments: Arguments) -> Results:
    """RFC 8620 §4. What it gives is bounded by the request and its references."""
    return [("Core/echo", arguments)]
