"""Requests for authorisation (RFC 6749 §4.1.1, with PKCE by S256 alone: RFC 7636, RFC 9700 §2.1.1)
and what the user says to them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from auth.audit import Audit
from auth.caller import Caller
from auth.generated import digest, oauth_code
from auth.oauth.clients import Clients
from auth.oauth.errors import BadRequest, OAuthError
from auth.oauth.redirects import fits, is_own_scheme, with_answer
from auth.oauth.scopes import parse_scopes, shown
from auth.service import Visitor
from config.clock import Clock
from storage.audit_values import Kind
from storage.oauth_clients import OAuthClient
from storage.oauth_codes import OAuthCode, OAuthCodes

CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
MAX_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose client and redirect are right. `max_age` is -1 without."""

    client: OAuthClient
    redirect: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str
    nonce: str
    prompts: frozenset[str]
    max_age: int
    hint: str


class Refusal(Exception):
    """`location` is where the browser is sent with an error (RFC 6749 §4.1.2.1)."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class Authorizing:
    """`issuer` is named in every answer (RFC 9207). Raises StoreError."""

    def __init__(self, clients: Clients, codes: OAuthCodes, audit: Audit, clock: Clock) -> None:
        self._clients, self._codes, self._audit, self._clock = clients, codes, audit, clock
        self.issuer = ""

    async def redirect_of(self, query: Mapping[str, str]) -> str:
        """Where the answer to a request goes. Raises BadRequest."""
        return (await self._addressee(query))[1]

    async def parse(self, query: Mapping[str, str], doubled: str = "") -> Asked:
        """A request; `doubled` names a parameter that is there more than once. Raises BadRequest,
        Refusal.
        """
        if doubled in ("client_id", "redirect_uri"):
            raise BadRequest(f"{doubled} is there more than once")
        client, redirect = await self._addressee(query)
        state = query.get("state")
        try:
            if doubled:
                raise OAuthError("invalid_request", f"{doubled} is there more than once")
            return self._checked(query, client, redirect, state)
        except OAuthError as error:
            raise self.refusal(redirect, state, error) from None

    def refusal(self, redirect: str, state: str | None, error: OAuthError) -> Refusal:
        """The error, as the client hears of it."""
        answer = {"error": error.error, "error_description": str(error)}
        return Refusal(self._location(redirect, state, answer))

    def needs_login(self, asked: Asked, visitor: Visitor | None) -> bool:
        """Whether the user has to log in, or to do so again (OpenID Connect Core §3.1.2.1)."""
        if visitor is None:
            return True
        age = self._clock.now() - visitor.since
        again = bool(asked.prompts & {"login", "select_account"}) and age > FRESH
        return again or (asked.max_age >= 0 and age > max(asked.max_age, FRESH))

    async def needs_consent(self, asked: Asked, visitor: Visitor) -> bool:
        """Whether the user is asked. A program on the user's machine is another each time: any may
        call itself so (RFC 8252 §8.6).
        """
        if "consent" in asked.prompts:
            return True
        if asked.client.secret is None and is_own_scheme(asked.redirect):
            return True
        allowed = await self._clients.stored.allowed(visitor.account, asked.client.id)
        return not set(asked.scopes) <= allowed

    async def allow(self, asked: Asked, visitor: Visitor, caller: Caller, *, said: bool) -> str:
        """Where the browser goes with a code. `said`: the user has just allowed it."""
        if said:
            await self._clients.stored.allow(visitor.account, asked.client.id, asked.scopes)
            self._record(Kind.CONSENT, asked, visitor, caller)
        code = oauth_code()
        await self._codes.add(
            digest(code),
            OAuthCode(
                visitor.account,
                visitor.session,
                asked.client.id,
                asked.redirect,
                asked.challenge,
                asked.scopes,
                asked.nonce,
                visitor.since,
            ),
        )
        return self._location(asked.redirect, asked.state, {"code": code})

    def deny(self, asked: Asked, visitor: Visitor, caller: Caller) -> str:
        """Where the browser goes when the user said no."""
        self._record(Kind.DENIED, asked, visitor, caller)
        error = OAuthError("access_denied", "The user refused")
        return self.refusal(asked.redirect, asked.state, error).location

    async def _addressee(self, query: Mapping[str, str]) -> tuple[OAuthClient, str]:
        client = await self._clients.find(query.get("client_id", ""))
        if client is None:
            raise BadRequest("There is no such client")
        redirect = query.get("redirect_uri", "")
        if not redirect and len(client.redirects) == 1:
            return client, client.redirects[0]
        if not any(fits(redirect, one) for one in client.redirects):
            raise BadRequest("The redirect_uri is none of the client's")
        return client, redirect

    def _checked(
        self, query: Mapping[str, str], client: OAuthClient, redirect: str, state: str | None
    ) -> Asked:
        for name in ("request", "request_uri"):
            if name in query:
                raise OAuthError(f"{name}_not_supported", f"{name} is not supported")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response_type is code")
        if query.get("response_mode", "query") != "query":
            raise OAuthError("invalid_request", "response_mode is query")
        if query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "code_challenge_method S256 is needed (PKCE)")
        if not CHALLENGE.fullmatch(query.get("code_challenge", "")):
            raise OAuthError("invalid_request", "a code_challenge of 43 characters is needed")
        if any(len(text) > MAX_TEXT for text in query.values()):
            raise OAuthError("invalid_request", "a parameter is too long")
        if not query.get("nonce", "").isprintable():
            raise OAuthError("invalid_request", "nonce is printable text")
        scopes = tuple(one for one in parse_scopes(query.get("scope", "")) if one in client.scopes)
        if not scopes:
            raise OAuthError("invalid_scope", "none of the scopes may be asked for")
        prompts = frozenset(query.get("prompt", "").split())
        if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
            raise OAuthError("invalid_request", "there is no such prompt")
        max_age = query.get("max_age", "")
        if max_age and not (max_age.isascii() and max_age.isdecimal() and len(max_age) < 10):
            raise OAuthError("invalid_request", "max_age is a number of seconds")
        return Asked(
            client,
            redirect,
            state,
            scopes,
            query["code_challenge"],
            query.get("nonce", ""),
            prompts,
            int(max_age) if max_age else -1,
            query.get("login_hint", ""),
        )

    def _location(self, redirect: str, state: str | None, answer: dict[str, str]) -> str:
        if state is not None:
            answer["state"] = state
        return with_answer(redirect, answer | {"iss": self.issuer})

    def _record(self, kind: Kind, asked: Asked, visitor: Visitor, caller: Caller) -> None:
        self._audit.record(
            kind,
            visitor.account,
            visitor.address,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
            credential=str(visitor.session),
            detail=f"{asked.client.name}: {shown(asked.scopes)}",
        )


FRESH: Final = 60.0
"""A login of so many seconds ago is the one that a request asked for."""
