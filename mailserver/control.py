"""The control socket data/control.sock: how commands reach the serving process.

One request a connection, JSON lines: `{"operation", "args"}` in; any number of
`{"progress": [done, total, what]}`, then `{"result"}` or `{"error"}` out. Mode 0600.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailserver.operations.errors import OperationError

if TYPE_CHECKING:  # a command has no use for structlog, which takes longer than the command
    from config.logging import Logger

SOCKET_NAME = "control.sock"
REQUEST_LIMIT = 1 << 20
RESULT_LIMIT = 1 << 28
REQUEST_SECONDS = 10

Progress = Callable[[int, int, str], None]
Perform = Callable[[str, Mapping[str, Any], Progress], Awaitable[Any]]


def is_served(data_dir: Path) -> bool:
    """True when a process answers at the control socket."""
    probe = socket.socket(socket.AF_UNIX)
    try:
        with _short_path(data_dir) as path:
            probe.connect(path)
    except OSError:
        return False
    finally:
        probe.close()
    return True


class _short_path:  # noqa: N801
    """A socket path below the 108 octets of sockaddr_un, through a descriptor of the folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def __enter__(self) -> str:
        self._folder = os.open(self._data_dir, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{SOCKET_NAME}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)


class ControlServer:
    """Answers commands with `perform`."""

    def __init__(self, data_dir: Path, perform: Perform, log: "Logger") -> None:
        self._data_dir, self._perform, self._log = data_dir, perform, log
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Binds the socket with mode 0600, replacing one that a killed process left."""
        (self._data_dir / SOCKET_NAME).unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX)
        previous = os.umask(0o177)
        try:
            with _short_path(self._data_dir) as path:
                bound.bind(path)
        finally:
            os.umask(previous)
        bound.listen(16)
        bound.setblocking(False)
        self._server = await asyncio.start_unix_server(self._serve, sock=bound, limit=REQUEST_LIMIT)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):  # the disk may be what stops the server
                (self._data_dir / SOCKET_NAME).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(**message: object) -> None:
            writer.write(json.dumps(message).encode() + b"\n")

        def progress(done: int, total: int, what: str) -> None:
            send(progress=[done, total, what])

        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                line = await reader.readline()
            if not line:
                return
            request = json.loads(line)
            self._log.info("command", operation=request["operation"])
            send(result=await self._perform(request["operation"], request["args"], progress))
        except OperationError as error:
            send(error=str(error))
        except (TimeoutError, ValueError, KeyError, TypeError, ConnectionError):
            send(error="bad request on the control socket")
        except Exception:
            self._log.exception("command failed")
            send(error="the server failed to do it; its log says why")
        finally:
            try:
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            except ConnectionError:
                pass


async def call(data_dir: Path, operation: str, args: Mapping[str, Any], progress: Progress) -> Any:
    """Asks the serving process; raises OperationError with its text."""
    try:
        with _short_path(data_dir) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=RESULT_LIMIT)
        try:
            request = {"operation": operation, "args": dict(args)}
            writer.write(json.dumps(request).encode() + b"\n")
            return await _answer(reader, progress)
        finally:
            writer.close()
    except OSError as error:
        raise OperationError(f"control socket: {error.strerror}") from error


async def _answer(reader: asyncio.StreamReader, progress: Progress) -> Any:
    while line := await reader.readline():
        message = json.loads(line)
        if "progress" in message:
            progress(*message["progress"])
        elif "error" in message:
            raise OperationError(message["error"])
        else:
            return message["result"]
    raise OperationError("the server ended before it answered")
