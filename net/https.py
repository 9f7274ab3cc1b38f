"""Small HTTPS requests to other servers, bounded in octets and time: the only user of aiohttp.

No redirects, no cookies, no proxies, no decompression; the certificate must fit the host's name.
Names are looked up by our own resolver. aiohttp is loaded in a thread when it is first needed,
since most processes never need it and it takes a quarter of a second.
"""

import asyncio
import importlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from net.dns import DnsError, Resolver
from net.threads import Offload

MAX_ADDRESSES = 4
HTTP_PORT = 80
HTTPS_PORT = 443
USER_AGENT = "mailserver"


class HttpsError(Exception):
    """No answer that could be used; the text is one line that says why."""


class CertificateNotTrusted(HttpsError):
    """The server's certificate does not verify for its name."""


@dataclass(frozen=True, slots=True)
class HttpsResponse:
    """`media_type` in lower case without parameters; `body` is whole; `location` as it came, ""
    without one.
    """

    status: int
    media_type: str
    body: bytes
    location: str = ""


class HttpsClient:
    """`context` verifies servers; tests give another port and other trust anchors."""

    def __init__(
        self,
        resolver: Resolver,
        offload: Offload,
        context: ssl.SSLContext,
        *,
        port: int = HTTPS_PORT,
    ) -> None:
        self.resolver, self._offload = resolver, offload
        self.context, self._port = context, port

    async def get(
        self,
        host: str,
        path: str,
        *,
        limit: int,
        seconds: float,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
        plain: bool = False,
    ) -> HttpsResponse:
        """At most `limit` octets of body within `seconds` in all; `port` None is the usual one.
        `plain`: without TLS, for what is no secret and needs no trust. Raises HttpsError.
        """
        return await self._bounded(
            "GET", host, port, path, limit, seconds, headers=headers, plain=plain
        )

    async def post(
        self,
        host: str,
        port: int | None,
        path: str,
        data: bytes,
        headers: Mapping[str, str],
        *,
        limit: int,
        seconds: float,
    ) -> HttpsResponse:
        """As `get`, with a body; `port` None is the usual one. It is sent once at most: behind a
        connection that broke nobody knows what was done.
        """
        return await self._bounded(
            "POST", host, port, path, limit, seconds, data=data, headers=headers
        )

    async def _bounded(
        self,
        method: str,
        host: str,
        port: int | None,
        path: str,
        limit: int,
        seconds: float,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        plain: bool = False,
    ) -> HttpsResponse:
        usual = HTTP_PORT if plain else HTTPS_PORT
        own = HTTP_PORT if plain else self._port
        try:
            async with asyncio.timeout(seconds):
                addresses = await self.resolver.addresses(host)
                aiohttp = await self._offload.disk(importlib.import_module, "aiohttp")
                named = f"[{host}]" if ":" in host else host  # RFC 9110 §7.2
                named = named if port in (None, usual) else f"{named}:{port}"
                request = _Request(
                    *(method, host, port or own, path, data, dict(headers or {}), named, plain)
                )
                return await self._first(aiohttp, request, addresses[:MAX_ADDRESSES], limit)
        except DnsError as error:
            raise HttpsError(str(error)) from None
        except TimeoutError:
            raise HttpsError(f"{host}: no answer within {seconds:g} s") from None

    async def _first(
        self, aiohttp: ModuleType, request: "_Request", addresses: list[str], limit: int
    ) -> HttpsResponse:
        """From the first address that can be connected to."""
        failure = "no address"
        for address in addresses:
            try:
                return await self._ask(aiohttp, request, address, limit)
            except aiohttp.ClientConnectorCertificateError as error:
                raise CertificateNotTrusted(f"{request.host}: {_certificate(error)}") from None
            except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
                failure = _reason(error)
                if request.data is not None and not isinstance(error, aiohttp.ClientConnectorError):
                    break
        raise HttpsError(f"{request.host}: {failure}")

    async def _ask(
        self, aiohttp: ModuleType, request: "_Request", address: str, limit: int
    ) -> HttpsResponse:
        literal = f"[{address}]" if ":" in address else address
        connector = aiohttp.TCPConnector(ssl=self.context, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(
                request.method,
                f"{'http' if request.plain else 'https'}://{literal}:{request.port}{request.path}",
                data=request.data,
                headers={"Host": request.named, "User-Agent": USER_AGENT, **request.headers},
                server_hostname=None if request.plain else request.host,
                allow_redirects=False,
            ) as response,
        ):
            body = await _body(response, limit, request.host)
            location = response.headers.get("Location", "")
            return HttpsResponse(response.status, response.content_type.lower(), body, location)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    host: str
    port: int
    path: str
    data: bytes | None
    headers: dict[str, str]
    named: str
    plain: bool


async def _body(response: Any, limit: int, host: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > limit:
            raise HttpsError(f"{host}: more than {limit} octets")
        pieces.append(piece)
    return b"".join(pieces)


def _certificate(error: Any) -> str:
    cause = error.certificate_error
    why = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else "not valid"
    return f"certificate not trusted ({why})"


def _reason(error: BaseException) -> str:
    """One plain line, without what a peer wrote."""
    number = getattr(error, "errno", None)
    text = os.strerror(number) if isinstance(number, int) and number > 0 else type(error).__name__
    return f"no usable answer ({text})"
