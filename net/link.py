"""Calls both ways over one sealed connection between two processes of the server.

A frame is a line of JSON and what goes with it: `call` (method, seconds), `done` or `error` for its
number, `tell` for what needs no answer, `ping` and `pong`. What one side tells before it answers a
call is heard before the answer. Invariants: bounded calls at once in each direction, each with a
deadline that both sides keep; what the other side sends is checked against the contract, and a
connection that says anything else is closed.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from config.logging import REQUEST, Logger
from net.contract import BadSchema, Contract
from net.sealed import MOST, Sealed, SealedError

AT_ONCE: Final = 256
LINE: Final = 4096
PAYLOAD: Final = MOST - LINE
"""Octets of what goes with a call or its answer; more refuses that one, and the link lives on."""
REQUEST_ID: Final = 64
PING_SECONDS: Final = 3.0


class Unavailable(Exception):
    """A service cannot be asked; `wait` seconds after which it is worth asking again. The text may
    be shown.
    """

    def __init__(self, service: str, wait: float = 5.0) -> None:
        super().__init__(f"The service {service} is not available for the moment")
        self.service, self.wait = service, wait


class TooLate(Unavailable):
    """It did not answer in time: what was asked may have been done, or not."""


class Failed(Unavailable):
    """It answered that it failed: it is there, and its log says why."""


class LinkLost(Exception):
    """The connection ended; what was asked may have been done, or not."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A service that the other side may call."""

    contract: Contract
    target: object


Tell = Callable[["Link", str, bytes], None]


class Link:
    """One connection. `run` it in a task; it is over when that returns."""

    def __init__(
        self,
        sealed: Sealed,
        log: Logger,
        *,
        offers: Mapping[str, Offer] | None = None,
        told: Tell | None = None,
        health: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._sealed, self._log = sealed, log
        self._offers, self._told, self._health = dict(offers or {}), told, health
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[tuple[dict[str, Any], bytes]]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self.lost = False

    async def run(self) -> None:
        """Reads until the connection ends, for whatever reason; never raises but by cancelling."""
        try:
            while True:
                self._heard(await self._sealed.get())
        except (SealedError, ValueError, KeyError, TypeError) as error:
            self._log.debug("link ended", reason=str(error))
        finally:
            self.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await self._sealed.wait_closed()

    def close(self) -> None:
        """Ends it: calls under way are lost."""
        self.lost = True
        self._sealed.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LinkLost())
        self._waiting.clear()

    async def call(
        self, contract: Contract, name: str, args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Any:
        """What the method gives, or the declared error that it raises. Raises Unavailable,
        LinkLost, BadSchema.
        """
        method = contract.methods[name]
        payload = method.pack(args, named)
        if len(payload) > PAYLOAD:
            raise BadSchema(f"more than {PAYLOAD} octets")
        if len(self._waiting) >= AT_ONCE:
            raise Unavailable(contract.name, 1.0)
        head = {"k": "call", "m": f"{contract.name}.{name}", "s": method.seconds}
        head["r"] = REQUEST.get()
        try:
            async with asyncio.timeout(method.seconds):
                answer, data = await self._ask(head, payload)
        except TimeoutError:
            raise TooLate(contract.name) from None
        if answer["k"] == "done":
            return method.unpack_result(data)
        if answer["w"] == "declared":
            raise contract.unpack_error(data)
        raise Failed(contract.name, 10.0)

    async def ping(self) -> str:
        """What is wrong with the other side's services, "" when nothing is. Raises LinkLost,
        TimeoutError.
        """
        async with asyncio.timeout(PING_SECONDS):
            answer, _ = await self._ask({"k": "ping"}, b"")
        return str(answer["w"])

    def tell(self, topic: str, payload: bytes) -> None:
        """Says something that is not answered. A link that takes nothing any more is closed."""
        self._put({"k": "tell", "m": topic}, payload)

    async def _ask(self, head: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        if self.lost:
            raise LinkLost
        number = next(self._numbers)
        future: asyncio.Future[tuple[dict[str, Any], bytes]]
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._put(head | {"i": number}, payload)
            return await future
        finally:
            self._waiting.pop(number, None)

    def _put(self, head: Mapping[str, Any], payload: bytes) -> None:
        try:
            self._sealed.put(orjson.dumps(head) + b"\n" + payload)
        except SealedError:
            self.close()

    def _heard(self, body: bytes) -> None:
        line, _, payload = body.partition(b"\n")
        if len(line) > LINE:
            raise ValueError("a line that is too long")
        head = orjson.loads(line)
        match head["k"]:
            case "call":
                self._serve(self._answer(head, payload), int(head["i"]))
            case "ping":
                self._serve(self._pong(int(head["i"])), int(head["i"]))
            case "tell":
                if self._told is not None:
                    self._told(self, str(head["m"]), payload)
            case "done" | "error" | "pong":
                future = self._waiting.pop(int(head["i"]), None)
                if future is not None and not future.done():
                    future.set_result((head, payload))
            case other:
                raise ValueError(f"a frame {other!r}")

    def _serve(self, work: Any, number: int) -> None:
        if len(self._serving) >= AT_ONCE:
            work.close()
            self._put({"k": "error", "i": number, "w": "busy"}, b"")
            return
        task = asyncio.create_task(work)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _pong(self, number: int) -> None:
        wrong = "" if self._health is None else await self._health()
        self._put({"k": "pong", "i": number, "w": wrong}, b"")

    async def _answer(self, head: Mapping[str, Any], payload: bytes) -> None:
        number = int(head["i"])
        REQUEST.set(str(head.get("r", ""))[:REQUEST_ID])
        service, _, name = str(head["m"]).partition(".")
        offer = self._offers.get(service)
        method = None if offer is None else offer.contract.methods.get(name)
        what, data = "absent", b""
        if offer is not None and method is not None:
            try:
                args = method.unpack(payload)
                async with asyncio.timeout(min(float(head["s"]), method.seconds)):
                    result = await getattr(offer.target, name)(**args)
                what, data = "", method.pack_result(result)
                if len(data) > PAYLOAD:
                    raise BadSchema(f"a result of more than {PAYLOAD} octets")
            except BadSchema as error:
                self._log.warning("call refused", call=head["m"], reason=str(error))
                what, data = "schema", b""
            except TimeoutError:
                what = "late"
            except Exception as error:
                what, data = self._error(offer.contract, str(head["m"]), error)
        done = {"k": "error", "i": number, "w": what} if what else {"k": "done", "i": number}
        self._put(done, data)
        if not self.lost:
            try:
                await self._sealed.drain()
            except SealedError:
                self.close()

    def _error(self, contract: Contract, call: str, error: Exception) -> tuple[str, bytes]:
        known = contract.pack_error(error)
        if known is not None:
            return "declared", known
        self._log.error("call failed", call=call, reason=f"{type(error).__name__}: {error}"[:300])
        return "failed", b""
