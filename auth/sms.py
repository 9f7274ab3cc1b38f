"""How a text reaches a phone: the interface, and the outbox of development.

Invariant: what sends never keeps the one who asked waiting, for a network or a disk, so that nobody
can tell by the time whether something was sent.
"""

import asyncio
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns
from typing import Final, Protocol

from config.logging import Logger
from net.threads import Offload

FOLDER: Final = "outbox"


@dataclass(frozen=True, slots=True)
class Sms:
    """A text with a code in it for a phone number (E.164, `+431234567`)."""

    to: str
    text: str = field(repr=False)
    code: str = field(repr=False)

    def as_json(self) -> bytes:
        """What outbox and webhook get."""
        return json.dumps({"to": self.to, "text": self.text, "code": self.code}).encode()


class SmsSender(Protocol):
    """Takes a text; failures are logged by the sender, without number, text and code."""

    async def send(self, sms: Sms) -> None: ...

    async def close(self) -> None: ...


class Outbox:
    """Writes each text as a file of data/outbox, whole or not at all; names sort by time."""

    def __init__(self, data_dir: Path, offload: Offload, log: Logger) -> None:
        self._folder, self._offload, self._log = data_dir / FOLDER, offload, log
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, sms: Sms) -> None:
        self._number += 1
        task = asyncio.create_task(self._keep(self._number, sms.as_json()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, number: int, data: bytes) -> None:
        try:
            await self._offload.disk(_write, self._folder, number, data)
        except OSError as error:
            self._log.error("SMS not written", reason=error.strerror)

    async def close(self) -> None:
        """Waits for what is not written yet."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _write(folder: Path, number: int, data: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{time_ns():020}-{number:06}-{secrets.token_hex(4)}"
    hidden = folder / f".{name}"
    opened = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(data)
    hidden.rename(folder / f"{name}.json")
