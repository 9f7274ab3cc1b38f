"""Structured logs on stderr: human on a terminal, one JSON object a line elsewhere.

Every line about a connection carries `connection`, every line about a message `message`: bind them.
One of an HTTP request carries `request`, by itself.
Keys that may hold secrets are hidden before anything is written. Lines are written by a thread of
their own, so that a slow reader of the log never stops the event loop.
"""

import atexit
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

Logger = FilteringBoundLogger

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the HTTP request that is worked on, or of which a service is asked."""
_SECRET = ("password", "secret", "token", "credential", "authorization")
_LEVELS = logging.getLevelNamesMapping()


class LineSink:
    """Writes lines in batches; above `limit` waiting lines further ones are only counted."""

    def __init__(self, stream: TextIO, limit: int = 100_000) -> None:
        self._stream, self._limit = stream, limit
        self._lines: deque[str] = deque()
        self._wake = threading.Event()
        self._dropped = 0
        self._writing = threading.Lock()
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self.flush)

    def write(self, text: str) -> None:
        """Takes one line with its line end."""
        if len(self._lines) >= self._limit:
            self._dropped += 1
            return
        self._lines.append(text)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """Writes what waits; returns when it is written or the stream is gone."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            dropped, self._dropped = self._dropped, 0
            if dropped:
                lines.append(f'{{"event":"log lines dropped","count":{dropped}}}\n')
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                pass  # nobody reads the log any more: the server goes on

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(0.01)
            self._wake.clear()
            self.flush()


class _Forward(logging.Handler):
    """What the standard library's loggers say, ours in storage and those of libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            logger = structlog.get_logger(part=record.name)
            logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
        except Exception:
            self.handleError(record)


class _SinkLogger:
    """What structlog calls with a finished line."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink

    def msg(self, line: str) -> None:
        self._sink.write(line + "\n")

    debug = info = warning = error = critical = exception = log = msg


def _hide_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in event:
        if _is_secret(key):
            event[key] = "[hidden]"
    return event


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET)


def _add_request(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if request := REQUEST.get():
        event["request"] = request
    return event


def _as_json(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    """A line in one step: the processors one by one cost a login a tenth of its time."""
    event["level"] = "error" if method == "exception" else method
    event["timestamp"] = datetime.now(UTC).isoformat()[:-6] + "Z"
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    _add_request(logger, method, event)
    hidden = _hide_secrets(logger, method, event)
    try:
        return orjson.dumps(hidden, default=str).decode()
    except TypeError:  # octets of a peer that are no text
        return orjson.dumps(_clean(hidden), default=str).decode()


def _clean(value: object) -> object:
    """Without the lone surrogates that stand for octets which are no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_clean(key)): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(one) for one in value]
    return value


def configure(stream: TextIO = sys.stderr, level: str = "info") -> LineSink:
    """Sets the process's one log sink. Called once, by the command line."""
    for_people: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _add_request,
        _hide_secrets,
        structlog.dev.ConsoleRenderer(),
    ]
    sink = LineSink(stream)
    structlog.configure(
        processors=for_people if stream.isatty() else [_as_json],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level.upper()]),
        logger_factory=lambda *_: _SinkLogger(sink),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _Forward)]
    root.addHandler(_Forward(max(_LEVELS[level.upper()], logging.WARNING)))
    return sink


def get_logger(name: str) -> Logger:
    """A logger that names its part of the program: get_logger("imap")."""
    logger: Logger = structlog.get_logger(part=name)
    return logger


def silent_logger() -> Logger:
    """One that says nothing, for a command that tells all itself."""

    def drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> str:
        raise structlog.DropEvent

    logger: Logger = structlog.wrap_logger(None, processors=[drop])
    return logger
