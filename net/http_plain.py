"""One HTTP/1.1 request to a service of the operator's own, in clear text over TCP or a Unix socket.

Invariants: the whole exchange has one time bound, the answer a bound of octets; every fault is one
kind of error. A connection serves one request. For strangers and TLS there is net/https.py.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

MAX_HEAD = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


class HttpError(Exception):
    """No answer that could be used; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """`unix` is the path of a socket, "" for TCP to `host` and `port`."""

    host: str = "localhost"
    port: int = 80
    unix: str = ""


def parse_place(url: str) -> Place:
    """`http://HOST:PORT` or `unix:PATH`. Raises ValueError."""
    if url.startswith("unix:/"):
        return Place(unix=url.removeprefix("unix:"))
    match = re.fullmatch(r"http://(\[[0-9A-Fa-f:.]+\]|[^:/\[\]@\s]+):(\d{1,5})/?", url)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError('"http://127.0.0.1:11333" or "unix:/path"')
    return Place(match[1].strip("[]"), int(match[2]))


async def post(
    place: Place,
    path: str,
    headers: Iterable[tuple[str, str]],
    body: AsyncIterator[bytes],
    size: int,
    *,
    limit: int,
    seconds: float,
) -> tuple[int, bytes]:
    """Status and body of the answer. `size`: octets of the request's body. Raises HttpError."""
    try:
        async with asyncio.timeout(seconds):
            if place.unix:
                reader, writer = await asyncio.open_unix_connection(place.unix, limit=MAX_HEAD)
            else:
                reader, writer = await asyncio.open_connection(
                    place.host, place.port, limit=MAX_HEAD
                )
            try:
                return await _exchange(
                    reader, writer, _head(place, path, headers, size), body, limit
                )
            finally:
                writer.transport.abort()  # who hangs takes nothing of what is left
    except TimeoutError:
        raise HttpError(f"no answer within {seconds:g} s") from None
    except asyncio.IncompleteReadError:
        raise HttpError("the answer is cut short") from None
    except (OSError, ValueError, asyncio.LimitOverrunError) as error:
        raise HttpError(getattr(error, "strerror", None) or "the answer is no HTTP") from None


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    head: bytes,
    body: AsyncIterator[bytes],
    limit: int,
) -> tuple[int, bytes]:
    writer.write(head)
    sending = asyncio.create_task(_send(writer, body))
    try:
        # who refuses early may answer before all is sent
        answer = await reader.readuntil(b"\r\n\r\n")
        status = _STATUS.match(answer)
        if status is None:
            raise ValueError("no status")
        return int(status[1]), await _read(reader, answer, limit)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, body: AsyncIterator[bytes]) -> None:
    while True:
        try:
            piece = await anext(body, None)
        except Exception:  # the rest will never come, and no answer
            writer.transport.abort()
            raise
        if piece is None:
            return
        writer.write(piece)
        await writer.drain()


async def _read(reader: asyncio.StreamReader, head: bytes, limit: int) -> bytes:
    lengths = re.findall(rb"(?im)^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", head)
    if re.search(rb"(?im)^transfer-encoding:", head) or len(lengths) > 1:
        raise HttpError("an answer in an encoding that was not asked for")
    if lengths:
        if int(lengths[0]) > limit:
            raise HttpError(f"more than {limit} octets")
        return await reader.readexactly(int(lengths[0]))
    pieces, size = [], 0
    while piece := await reader.read(MAX_HEAD):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise HttpError(f"more than {limit} octets")
    return b"".join(pieces)


def _head(place: Place, path: str, headers: Iterable[tuple[str, str]], size: int) -> bytes:
    host = "localhost" if place.unix else f"{place.host}:{place.port}"
    fixed = [("Host", host), ("Connection", "close"), ("Content-Length", str(size))]
    lines = [f"{name}: {_UNSAFE.sub(' ', value)}" for name, value in (*fixed, *headers)]
    text = "\r\n".join((f"POST {path} HTTP/1.1", *lines))
    return text.encode("utf-8", "replace") + b"\r\n\r\n"
