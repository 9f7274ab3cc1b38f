"""A client of text/event-stream (RFC 8620 §7.3) over a real connection."""

import json
import socket
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.server import ServerProcess


class Told(NamedTuple):
    """An event: its name, its data as JSON, and the last id."""

    name: str
    data: Any
    id: str


class Events:
    """`with Events(server, headers) as events`; reading ends at a deadline."""

    def __init__(
        self,
        server: ServerProcess,
        headers: Mapping[str, str],
        *,
        types: str = "*",
        close_after: str = "no",
        ping: int = 0,
        last: str = "",
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port("http")), timeout=20)
        query = f"types={types}&closeafter={close_after}&ping={ping}"
        fields = {"Host": "mx.example.test", **headers, **({"Last-Event-ID": last} if last else {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._socket.sendall(f"GET /jmap/events?{query} HTTP/1.1\r\n{head}\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.fields: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            self.fields[name.lower()] = value.strip()
        self.id, self.retry = "", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def block(self, seconds: float = 20) -> dict[str, str] | None:
        """The fields of the next block; None when the answer is complete or the connection over."""
        self._socket.settimeout(seconds)
        size = int(self._file.readline() or b"0", 16)
        if not size:
            return None
        text = self._file.read(size).decode()
        assert self._file.readline() == b"\r\n"
        assert text.endswith("\n\n"), text
        found = dict(line.split(": ", 1) for line in text.splitlines() if line and line != ":")
        self.id = found.get("id", self.id)
        self.retry = int(found.get("retry", self.retry))
        return found

    def next(self, seconds: float = 20) -> Told | None:
        """The next event; None when there are no more."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.block(max(0.1, deadline - time.monotonic()))
            if found is None:
                return None
            if "data" in found:
                return Told(found["event"], json.loads(found["data"]), self.id)

    def until(self, account: str, *types: str, seconds: float = 20) -> dict[str, str]:
        """States as soon as all of these types were told, in as many events as it takes."""
        states: dict[str, str] = {}
        while not states.keys() >= set(types):
            told = self.next(seconds)
            assert told is not None and told.name == "state", told
            assert told.data["@type"] == "StateChange"
            states |= told.data["changed"].get(account, {})
        return states
