"""Logins by an outside identity provider (OpenID Connect Core §3.1): the way there and back, and
whose account an ID token or an access token is for.

Invariants: nobody comes in by a token of another issuer, for another client, of another request, or
with an algorithm that is not in ALGORITHMS; an address counts when the provider says that it is
verified, and its domain is one that the provider may speak for.
"""

import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from cachetools import TTLCache
from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from auth.oidc.documents import Documents, OutsideError
from config.clock import Clock
from config.issuer import issuer_of
from config.settings import Settings
from message.address import AddressError, parse_mailbox
from net.https import HttpsClient
from storage.directory import Directory
from storage.directory_values import Account, AlreadyExists, NotAllowed

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
CALLBACK: Final = "/oauth/callback"
SKEW: Final = 60.0
WAITING: Final = 10_000
WAIT_SECONDS: Final = 600.0
MAX_TOKEN: Final = 16 * 1024
LONGEST: Final = 366 * 86_400.0
"""Seconds for which a connection of an access token is left open, whatever the token says."""
Make = Callable[[str, str], Awaitable[Account]]


@dataclass(frozen=True, slots=True)
class _Begun:
    browser: str
    following: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class Outside:
    """`make` makes an account with an address and a name."""

    def __init__(
        self, settings: Settings, directory: Directory, https: HttpsClient, clock: Clock, make: Make
    ) -> None:
        self._directory, self._https, self._clock, self._make = directory, https, clock, make
        self._begun: TTLCache[str, _Begun] = TTLCache(WAITING, WAIT_SECONDS, clock.monotonic)
        self._documents: Documents | None = None
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes [oidc] of a changed configuration."""
        self._oidc = ours = settings.oidc
        self._redirect = f"{issuer_of(settings)}{CALLBACK}"
        if self._documents is None or self._documents.issuer != ours.issuer:
            self._begun.clear()  # what the one before is asked shall not be told to this one
            self._documents = (
                Documents(ours.issuer, self._https, self._clock) if ours.issuer else None
            )

    @property
    def name(self) -> str:
        """How users know the provider, "" when there is none."""
        return (self._oidc.name or self._oidc.issuer) if self._documents else ""

    async def begin(self, browser: str, following: str) -> str:
        """Where a browser goes to log in; `following` is where it goes afterwards. Raises
        OutsideError.
        """
        where = (await self._published().metadata())["authorization_endpoint"]
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        begun = _Begun(browser, following, secrets.token_urlsafe(24), verifier)
        self._begun[state] = begun
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._oidc.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(self._oidc.scopes),
            "state": state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{where}{'&' if '?' in where else '?'}{urlencode(query)}"

    async def finish(self, browser: str, answer: Mapping[str, str]) -> tuple[Account | None, str]:
        """Whose account it is, None for nobody's, and where the browser goes. Each beginning has
        one end. Raises OutsideError, StoreError.
        """
        begun = self._begun.pop(answer.get("state", ""), None)
        if begun is None or not browser or begun.browser != browser:
            raise OutsideError("an answer to a question that this browser did not ask")
        documents = self._published()
        metadata = await documents.metadata()
        named = metadata.get("authorization_response_iss_parameter_supported") is True
        if (
            answer.get("iss", "" if named else documents.issuer) != documents.issuer
        ):  # RFC 9207 §2.4
            raise OutsideError("an answer of another issuer")
        if "code" not in answer:
            raise OutsideError("the provider gave no code")
        where = metadata["token_endpoint"]
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": self._redirect,
            "code_verifier": begun.verifier,
            "client_id": self._oidc.client_id,
        }
        found = await documents.fetch(where, urlencode(form).encode(), self._headers())
        claims = await self.claims(found.get("id_token"), self._oidc.client_id)
        if not secrets.compare_digest(str(claims.get("nonce", "")), begun.nonce):
            raise OutsideError("an ID token of another request")
        return await self.account(claims, make=self._oidc.create_accounts), begun.following

    async def of_access_token(self, token: str) -> tuple[Account, float] | None:
        """Whose access token it is, a JWT of the provider for us (RFC 9068 §4), and until when, in
        seconds since 1970; None for nobody's. Raises StoreError.
        """
        if self._documents is None or self._oidc.access_tokens != "jwt":
            return None
        try:
            audience = self._oidc.audience or self._oidc.client_id
            claims = await self.claims(token, audience, access=True)
        except OutsideError:
            return None
        account = await self.account(claims)
        until = min(claims["exp"], self._clock.now() + LONGEST) + SKEW
        return None if account is None else (account, until)

    async def claims(self, token: object, audience: str, *, access: bool = False) -> dict[str, Any]:
        """Those of a token that is good (OpenID Connect Core §3.1.3.7). Raises OutsideError."""
        if not isinstance(token, str) or len(token) > MAX_TOKEN:
            raise OutsideError("no token, or one that is too long")
        documents = self._published()
        try:
            header = jws.extract_compact(token.encode()).headers()
            if header.get("alg") not in ALGORITHMS:
                raise OutsideError("a token with an algorithm that is not taken")
            if access and str(header.get("typ", "")).lower() not in (
                "at+jwt",
                "application/at+jwt",
            ):
                raise OutsideError("no access token")
            try:
                read = jwt.decode(token, await documents.keys(), algorithms=ALGORITHMS)
            except (InvalidKeyIdError, ValueError):
                keys = await documents.keys(fresh=True)
                read = jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError) as error:
            raise OutsideError("a token that cannot be read") from error
        self._check(read.claims, documents.issuer, audience, access)
        return read.claims

    def _check(self, claims: dict[str, Any], issuer: str, audience: str, access: bool) -> None:
        now = self._clock.now()
        if claims.get("iss") != issuer:
            raise OutsideError("a token of another issuer")
        named = claims.get("aud")
        audiences = named if isinstance(named, list) else [named]
        party = claims.get("azp", audience if len(audiences) == 1 else None)
        if not audience or audience not in audiences or (not access and party != audience):
            raise OutsideError("a token for another client")
        until, since = claims.get("exp"), claims.get("nbf", claims.get("iat", now))
        if not isinstance(until, int | float) or not until > now - SKEW:
            raise OutsideError("a token whose time is over")
        if not isinstance(since, int | float) or not since <= now + SKEW:
            raise OutsideError("a token of the future")

    async def account(self, claims: Mapping[str, Any], *, make: bool = False) -> Account | None:
        """Whose they are; with `make` one that there was not. Raises StoreError."""
        value = claims.get(self._oidc.claim)
        if not isinstance(value, str) or (
            self._oidc.claim == "email" and claims.get("email_verified") is not True
        ):
            return None
        try:
            mailbox = parse_mailbox(value)
        except AddressError:
            return None
        domain = mailbox.domain.lower()
        if self._oidc.domains and domain not in self._oidc.domains:
            return None
        found = await self._directory.account(mailbox)
        if found is not None or not make or not self._directory.serves(domain):
            return found if found is not None and found.enabled else None
        name = claims.get("name")
        try:
            return await self._make(value, name[:100] if isinstance(name, str) else "")
        except (AlreadyExists, NotAllowed):
            return None

    def _published(self) -> Documents:
        if self._documents is None:
            raise OutsideError("there is no outside provider")
        return self._documents

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        secret = self._oidc.client_secret.get_secret_value()
        if secret:  # RFC 6749 §2.3.1
            pair = f"{quote_plus(self._oidc.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers
