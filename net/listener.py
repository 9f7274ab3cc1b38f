"""Listening sockets: bound early, so that a taken port is one clear error before anything serves.

The sockets are made with an explicit protocol number: without it the event loop leaves Nagle's
algorithm on for accepted connections and every reply waits 40 ms.
"""

import asyncio
import errno
import os
import resource
import socket
import ssl
from collections.abc import Callable

from config.fields import Endpoint

BACKLOG = 1024
OPEN_FILES = 65_536


class ListenError(Exception):
    """An address can't be bound; the text names it and says what to do."""


def allow_open_files() -> int:
    """Raises the process's limit of open files as far as it may go; what it is then.

    A session often starts with 1,024, which a few hundred connections from ten addresses use up.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft


def bind(endpoint: Endpoint) -> list[socket.socket]:
    """Bound, listening, non-blocking TCP sockets for every address of the host."""
    try:
        found = socket.getaddrinfo(
            endpoint.host,
            endpoint.port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_PASSIVE,
        )
    except socket.gaierror as error:
        raise ListenError(f"{endpoint}: {error.strerror}") from None
    sockets: list[socket.socket] = []
    try:
        for family, kind, _proto, _name, address in dict.fromkeys(found):
            sockets.append(_bind_one(family, kind, address))
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise ListenError(f"{endpoint}: {_reason(error)}") from None
    return sockets


def _bind_one(family: int, kind: int, address: object) -> socket.socket:
    bound = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)  # type: ignore[arg-type]
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken; stop what listens there (ss -ltnp) or choose another in [listen]"
    if error.errno == errno.EACCES:
        return "no right to bind this port; use one above 1023 or grant CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address (ip address); correct it in [listen]"
    return os.strerror(error.errno or 0)


def address_of(bound: socket.socket) -> Endpoint:
    """The real address of a bound socket (the port chosen where 0 was asked)."""
    host, port = bound.getsockname()[:2]
    return Endpoint(host=str(host), port=int(port))


async def listen(
    endpoint: Endpoint,
    factory: Callable[[], asyncio.BaseProtocol],
    tls: ssl.SSLContext | None = None,
) -> tuple[list[asyncio.Server], list[Endpoint]]:
    """Serves `factory` at the endpoint; returns the servers and their real addresses."""
    loop = asyncio.get_running_loop()
    sockets = bind(endpoint)
    servers = []
    for bound in sockets:
        servers.append(
            await loop.create_server(
                factory,
                sock=bound,
                ssl=tls,
                ssl_handshake_timeout=30 if tls else None,
                backlog=BACKLOG,
            )
        )
    return servers, [address_of(bound) for bound in sockets]
