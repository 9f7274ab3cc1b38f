"""clamd's control commands through pyclamd, which only this file knows, and clamd's addresses.

Blocking. Scanning is net/clamd_session.py's, without pyclamd.
"""

import contextlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pyclamd

_SECONDS = 5
_NUMBER = re.compile(r"live (\d+).*?max (\d+)", re.DOTALL)
_QUEUE = re.compile(r"QUEUE: (\d+) items")


class ClamdError(Exception):
    """clamd does not answer, or answers what it should not; the text says where and what."""


class ClamdTooLarge(ClamdError):
    """clamd takes no message of that size (StreamMaxLength)."""


class ClamdBusy(ClamdError):
    """All connections to it were in use for as long as one waits; it is well."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What STATS tells: threads that scan at present, threads at most, scans that wait."""

    live: int
    threads: int
    queued: int


def place_of(address: str) -> str | tuple[str, int]:
    """The path of `unix:/path`, the host and port of `tcp:host:port`."""
    kind, _, rest = address.partition(":")
    if kind == "unix":
        return rest
    host, _, port = rest.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def ping(address: str) -> str:
    """Its version. Raises ClamdError."""
    with _control(address) as client:
        client.ping()
        return str(client.version())


def statistics(address: str) -> Statistics:
    """How busy it is. Raises ClamdError."""
    with _control(address) as client:
        text = str(client.stats())
    threads, queue = _NUMBER.search(text), _QUEUE.search(text)
    if threads is None or queue is None:
        raise ClamdError(f"{address}: not the statistics of a clamd")
    return Statistics(int(threads[1]), int(threads[2]), int(queue[1]))


def reload(address: str) -> None:
    """Has it read its signatures again, beside its work. Raises ClamdError."""
    with _control(address) as client:
        client.reload()


@contextlib.contextmanager
def _control(address: str) -> Iterator[pyclamd.ClamdNetworkSocket | pyclamd.ClamdUnixSocket]:
    place = place_of(address)
    try:
        _knock(place)
        if isinstance(place, str):
            yield pyclamd.ClamdUnixSocket(place, timeout=_SECONDS)
        else:
            yield pyclamd.ClamdNetworkSocket(*place, timeout=_SECONDS)
    except (
        *(pyclamd.ConnectionError, pyclamd.BufferTooLongError),
        *(OSError, ValueError, OverflowError),
    ) as error:
        raise ClamdError(f"no answer at {address}") from error


def _knock(place: str | tuple[str, int]) -> None:
    """Raises OSError where nobody listens: pyclamd would leave its socket open then."""
    if not isinstance(place, str):
        socket.create_connection(place, _SECONDS).close()
        return
    with socket.socket(socket.AF_UNIX) as unix:
        unix.settimeout(_SECONDS)
        unix.connect(place)
