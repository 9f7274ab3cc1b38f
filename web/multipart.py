"""multipart/form-data (RFC 7578) read as it comes: part after part, each a stream of octets that is
bounded by who takes it.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, field
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from web.json_body import BadBody

_BAD: Final = "the body is no multipart/form-data"


@dataclass(slots=True)
class Part:
    """`name` of the field; `filename` is "" for one that is no file; `type` as it was sent."""

    name: str
    filename: str
    type: str
    pieces: AsyncGenerator[bytes, None]


@dataclass(slots=True)
class _Events:
    """What the parser found, in order: a part's header, its octets, None for its end."""

    found: deque[dict[str, str] | bytes | None] = field(default_factory=deque)
    header: dict[str, str] = field(default_factory=dict)
    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    is_over: bool = False

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self.header.clear,
            "on_header_field": lambda data, start, end: self.name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self.value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": lambda: self.found.append(dict(self.header)),
            "on_part_data": lambda data, start, end: self.found.append(bytes(data[start:end])),
            "on_part_end": lambda: self.found.append(None),
            "on_end": self._end,
        }

    def _end_header(self) -> None:
        name = self.name.decode("ascii", "replace").lower()
        self.header[name] = self.value.decode("latin-1")  # what reads options wants the octets
        self.name.clear()
        self.value.clear()

    def _end(self) -> None:
        self.is_over = True


class Multipart:
    """The parts of one body, in order; each is read to its end before the next."""

    def __init__(self, content_type: str, stream: AsyncIterable[bytes]) -> None:
        """Raises BadBody."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
            raise BadBody(415, _BAD)
        self._events = _Events()
        self._parser = MultipartParser(boundary, self._events.callbacks())  # type: ignore[arg-type]
        self._stream = aiter(stream)

    async def parts(self, most: int) -> AsyncGenerator[Part, None]:
        """At most so many. Raises BadBody."""
        count = 0
        while (header := await self._next()) is not None:
            if not isinstance(header, dict):
                continue  # of a part that nobody took
            count += 1
            if count > most:
                raise BadBody(413, f"the body has more than {most} parts")
            yield self._part(header)

    def _part(self, header: dict[str, str]) -> Part:
        kind, options = parse_options_header(header.get("content-disposition", ""))
        if kind != b"form-data":
            raise BadBody(400, _BAD)
        name, file = options.get(b"name", b""), options.get(b"filename", b"")
        return Part(
            name.decode("utf-8", "replace"),
            file.decode("utf-8", "replace"),
            header.get("content-type", "application/octet-stream")[:200],
            self._pieces(),
        )

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        while True:
            event = await self._next(inside=True)
            if not isinstance(event, bytes):
                return
            yield event

    async def _next(self, *, inside: bool = False) -> dict[str, str] | bytes | None:
        """The next event; None for the end of a part `inside` of one, else of the body."""
        events = self._events
        while True:
            while events.found:
                event = events.found.popleft()
                if event is not None or inside:
                    return event
            if events.is_over and not inside:
                return None
            try:
                piece = await anext(self._stream)
                self._parser.write(piece)
            except StopAsyncIteration:
                raise BadBody(400, _BAD) from None
            except FormParserError:
                raise BadBody(400, _BAD) from None
