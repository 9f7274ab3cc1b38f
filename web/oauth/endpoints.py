"""What programs ask of the issuer: metadata, keys, tokens, revocation, introspection, userinfo, the
beginning of a device's wait, and registration.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from auth.admission import Admission
from auth.caller import Caller, client_name
from auth.oauth.clients import BadRedirect
from auth.oauth.errors import OAuthError
from auth.oauth.provider import Provider
from auth.oauth.scopes import parse_scopes, shown
from config.logging import Logger
from config.settings import Settings
from net.limits import MINUTE
from storage.credential_values import Protocol
from storage.directory_values import NotAllowed
from storage.errors import StoreError
from storage.oauth_clients import OAuthClient
from web.answering import LIMIT
from web.form_body import read_form
from web.json_body import BadBody, read_json
from web.oauth.answers import (
    answer,
    bearer_of,
    credentials_of,
    fields_of,
    refusal,
    with_cors,
)
from web.peer import address_of, may_have_secrets

METADATA_SECONDS: Final = 300
_CLIENT: Final = ("client_id", "client_secret")
_TOKEN: Final = (
    *("grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope"),
    *("device_code", *_CLIENT),
)
_ABOUT: Final = ("token", "token_type_hint", *_CLIENT)
Handler = Callable[[Request, Caller], Awaitable[Response]]


class OAuthEndpoints:
    """The routes; `settings` gives those in force."""

    def __init__(
        self,
        provider: Provider,
        admission: Admission,
        settings: Callable[[], Settings],
        log: Logger,
    ) -> None:
        self._provider, self._admission = provider, admission
        self._settings, self._log = settings, log

    def routes(self) -> list[Route]:
        """For the registry."""
        gets = {
            "/.well-known/openid-configuration": self._metadata,
            "/.well-known/oauth-authorization-server": self._metadata,
            "/oauth/jwks": self._jwks,
        }
        posts = {
            "/oauth/token": self._token,
            "/oauth/revoke": self._revoke,
            "/oauth/introspect": self._introspect,
            "/oauth/device_authorization": self._device,
            "/oauth/register": self._register,
        }
        return [
            *(self._route(path, handler, ["GET"]) for path, handler in gets.items()),
            *(self._route(path, handler, ["POST"]) for path, handler in posts.items()),
            self._route("/oauth/userinfo", self._userinfo, ["GET", "POST"], "Bearer"),
        ]

    async def _metadata(self, _request: Request, _caller: Caller) -> Response:
        return answer(self._provider.metadata(), cache=METADATA_SECONDS)

    async def _jwks(self, _request: Request, _caller: Caller) -> Response:
        return answer(await self._provider.keys.published(), cache=METADATA_SECONDS)

    async def _token(self, request: Request, caller: Caller) -> Response:
        client, form = await self._asked(request, caller, _TOKEN)
        return answer(await self._provider.granting.grant(client, form, caller))

    async def _revoke(self, request: Request, caller: Caller) -> Response:
        client, form = await self._asked(request, caller, _ABOUT)
        await self._provider.tokens.revoke(client, form)
        return answer({})

    async def _introspect(self, request: Request, caller: Caller) -> Response:
        client, form = await self._asked(request, caller, _ABOUT)
        return answer(await self._provider.tokens.introspect(client, form))

    async def _device(self, request: Request, caller: Caller) -> Response:
        client, form = await self._asked(request, caller, ("scope", *_CLIENT))
        granting, issuer = self._provider.granting, self._provider.issuer
        return answer(await granting.begin_device(client, form, issuer, caller))

    async def _asked(
        self, request: Request, caller: Caller, names: Sequence[str]
    ) -> tuple[OAuthClient, dict[str, str]]:
        """The client, and the parameters of these names. Raises OAuthError, BadBody."""
        form = fields_of(await read_form(request, LIMIT), names)
        clients = self._provider.clients
        try:
            return await clients.authenticated(*credentials_of(request, form), caller), form
        except OAuthError as error:
            self._provider.granting.refused(caller, error.error)
            raise

    async def _userinfo(self, request: Request, caller: Caller) -> Response:
        return answer(await self._provider.tokens.userinfo(bearer_of(request), caller))

    async def _register(self, request: Request, _caller: Caller) -> Response:
        """RFC 7591 §3: public clients only."""
        if not self._provider.registration:
            raise OAuthError("access_denied", "Clients are registered by the administrator", 403)
        asked = await read_json(request, LIMIT)
        redirects, name = asked.get("redirect_uris"), asked.get("client_name", "")
        scope = asked.get("scope", "")
        if not isinstance(redirects, list) or not all(isinstance(one, str) for one in redirects):
            raise OAuthError("invalid_redirect_uri", "redirect_uris is a list of addresses")
        if not redirects:
            raise OAuthError("invalid_redirect_uri", "redirect_uris is needed")
        if not isinstance(name, str) or not isinstance(scope, str):
            raise OAuthError("invalid_client_metadata", "client_name and scope are texts")
        if asked.get("token_endpoint_auth_method", "none") != "none":
            raise OAuthError("invalid_client_metadata", "token_endpoint_auth_method is none")
        scopes = parse_scopes(scope)
        if scope and not scopes:
            raise OAuthError("invalid_client_metadata", "none of the scopes may be asked for")
        try:
            made, _ = await self._provider.clients.add(
                name or "Unnamed", tuple(redirects), scopes, registered=True
            )
        except BadRedirect as error:
            raise OAuthError("invalid_redirect_uri", str(error)) from None
        except NotAllowed as error:
            raise OAuthError("invalid_client_metadata", str(error)) from None
        return answer(_registered(made.id, made.name, redirects, made.scopes, made.created), 201)

    def _route(
        self, path: str, handler: Handler, methods: list[str], scheme: str = "Basic"
    ) -> Route:
        return Route(path, self._answering(handler, scheme), methods=[*methods, "OPTIONS"])

    def _answering(self, handler: Handler, scheme: str) -> Callable[[Request], Awaitable[Response]]:
        async def handled(request: Request) -> Response:
            settings = self._settings()
            found = await self._handled(request, handler, scheme, settings)
            return with_cors(request, found, settings.oauth.cors)

        return handled

    async def _handled(
        self, request: Request, handler: Handler, scheme: str, settings: Settings
    ) -> Response:
        if not settings.oauth.enabled:
            return Response(status_code=404)
        if request.method == "OPTIONS":
            return Response(status_code=204)
        address = address_of(request, settings.http.trusted_proxies)
        caller = Caller(
            address, Protocol.WEB, client=client_name(request.headers.get("user-agent"))
        )
        try:
            if not may_have_secrets(request, settings):
                raise OAuthError("invalid_request", "TLS is needed", 403)
            if not self._admission.ask(address):
                raise OAuthError("temporarily_unavailable", "Too many requests", 429, MINUTE)
            return await handler(request, caller)
        except OAuthError as error:
            return refusal(error, scheme, given="authorization" in request.headers)
        except BadBody as bad:
            found = refusal(OAuthError("invalid_request", str(bad), bad.status))
            found.headers["Connection"] = "close"  # what is left of the body is not read
            return found
        except (StoreError, OSError) as error:
            self._log.error("request failed", path=request.url.path, reason=str(error))
            busy = "The server cannot do this for the moment"
            return refusal(OAuthError("server_error", busy, 503, wait=10.0))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it


def _registered(
    number: str, name: str, redirects: list[str], scopes: tuple[str, ...], created: float
) -> dict[str, Any]:
    return {
        "client_id": number,
        "client_id_issued_at": int(created),
        "client_name": name,
        "redirect_uris": redirects,
        "scope": shown(scopes),
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
