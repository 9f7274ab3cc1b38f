"""One process with filters of one's own, from the server's side.

Invariants: every answer has a time bound and a bound of octets; a process that breaks one of them
is killed and never asked again; nothing it says is believed without a look.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from filters.own.sources import Source
from filters.own.wire import ANSWER_LIMIT, HEAD, pack, unpack
from net.threads import Offload

# A fresh process answers within a fifth of a second; a machine under load takes longer.
START_SECONDS = 20.0
# Until a process has read a message that lies in a file.
READ_SECONDS = 10.0


class ProcessFailed(Exception):
    """The process hangs, is gone, or talks nonsense; the text is one line."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How the loading of one file went: `error` is "" when it went well."""

    name: str
    shadow: bool = False
    timeout: float | None = None
    error: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What filters are asked about: `head`, and behind it the file at `path` from `start` on."""

    context: Mapping[str, Any]
    head: bytes
    path: str | None = None
    start: int = 0


class FilterProcess:
    """Made by `start`; ended by `kill`."""

    def __init__(
        self,
        offload: Offload,
        child: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._offload, self._child, self._reader, self._writer = offload, child, reader, writer
        self.asked = 0

    @classmethod
    async def start(cls, offload: Offload, memory: int) -> Self:
        """A process with no filters yet. Raises OSError, Busy and ProcessFailed."""
        ours, theirs = socket.socketpair()
        try:
            child = await offload.disk(_spawn, theirs, memory)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=ANSWER_LIMIT)
        process = cls(offload, child, reader, writer)
        try:
            await process.answer("", START_SECONDS)
        except BaseException:
            await process.kill()
            raise
        return process

    async def load(
        self, filters: Sequence[Source], helpers: Sequence[Source], seconds: float
    ) -> list[Loaded]:
        """Loads files, in order, each within so many seconds. Raises ProcessFailed."""
        frame = {
            "do": "load",
            "helpers": [(one.name, one.path, one.text) for one in helpers],
            "filters": [(one.name, one.path, one.text) for one in filters],
            "seconds": seconds,
        }
        self._writer.write(pack(frame))
        found = []
        for one in filters:
            found.append(_loaded(one.name, await self.answer(one.name, seconds)))
        return found

    async def ask(self, filters: Sequence[tuple[str, float]], job: Job) -> None:
        """Begins to ask filters by name, each with its seconds; take every `answer` then. Raises
        ProcessFailed.
        """
        self.asked += 1
        frame = {"do": "run", "filters": filters, "context": job.context}
        where = {"path": job.path, "start": job.start}
        self._writer.write(pack({**frame, **where}, job.head))
        if job.path is not None:
            await self.answer("", READ_SECONDS)

    async def answer(self, name: str, seconds: float) -> dict[str, Any]:
        """What the filter of that name said. Raises ProcessFailed."""
        try:
            async with asyncio.timeout(seconds):
                size, octets = HEAD.unpack(await self._reader.readexactly(HEAD.size))
                if octets or size > ANSWER_LIMIT:
                    raise ProcessFailed("it answered too much")
                answer = unpack(await self._reader.readexactly(size))
        except TimeoutError:
            raise ProcessFailed(f"no answer within {seconds:g} s") from None
        except (asyncio.IncompleteReadError, OSError):
            raise ProcessFailed(await self._end()) from None
        except ValueError:
            raise ProcessFailed("it answered nonsense") from None
        if answer.get("filter") != name:
            raise ProcessFailed("it answered nonsense")
        return answer

    @property
    def ended(self) -> bool:
        """It is gone, without having been asked."""
        return self._reader.at_eof()

    async def kill(self) -> None:
        """Ends the process and all it started, also when it does not take what it was sent."""
        self._writer.transport.abort()
        await self._offload.disk(_kill, self._child)

    async def _end(self) -> str:
        """How the process ended."""
        await self._offload.disk(_kill, self._child, 1.0)
        status = self._child.returncode
        if status < 0:
            return f"the process was killed by {_signal(-status)}"
        return f"the process ended with status {status}"


def _spawn(theirs: socket.socket, memory: int) -> subprocess.Popen[bytes]:
    number = theirs.fileno()
    # the rest of the environment may hold secrets of the configuration
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    paths = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-P", "-m", "filters.own.worker"]
    return subprocess.Popen(
        [*command, str(number), str(memory), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(number,),
        cwd="/",
        env={**kept, "PYTHONPATH": paths, "PATH": os.defpath},
        start_new_session=True,
    )


def _kill(child: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """Waits so many seconds for its end, then kills its whole session. Blocks."""
    if patience:
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _loaded(name: str, answer: Mapping[str, Any]) -> Loaded:
    error, timeout = answer.get("error"), answer.get("timeout")
    if isinstance(error, str):
        line = answer.get("line")
        return Loaded(name, error=error or "?", line=line if isinstance(line, int) else 0)
    return Loaded(
        name,
        answer.get("shadow") is True,
        float(timeout) if isinstance(timeout, int | float) else None,
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
