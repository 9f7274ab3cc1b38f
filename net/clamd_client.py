"""One clamd: its connections, kept for a while, and bounds on their number and on time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from net.clamd import ClamdBusy, ClamdError, ClamdTooLarge, place_of
from net.clamd_session import ClamdSession, Pieces, Scanned

T = TypeVar("T")
CONNECT = 5.0
CONTROL = 5.0
# clamd itself ends a session after CommandReadTimeout, 30 seconds by default.
KEPT = 10.0


class ClamdClient:
    """`timeout` (seconds) bounds a scan, and before it the wait for one of `connections`, which are
    the scans at once.
    """

    def __init__(self, address: str, timeout: float, connections: int) -> None:
        self.address, self._timeout = address, timeout
        self._place = place_of(address)
        self._slots = asyncio.Semaphore(connections)
        self._kept: list[tuple[float, ClamdSession]] = []
        self._closed = False
        self.busy = 0

    async def scan(self, pieces: Pieces) -> Scanned:
        """Raises ClamdError, ClamdTooLarge, ClamdBusy, and what `pieces` raises."""
        self.busy += 1
        try:
            await self._turn()
            try:
                return await self._scan(pieces)
            finally:
                self._slots.release()
        finally:
            self.busy -= 1

    async def version(self) -> str:
        """Raises ClamdError."""
        return await self._control(lambda session: session.version())

    async def ping(self) -> None:
        """Raises ClamdError."""
        await self._control(lambda session: session.ping())

    def close(self) -> None:
        """Ends the connections; a scan under way keeps its own until it is done."""
        self._closed = True
        for _, session in self._kept:
            session.close()
        self._kept = []

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise ClamdBusy(f"{self.address}: busy for {self._timeout:g} s") from None

    async def _scan(self, pieces: Pieces) -> Scanned:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._with_session(lambda session: session.scan(pieces))
        except TimeoutError:
            raise ClamdError(f"{self.address}: no answer within {self._timeout:g} s") from None

    async def _control(self, ask: Callable[[ClamdSession], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(CONTROL):
                return await self._with_session(ask)
        except TimeoutError:
            raise ClamdError(f"{self.address}: no answer within {CONTROL:g} s") from None

    async def _with_session(self, ask: Callable[[ClamdSession], Awaitable[T]]) -> T:
        """In a kept session if there is one; one that had ended meanwhile is no failure."""
        session = self._take()
        if session is not None:
            try:
                return await self._use(session, ask)
            except ClamdTooLarge:
                raise
            except ClamdError:
                pass
        return await self._use(await self._connect(), ask)

    async def _use(self, session: ClamdSession, ask: Callable[[ClamdSession], Awaitable[T]]) -> T:
        try:
            told = await ask(session)
        except ClamdError as error:
            session.close()
            raise type(error)(f"{self.address}: {error}") from None
        except BaseException:
            session.close()
            raise
        if session.usable and not self._closed:
            self._kept.append((asyncio.get_running_loop().time(), session))
        else:
            session.close()
        return told

    def _take(self) -> ClamdSession | None:
        """The one used last, so that the others grow old."""
        now = asyncio.get_running_loop().time()
        while self._kept:
            at, session = self._kept.pop()
            if session.usable and now - at < KEPT:
                return session
            session.close()
        return None

    async def _connect(self) -> ClamdSession:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT):
                if isinstance(self._place, str):
                    _, session = await loop.create_unix_connection(ClamdSession, self._place)
                else:
                    _, session = await loop.create_connection(ClamdSession, *self._place)
        except (OSError, ValueError, OverflowError):  # a port or name that can't be, too
            raise ClamdError(f"no answer at {self.address}") from None
        return session
