"""Texts for phones by SMPP 3.4, to an SMS centre or a provider's.

One session, made when the first text wants to leave and kept; what fails in passing (throttling, a
full queue, a lost connection) is tried again for PATIENCE seconds, with growing pauses. Invariants:
a text leaves behind the answer to its user; at most WAITING wait, `window` of them without their
answer; the log has neither number nor text. A text whose answer was lost may come twice.
"""

import asyncio
import ssl
from typing import Final

from auth.sms import Sms
from config.logging import Logger
from config.sms import Smpp
from net.dns import Resolver
from net.smpp import BindRefused, SmppError, SmppSession
from net.smpp_text import Part, parts_of
from net.smpp_wire import Address, ShortMessage, Status, status_name

WAITING: Final = 100
PATIENCE: Final = 120.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
REFUSED_PAUSE: Final = 10.0
"""Seconds at least before another bind where one was refused: centres count those."""
GOODBYE: Final = 15.0
_PASSING: Final = (Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL, Status.ESME_RSYSERR)
_INTERNATIONAL, _ISDN = 1, 1


class SmppSender:
    """`context` verifies the centre where it is reached by TLS."""

    def __init__(
        self, smpp: Smpp, resolver: Resolver, context: ssl.SSLContext, log: Logger
    ) -> None:
        self._smpp, self._resolver, self._context, self._log = smpp, resolver, context, log
        self._source = Address(smpp.source, smpp.source_ton, smpp.source_npi)
        self._window = asyncio.Semaphore(smpp.window)
        self._connecting = asyncio.Lock()
        self._session: SmppSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reference = 0
        self._pause, self._resume = 0.0, 0.0

    async def send(self, sms: Sms) -> None:
        if len(self._tasks) >= WAITING:
            self._log.error("SMS not sent", reason="too many are on their way")
            return
        self._reference = (self._reference + 1) % 256
        parts = parts_of(sms.text, self._smpp.alphabet, self._reference)
        task = asyncio.create_task(self._hand_on(sms.to, parts))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits a little for what is on its way."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GOODBYE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            if late:
                self._log.error("SMS not sent", reason="the server stops", count=len(late))
        if self._session is not None:
            await self._session.close()

    async def _hand_on(self, to: str, parts: tuple[Part, ...]) -> None:
        reasons = ["too many are before it"]
        number = Address(to.removeprefix("+"), _INTERNATIONAL, _ISDN)
        try:
            async with asyncio.timeout(PATIENCE), self._window:
                for part in parts:
                    message = ShortMessage(
                        self._source, number, part.coding, part.octets, part.headed
                    )
                    if not await self._submitted(message, reasons):
                        break
                else:
                    return
        except TimeoutError:
            pass
        self._log.error("SMS not sent", reason=reasons[-1])

    async def _submitted(self, message: ShortMessage, reasons: list[str]) -> bool:
        """Until the centre has taken it, or never will; why not yet stands last in `reasons`."""
        while True:
            await asyncio.sleep(self._resume - asyncio.get_running_loop().time())
            try:
                status = await (await self._bound()).submit(message)
            except SmppError as error:
                reasons[:] = [str(error)]
                self._wait(FIRST_PAUSE)
                continue
            if status == Status.ESME_ROK:
                self._pause = 0.0
                return True
            reasons[:] = [f"the SMS centre answered {status_name(status)}"]
            if status not in _PASSING:
                return False
            self._wait(FIRST_PAUSE)

    async def _bound(self) -> SmppSession:
        """The session, another where it has ended. Raises SmppError."""
        async with self._connecting:
            if self._session is not None and not self._session.is_over:
                return self._session
            await asyncio.sleep(self._resume - asyncio.get_running_loop().time())
            smpp = self._smpp
            try:
                context = self._context if smpp.tls else None
                session = await SmppSession.connect(self._resolver, smpp.host, smpp.port, context)
                try:
                    await session.bind(smpp.system_id, smpp.password, smpp.system_type)
                except BaseException:
                    await session.close()
                    raise
            except SmppError as error:
                least = REFUSED_PAUSE if isinstance(error, BindRefused) else FIRST_PAUSE
                self._wait(least)
                self._log.warning("no session with the SMS centre", reason=str(error))
                raise
            self._session = session
            return session

    def _wait(self, least: float) -> None:
        """Nothing leaves for a while, twice as long each time until something does."""
        now = asyncio.get_running_loop().time()
        if now < self._resume:
            return  # others of the window heard the same
        self._pause = min(max(self._pause * 2, least), LONGEST_PAUSE)
        self._resume = now + self._pause
