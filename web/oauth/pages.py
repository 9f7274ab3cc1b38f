"""Where users say what a client may do: /oauth/authorize (RFC 6749 §3.1), /oauth/device (RFC 8628
§3.3) and, to take it back, /oauth/apps.
"""

from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response
from starlette.routing import Route

from auth.oauth.authorizing import Asked, Refusal
from auth.oauth.errors import BadRequest, OAuthError
from auth.oauth.provider import Provider
from auth.oauth.redirects import policy_source
from auth.oauth.scopes import MEANING
from auth.service import Visitor
from config.clock import Clock
from net.limits import Gcra
from storage.credential_values import CredentialKind
from storage.directory import Directory
from web.form_body import Form, parse_form
from web.json_body import BadBody
from web.pages.pages import PageError, Pages, Visit, redirect

AUTHORIZE: Final = "/oauth/authorize"
DEVICE: Final = "/oauth/device"
APPS: Final = "/oauth/apps"
PARAMETERS: Final = (
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state"),
    *("code_challenge", "code_challenge_method", "nonce", "prompt", "max_age", "login_hint"),
    *("request", "request_uri"),
)
TRIES: Final = 10
"""Codes of devices that a user may type in ten minutes."""


class OAuthPages:
    """The routes."""

    def __init__(
        self, provider: Provider, pages: Pages, directory: Directory, clock: Clock
    ) -> None:
        self._provider, self._pages, self._directory = provider, pages, directory
        self._tries = Gcra(TRIES, clock, seconds=600.0)

    def routes(self) -> list[Route]:
        """For the registry."""
        return [
            self._pages.route(AUTHORIZE, self._ask, self._answer),
            self._pages.route(DEVICE, self._ask_device, self._answer_device),
            self._pages.route(APPS, self._list_apps, self._remove_app),
        ]

    async def leads_to(self, path: str) -> str:
        """Where a login that goes on to `path` may lead in the end, as a source of CSP."""
        parts = urlsplit(path)
        if parts.path != AUTHORIZE:
            return ""
        try:
            query, _ = _query(parts.query)
            return policy_source(await self._provider.authorizing.redirect_of(query))
        except (BadRequest, BadBody):
            return ""

    async def _ask(self, visit: Visit) -> Response:
        text = visit.request.url.query
        authorizing = self._provider.authorizing
        try:
            asked = await self._parsed(text)
            if visit.visitor is None or authorizing.needs_login(asked, visit.visitor):
                return self._to_login(asked, text)
            if await authorizing.needs_consent(asked, visit.visitor):
                if "none" in asked.prompts:
                    raise self._said(asked, "consent_required", "The user has to be asked")
                return await self._consent(visit, asked, text)
            location = await authorizing.allow(asked, visit.visitor, visit.caller, said=False)
        except Refusal as refused:
            location = refused.location
        return redirect(location)

    async def _answer(self, visit: Visit, form: Form) -> Response:
        text = form.text("query")
        authorizing = self._provider.authorizing
        try:
            asked = await self._parsed(text)
            if visit.visitor is None:
                return self._to_login(asked, text)
            if form.text("answer") == "allow":
                location = await authorizing.allow(asked, visit.visitor, visit.caller, said=True)
            else:
                location = authorizing.deny(asked, visit.visitor, visit.caller)
        except Refusal as refused:
            location = refused.location
        return redirect(location)

    async def _parsed(self, text: str) -> Asked:
        if not self._provider.issuer:
            raise PageError(404, "There is no such page")
        query, doubled = _query(text)
        try:
            return await self._provider.authorizing.parse(query, doubled)
        except BadRequest as error:
            raise PageError(
                400, f"The program that sent you here made a mistake. {error}."
            ) from None

    def _to_login(self, asked: Asked, text: str) -> Response:
        if "none" in asked.prompts:
            raise self._said(asked, "login_required", "The user has to log in")
        following = {"next": f"{AUTHORIZE}?{text}", "again": "1"}
        if asked.hint:
            following["username"] = asked.hint
        return redirect(f"/login?{urlencode(following)}")

    def _said(self, asked: Asked, error: str, text: str) -> Refusal:
        told = OAuthError(error, text)
        return self._provider.authorizing.refusal(asked.redirect, asked.state, told)

    async def _consent(self, visit: Visit, asked: Asked, text: str) -> Response:
        source = policy_source(asked.redirect)
        return await self._pages.page(
            visit,
            "consent.html",
            policy={"form-action": f"'self' {source}"},
            title="Allow this program?",
            action=AUTHORIZE,
            hidden={"query": text},
            name=asked.client.name,
            place=_place(asked.redirect),
            known=not asked.client.registered,
            scopes=[MEANING[scope] for scope in asked.scopes],
        )

    async def _ask_device(self, visit: Visit) -> Response:
        if not self._provider.issuer:
            raise PageError(404, "There is no such page")
        typed = parse_form(visit.request.url.query).text("user_code")
        if visit.visitor is None:
            here = f"{DEVICE}?{urlencode({'user_code': typed})}" if typed else DEVICE
            return redirect(f"/login?{urlencode({'next': here})}")
        return await self._device_form(visit, typed)

    async def _device_form(self, visit: Visit, typed: str, wrong: str = "") -> Response:
        return await self._pages.page(
            visit,
            "device.html",
            400 if wrong else 200,
            title="Connect a device",
            typed=typed[:20],
            wrong=wrong,
        )

    async def _answer_device(self, visit: Visit, form: Form) -> Response:
        if visit.visitor is None:
            return redirect(f"/login?{urlencode({'next': DEVICE})}")
        typed, said = form.text("user_code"), form.text("answer")
        if not self._tries.take(visit.visitor.account):
            raise PageError(429, "Too many codes were tried. Please wait a minute.", 60.0)
        found = await self._provider.devices.find(typed)
        client = found and await self._provider.clients.find(found.client)
        if found is None or not client:
            return await self._device_form(visit, typed, "No device waits with this code")
        if said not in ("allow", "deny"):
            return await self._pages.page(
                visit,
                "consent.html",
                title="Allow this device?",
                action=DEVICE,
                hidden={"user_code": typed},
                name=client.name,
                place="",
                known=not client.registered,
                scopes=[MEANING[scope] for scope in found.scopes],
            )
        told = await self._provider.devices.answer(
            typed, client.name, said == "allow", visit.visitor, visit.caller
        )
        if not told:
            return await self._device_form(visit, "", "The device waits no more")
        text = "The device is connected." if said == "allow" else "The device was refused."
        return await self._pages.page(
            visit, "message.html", title="Done", text=f"{text} You may close this page.", link=""
        )

    async def _list_apps(self, visit: Visit) -> Response:
        if visit.visitor is None:
            return redirect(f"/login?{urlencode({'next': APPS})}")
        apps = await self._apps(visit.visitor)
        return await self._pages.page(visit, "apps.html", title="Connected programs", apps=apps)

    async def _remove_app(self, visit: Visit, form: Form) -> Response:
        if visit.visitor is None:
            return redirect(f"/login?{urlencode({'next': APPS})}")
        account = await self._directory.account_by_id(visit.visitor.account)
        if account is not None:
            await self._provider.tokens.withdraw(account, form.text("client"))
        return redirect(APPS)

    async def _apps(self, visitor: Visitor) -> list[dict[str, Any]]:
        """Programs that have something of the user's, or that would not be asked for again."""
        held = await self._directory.credentials.of(visitor.account, CredentialKind.OAUTH)
        names = {one.terms.client: one.name for one in held}
        scopes = {one.terms.client: set(one.terms.allowed) for one in held}
        for consent in await self._provider.clients.stored.consents(visitor.account):
            client = await self._provider.clients.find(consent.client)
            names.setdefault(consent.client, client.name if client else consent.client)
            scopes.setdefault(consent.client, set()).update(consent.scopes)
        return [
            {
                "client": number,
                "name": name,
                "scopes": [text for scope, text in MEANING.items() if scope in scopes[number]],
            }
            for number, name in sorted(names.items(), key=lambda one: one[1].casefold())
        ]


def _query(text: str) -> tuple[dict[str, str], str]:
    """The parameters that count, and which of them is there twice. Raises BadBody."""
    form = parse_form(text)
    doubled = form.doubled(PARAMETERS)
    found = {name: values[0] for name in PARAMETERS if (values := form.texts(name))}
    return {name: value for name, value in found.items() if value or name == "state"}, doubled


def _place(uri: str) -> str:
    """Where the answer goes, for the user: a host, or "" for a program on the user's machine."""
    return urlsplit(uri).netloc if uri.startswith("https:") else ""
