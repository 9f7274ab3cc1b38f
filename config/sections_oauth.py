"""[oauth], the issuer of tokens, and [oidc], the outside identity provider."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from config.fields import Domain, Net, Section
from config.redirects import check_redirect
from config.units import Duration

Scope = Literal[
    "mail:imap",
    "mail:smtp",
    "sieve",
    "jmap",
    "carddav",
    "openid",
    "email",
    "profile",
    "offline_access",
]
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


def _issuer(value: str) -> str:
    """RFC 8414 §2: https, no query, no fragment; without TLS on this machine alone."""
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        parts = None
    local = parts is not None and parts.scheme == "http" and parts.hostname in _LOCAL
    fine = parts is not None and parts.hostname and value.isascii() and value.isprintable()
    if parts is None or not fine or not (parts.scheme == "https" or local):
        raise ValueError('an address such as "https://mx.example.test"')
    if parts.query or parts.fragment or parts.username is not None or " " in value:
        raise ValueError("an address without query, fragment and user")
    return value


def _own_issuer(value: str) -> str:
    value = _issuer(value).rstrip("/")
    if urlsplit(value).path:
        raise ValueError('an address without a path, such as "https://mx.example.test"')
    return value


def _redirect(value: str) -> str:
    check_redirect(value)
    return value


def _origin(value: object) -> str:
    if isinstance(value, str) and _ORIGIN.fullmatch(value):
        return value
    raise ValueError('an origin such as "https://app.example.test"')


_LOCAL = ("127.0.0.1", "::1", "localhost")


class OAuthClientOf(Section):
    """[[oauth.client]]"""

    id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]
    name: Annotated[str, Field(max_length=100)] = ""
    secret: SecretStr = SecretStr("")
    redirects: list[Annotated[str, AfterValidator(_redirect)]] = []
    scopes: list[Scope] = []
    introspects: bool = False


class OAuth(Section):
    enabled: bool = True
    issuer: Annotated[str, AfterValidator(_own_issuer)] = ""
    unused: Annotated[Duration, Field(ge=3600)] = 180 * 86400.0
    key_life: Annotated[Duration, Field(ge=3600)] = 90 * 86400.0
    cors: list[Annotated[str, BeforeValidator(_origin)]] = []
    registration: bool = False
    client: list[OAuthClientOf] = []


def _outside_issuer(value: str) -> str:
    if value and not value.startswith("https:"):
        raise ValueError('an address such as "https://login.example.test"')
    return _issuer(value)


class Oidc(Section):
    issuer: Annotated[str, AfterValidator(_outside_issuer)] = ""
    name: Annotated[str, Field(max_length=100)] = ""
    client_id: Annotated[str, Field(max_length=200)] = ""
    client_secret: SecretStr = SecretStr("")
    scopes: list[Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")]] = ["openid", "email", "profile"]
    claim: Annotated[str, Field(min_length=1, max_length=100)] = "email"
    domains: list[Domain] = []
    create_accounts: bool = False
    access_tokens: Literal["off", "jwt"] = "off"
    audience: Annotated[str, Field(max_length=500)] = ""
    networks: list[Net] = []
