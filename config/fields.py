"""Kinds of values in mailserver.toml that several sections have, and the base of all sections."""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

T = TypeVar("T")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def domain_name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('a domain name such as "example.test"')
    try:
        name = value.strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise ValueError('a domain name such as "example.test"')
    return name


def network(value: object) -> Network:
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        raise ValueError('a network such as "192.0.2.0/24" or "::1/128"') from None


class Endpoint(BaseModel):
    """Where a listener binds: an address and a port; port 0 lets the system choose."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(value: object) -> Endpoint:
    """`127.0.0.1:2525`, `[::1]:2525` or `localhost:2525`. Raises ValueError."""
    if isinstance(value, Endpoint):
        return value
    if isinstance(value, str):
        host, colon, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if colon and host and port.isdecimal() and int(port) < 65536:
            return Endpoint(host=host, port=int(port))
    raise ValueError('an address and port such as "127.0.0.1:2525"')


def secret_of(allowed: str, *forms: str) -> Callable[[SecretStr], SecretStr]:
    """A check of a secret's form that never shows it."""

    def check(value: SecretStr) -> SecretStr:
        if not any(re.fullmatch(form, value.get_secret_value()) for form in forms):
            raise ValueError(allowed)
        return value

    return check


Domain = Annotated[str, BeforeValidator(domain_name)]

Net = Annotated[Network, BeforeValidator(network)]

Endpoints = list[Annotated[Endpoint, BeforeValidator(parse_endpoint)]]


def endpoints(*texts: str) -> Endpoints:
    return [parse_endpoint(text) for text in texts]


ReportAddress = Annotated[str, Field(pattern=r"^([!-;=?-~]+@[!-;=?-~]+)?$", max_length=254)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _domain_pattern(value: object) -> str:
    if value == "<>":
        return "<>"
    if isinstance(value, str) and value.startswith("*."):
        return "*." + domain_name(value[2:])
    return domain_name(value)


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Some = Annotated[list[T], BeforeValidator(_as_list)]

Pattern = Annotated[str, BeforeValidator(_domain_pattern)]

AccountName = Annotated[str, Field(pattern=r"^[^@\s]*@[^@\s]+$")]
