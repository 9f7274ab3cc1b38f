"""The process that filters of one's own run in: `python -m filters.own.worker FD MEMORY PARENT`.

It answers one request after the other on the socket FD. A filter may raise, print, leave by
sys.exit or return nonsense: that is an answer. One that hangs or ends the process is the server's
to notice (filters/own/process.py).
"""

import io
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from filters.own.api import Action, Authenticated, Context, Message, Symbol, Verdict
from filters.own.confine import allow_cpu, confine, end_with_parent
from filters.own.loading import OwnFilter, load, use_helpers
from filters.own.wire import ANSWER_LIMIT, HEAD, pack, unpack

PRINTED = 8 * 1024
ERROR = 2000


class _Printed(io.TextIOBase):
    """Keeps the beginning of what a filter prints."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        if len(self.text) < PRINTED:
            self.text += text[: PRINTED - len(self.text)]
        return len(text)


class Worker:
    """Serves until the connection ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._filters: dict[str, OwnFilter] = {}
        self._paths: dict[str, str] = {}

    def serve(self) -> None:
        self._answer({"filter": ""})
        while True:
            head = self._read(HEAD.size)
            if head is None:
                return
            text, octets = (self._read(size) or b"" for size in HEAD.unpack(head))
            request = unpack(text)
            if request["do"] == "load":
                self._load(request)
            else:
                self._run(request, octets)

    def _read(self, size: int) -> bytes | None:
        """Exactly so many octets, or None at the end."""
        data = bytearray(size)
        view, got = memoryview(data), 0
        while got < size:
            count = self._connection.recv_into(view[got:])
            if not count:
                return None
            got += count
        return bytes(data)

    def _answer(self, answer: Mapping[str, Any]) -> None:
        frame = pack(answer)
        if len(frame) > ANSWER_LIMIT:
            frame = pack({"filter": answer["filter"], "error": "its verdict is too large"})
        self._connection.sendall(frame)

    def _load(self, request: Mapping[str, Any]) -> None:
        use_helpers({name: (path, source) for name, path, source in request["helpers"]})
        for name, path, source in request["filters"]:
            allow_cpu(request["seconds"])
            self._paths[name] = path
            answer: dict[str, Any] = {"filter": name}
            printed = _Printed()
            sys.stdout = sys.stderr = printed
            try:
                loaded = self._filters[name] = load(name, path, source)
                answer |= {"shadow": loaded.shadow, "timeout": loaded.timeout}
            except BaseException as error:
                answer |= _told(error, path)
            self._answer({**answer, "printed": printed.text})

    def _run(self, request: Mapping[str, Any], octets: bytes) -> None:
        message: Message | None = None
        failure: dict[str, Any] = {}
        try:
            message = Message(_whole(request, octets))
        except (OSError, MemoryError) as error:  # no filter's fault
            told = _told(error, "")
            failure = {**told, "error": f"the message can't be read: {told['error']}"}
        if request["path"] is not None:
            self._answer({"filter": ""})  # the time that reading took is no filter's
        context = _context(request["context"])
        for name, seconds in request["filters"]:
            if message is None:
                self._answer({"filter": name, **failure})
                continue
            allow_cpu(seconds)
            self._answer({"filter": name, **self._ask(name, message, context)})

    def _ask(self, name: str, message: Message, context: Context) -> dict[str, Any]:
        printed = _Printed()
        sys.stdout = sys.stderr = printed
        started = time.perf_counter()
        try:
            verdict = self._filters[name].check(message, context)
            answer = _plain(verdict)
        except BaseException as error:
            answer = _told(error, self._paths.get(name, ""))
        answer["seconds"] = time.perf_counter() - started
        return {**answer, "printed": printed.text}


def _whole(request: Mapping[str, Any], octets: bytes) -> bytes:
    """The message: `octets`, and behind them a file from an offset on."""
    if request["path"] is None:
        return octets
    with Path(request["path"]).open("rb") as file:
        file.seek(request["start"])
        return octets + file.read()


def _context(fields: Mapping[str, Any]) -> Context:
    authentication = tuple(Authenticated(*one) for one in fields["authentication"])
    lists = {name: tuple(fields[name]) for name in ("recipients", "symbols")}
    return Context(**{**fields, **lists, "authentication": authentication})


def _plain(verdict: object) -> dict[str, Any]:
    """A verdict as JSON has it. Raises TypeError for anything else."""
    if verdict is None:
        verdict = Verdict()
    if not isinstance(verdict, Verdict) or not isinstance(verdict.action, Action):
        raise TypeError(f"check returned {type(verdict).__name__}, not a Verdict or None")
    return {
        "action": verdict.action.value,
        "text": _text(verdict.text),
        "symbols": [_symbol(one) for one in verdict.symbols],
        "tags": sorted(_text(one) for one in verdict.tags),
    }


def _symbol(one: object) -> Sequence[str | float]:
    if not isinstance(one, Symbol):
        raise TypeError(f"{type(one).__name__} is not a Symbol")
    weight = float(one.weight)
    if not isfinite(weight):
        raise ValueError(f"{one.name!r:.80} has a weight that is no number")
    return [_text(one.name), weight, _text(one.detail)]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text is expected")
    return value


def _told(error: BaseException, path: str) -> dict[str, Any]:
    """What was raised, and the last line of the file that it came through."""
    try:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except BaseException:
        text = type(error).__name__
    line = 0
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno or 0
        text = f"SyntaxError: {error.msg}"
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == path:
            line = number
    return {"error": text[:ERROR], "line": line, "memory": isinstance(error, MemoryError)}


def main() -> None:
    """Takes FD, MEMORY in octets and the process id of the server from the command line."""
    descriptor, memory, parent = (int(word) for word in sys.argv[1:4])
    watch = threading.Thread(target=end_with_parent, args=(parent,), daemon=True)
    watch.start()
    confine(memory)
    with socket.socket(fileno=descriptor) as connection:
        connection.setblocking(True)
        Worker(connection).serve()


if __name__ == "__main__":
    main()
