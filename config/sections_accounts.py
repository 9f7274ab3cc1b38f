"""The sections [[auth.source]] of mailserver.toml: directories and databases that know accounts."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from config.fields import Domain, Section, Some, secret_of
from config.ldap_filter import parse_filter
from config.units import Duration

SQL_NAMES = ("address", "local", "domain")
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")


def sql_parameters(query: str) -> set[str]:
    r"""Names behind colons, but for casts such as `::text`, and `\:` for a colon that is meant."""
    return set(_PARAMETER.findall(query))


def _filter(value: str) -> str:
    if value:
        parse_filter(value)
    return value


def _uri(value: str) -> str:
    wrong = 'an address such as "ldap://ldap.example.test:389" or "ldaps://ldap.example.test"'
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or port == 0 or not plain:
        raise ValueError(wrong)
    return value


_database = secret_of(
    '"sqlite:FILE" or "postgresql://user:password@host/name"',
    "",
    r"sqlite:.+",
    r"postgresql://.+",
)
Attribute = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9-]*(;[A-Za-z0-9-]+)*)?$")]


class SourceAttributes(Section):
    """Which attributes of an LDAP entry say what; "" where none does."""

    address: Attribute = "mail"
    name: Attribute = "cn"
    quota: Attribute = ""
    enabled: Attribute = ""
    password: Attribute = "userPassword"  # noqa: S105 - a name


class AccountSource(Section):
    """One source. Which keys belong to which kind is checked as a whole."""

    kind: Literal["ldap", "sql"]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    domains: list[Domain] = []
    timeout: Annotated[Duration, Field(ge=0.1, le=60)] = 5.0
    cache: Annotated[Duration, Field(ge=0, le=86400)] = 300.0
    cache_unknown: Annotated[Duration, Field(ge=0, le=3600)] = 60.0
    recheck: Annotated[Duration, Field(ge=1, le=86400)] = 900.0
    uri: Some[Annotated[str, AfterValidator(_uri)]] = []
    start_tls: bool = False
    ca: Path | None = None
    bind_dn: str = ""
    bind_password: SecretStr = SecretStr("")
    base: str = ""
    scope: Literal["sub", "one"] = "sub"
    filter: Annotated[str, AfterValidator(_filter)] = ""
    recipient_filter: Annotated[str, AfterValidator(_filter)] = ""
    verify: Literal["bind", "hash"] = "bind"
    admin_group: str = ""
    attributes: SourceAttributes = SourceAttributes()
    database: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("")
    query: str = ""
    recipient_query: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = self.model_fields_set
        strange = sorted(given & set(_ONLY["sql" if self.kind == "ldap" else "ldap"]))
        if strange:
            raise ValueError(f"no {', '.join(strange)} in a source of kind {self.kind}")
        missing = [key for key in _NEEDED[self.kind] if not getattr(self, key)]
        if missing:
            needed = ", ".join(_NEEDED[self.kind])
            raise ValueError(f"a source of kind {self.kind} with {needed}")
        if self.kind == "ldap":
            self._check_ldap()
        else:
            self._check_sql()
        return self

    def _check_ldap(self) -> None:
        if not self.attributes.address:
            raise ValueError("attributes.address, which says whose mail it is")
        if self.start_tls and any(one.startswith("ldaps:") for one in self.uri):
            raise ValueError("start_tls with ldap:// alone; ldaps:// is TLS from the start")
        if bool(self.bind_dn) != bool(self.bind_password.get_secret_value()):
            raise ValueError("bind_dn and bind_password together, or neither")
        if self.verify == "hash" and not self.attributes.password:
            raise ValueError('attributes.password where verify is "hash"')

    def _check_sql(self) -> None:
        for query in filter(None, (self.query, self.recipient_query)):
            used = sql_parameters(query)
            if not used or used - set(SQL_NAMES):
                names = ", ".join(f":{name}" for name in SQL_NAMES)
                raise ValueError(f"a query with parameters out of {names}")


_NEEDED = {"ldap": ("uri", "base", "filter"), "sql": ("database", "query")}
_ONLY = {
    "ldap": (
        *("uri", "start_tls", "ca", "bind_dn", "bind_password", "base", "scope", "filter"),
        *("recipient_filter", "verify", "admin_group", "attributes"),
    ),
    "sql": ("database", "query", "recipient_query"),
}


def distinct(sources: list[AccountSource]) -> list[AccountSource]:
    """Raises ValueError where two have one name."""
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise ValueError("sources with names of their own")
    return sources
