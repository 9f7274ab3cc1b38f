"""The routes of discovery. They say where the server is and never whether an account exists."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from config.clock import Clock
from config.reach import Reach
from config.settings import Settings
from message.address import AddressError, parse_mailbox
from net.threads import Offload
from storage.directory_names import domain_of
from storage.directory_values import NotAllowed
from web.discovery import apple, autodiscover
from web.discovery.autoconfig import autoconfig
from web.discovery.offers import Offers, offers_of
from web.discovery.security_txt import security_txt
from web.discovery.xml import MEDIA_TYPE, BadXml, texts_of
from web.json_body import BadBody, read_body
from web.problem import ProblemResponse

AUTODISCOVER: Final = "/autodiscover/autodiscover"
PATHS: Final = (
    "/mail/config-v1.1.xml",
    "/.well-known/autoconfig/mail/config-v1.1.xml",
    f"{AUTODISCOVER}.xml",
    f"{AUTODISCOVER}.json",
)
"""Those that are answered over plain HTTP too, in lower case."""
_LIMIT: Final = 16 * 1024
_V1: Final = "autodiscoverv1"
Handler = Callable[[Request], Awaitable[Response]]


class _AnyCase(Route):
    """A route whose path may be written in any case, as Outlook does."""

    def __init__(self, path: str, handler: Handler, methods: list[str]) -> None:
        super().__init__(path, handler, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


class Discovery:
    """`settings` and `reach` give what is in force; `serves` says which domains are ours."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        reach: Callable[[], Reach],
        serves: Callable[[str], bool],
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._settings, self._reach, self._serves = settings, reach, serves
        self._offload, self._clock = offload, clock

    def routes(self) -> list[Route]:
        """For the registry."""
        return [
            *(Route(path, self._autoconfig, methods=["GET"]) for path in PATHS[:2]),
            _AnyCase(f"{AUTODISCOVER}.xml", self._autodiscover, ["GET", "POST"]),
            _AnyCase(f"{AUTODISCOVER}.json", self._version_2, ["GET"]),
            _AnyCase(f"{AUTODISCOVER}.json/v1.0/{{address}}", self._version_2, ["GET"]),
            Route("/mail/apple.mobileconfig", self._apple, methods=["GET"]),
            Route("/.well-known/security.txt", self._security, methods=["GET"]),
        ]

    async def _autoconfig(self, request: Request) -> Response:
        address = request.query_params.get("emailaddress", "")
        offers = self._offers(address.rpartition("@")[2] or _asked(request, "autoconfig."))
        if offers is None:
            return ProblemResponse(404, "no domain of this server")
        return Response(autoconfig(offers), media_type=MEDIA_TYPE)

    async def _autodiscover(self, request: Request) -> Response:
        address, schema = _parameter(request, "emailaddress", "email"), ""
        if request.method == "POST":
            try:
                found = texts_of(
                    await read_body(request, _LIMIT), "EMailAddress", "AcceptableResponseSchema"
                )
            except BadBody as bad:
                return ProblemResponse(bad.status, str(bad), headers={"Connection": "close"})
            except BadXml:
                return self._refused(autodiscover.INVALID)
            address, schema = found["EMailAddress"], found["AcceptableResponseSchema"]
        elif not address and request.scope["scheme"] == "http" and self._reach().origin:
            return RedirectResponse(f"{self._reach().origin}{AUTODISCOVER}.xml", 302)
        if schema and schema.lower() != autodiscover.OUTLOOK:
            return self._refused(autodiscover.UNAVAILABLE)
        if not _is_address(address):
            return self._refused(autodiscover.INVALID)
        offers = self._offers(address.rpartition("@")[2])
        if offers is None:
            return self._refused(autodiscover.NOT_FOUND)
        return Response(autodiscover.settings_of(address, offers), media_type=MEDIA_TYPE)

    async def _version_2(self, request: Request) -> Response:
        protocol = _parameter(request, "protocol")
        origin = self._reach().origin
        if protocol.lower() != _V1 or not origin:
            text = f"The protocol {protocol[:40]!r} is invalid. Supported values are '{_V1}'"
            return JSONResponse({"ErrorCode": "InvalidProtocol", "ErrorMessage": text}, 400)
        url = f"{origin}{AUTODISCOVER}.xml"
        return JSONResponse({"Protocol": "AutodiscoverV1", "Url": url})

    async def _apple(self, request: Request) -> Response:
        address = _parameter(request, "emailaddress", "email")
        offers = self._offers(address.rpartition("@")[2]) if _is_address(address) else None
        if offers is None or not (offers.imap and offers.smtp):
            return ProblemResponse(404, "no address of this server")
        data = apple.profile(address, _name(request), offers)
        tls = self._settings().tls
        if tls.certificate is not None and tls.key is not None:
            data = await self._offload.disk(_signed, data, tls.certificate, tls.key)
        headers = {"Content-Disposition": 'attachment; filename="mail.mobileconfig"'}
        return Response(data, media_type=apple.MEDIA_TYPE, headers=headers)

    async def _security(self, _request: Request) -> Response:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        settings, origin = self._settings(), self._reach().origin
        contact = settings.discovery.security_contact or f"mailto:postmaster@{settings.hostname}"
        return PlainTextResponse(security_txt(contact, origin, now))

    def _offers(self, domain: str) -> Offers | None:
        try:
            domain = domain_of(domain)
        except NotAllowed:
            return None
        if not self._serves(domain):
            return None
        return offers_of(domain, self._settings().discovery.name, self._reach())

    def _refused(self, error: tuple[str, str]) -> Response:
        return Response(autodiscover.refusal(error, self._clock.now()), media_type=MEDIA_TYPE)


def _signed(data: bytes, certificate: Path, key: Path) -> bytes:
    """As it is where the certificate cannot sign."""
    try:
        return apple.signed(data, certificate.read_bytes(), key.read_bytes())
    except (OSError, ValueError, TypeError):
        return data


def _parameter(request: Request, *names: str) -> str:
    """Of the query or the path, in any case."""
    given = {name.lower(): value for name, value in request.query_params.items()}
    given |= {name: str(value) for name, value in request.path_params.items()}
    return next((given[name] for name in names if given.get(name)), "")


def _name(request: Request) -> str:
    """Of a person, on one line: a property list has no control characters."""
    text = "".join(sign if sign.isprintable() else " " for sign in _parameter(request, "name"))
    return text.strip()[:100]


def _asked(request: Request, prefix: str) -> str:
    """The domain whose host the client came to."""
    try:
        return (request.url.hostname or "").lower().rstrip(".").removeprefix(prefix)
    except ValueError:
        return ""


def _is_address(text: str) -> bool:
    try:
        parse_mailbox(text)
    except AddressError:
        return False
    return True
