"""Sections of mailserver.toml about the server itself: listeners, store, protocols, limits."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from config.fields import (
    AccountName,
    Endpoint,
    Endpoints,
    Net,
    Pattern,
    Section,
    Some,
    endpoints,
    parse_endpoint,
    secret_of,
)
from config.sections_accounts import AccountSource, distinct
from config.sections_filters import SKIPPABLE
from config.sms import parse_sms
from config.units import Duration, Size

_database = secret_of(
    '"sqlite" or "postgresql://user:password@host/name"', "sqlite", r"postgresql://.+"
)

_cache = secret_of('"memory" or "redis://host:port/db"', "memory", r"rediss?://.+")


def _sms(value: SecretStr) -> SecretStr:
    parse_sms(value.get_secret_value())
    return value


def _prefix(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"\+[1-9][0-9]{0,6}", value):
        return value
    raise ValueError('the beginning of phone numbers, such as "+49"')


def _site(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*|", value):
        return value
    raise ValueError('a host name in lower case, such as "mail.example.test"')


def _origin(value: object) -> str:
    host = r"https://[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*(:[1-9][0-9]{0,4})?"
    if isinstance(value, str) and re.fullmatch(host, value):
        return value
    raise ValueError("https, a host name in lower case and perhaps a port, without a path")


def _base(value: object) -> str:
    return "" if value == "" else _origin(value)


def _nameserver(value: object) -> Endpoint:
    """An address with or without a port; a name could not be looked up."""
    try:
        return Endpoint(host=str(ipaddress.ip_address(str(value))), port=53)
    except ValueError:
        pass
    try:
        found = parse_endpoint(value)
        if found.host != "localhost":
            ipaddress.ip_address(found.host)
    except ValueError:
        raise ValueError('the address of a resolver such as "127.0.0.1:53"') from None
    return found


def _none_yet(value: Endpoints) -> Endpoints:
    if value:
        raise ValueError("not in this version; only [] is allowed")
    return value


LaterEndpoints = Annotated[Endpoints, AfterValidator(_none_yet)]


class Listen(Section):
    smtp: Endpoints = endpoints("127.0.0.1:2525")
    submission: Endpoints = endpoints("127.0.0.1:2587")
    submissions: Endpoints = endpoints("127.0.0.1:2465")
    lmtp: Endpoints = []
    imap: Endpoints = endpoints("127.0.0.1:2143")
    imaps: Endpoints = endpoints("127.0.0.1:2993")
    managesieve: Endpoints = endpoints("127.0.0.1:2190")
    pop3: LaterEndpoints = []
    metrics: LaterEndpoints = []
    http: Endpoints = endpoints("127.0.0.1:2080")
    https: Endpoints = endpoints("127.0.0.1:2443")
    proxy_protocol_from: list[Net] = []


class Tls(Section):
    certificate: Path | None = None
    key: Path | None = None


class Auth(Section):
    plaintext_from: list[Net] = []
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    scram_sha_1: bool = False
    client_ca: Path | None = None
    signup: Literal["closed", "invite", "open"] = "closed"
    sms: Annotated[SecretStr, AfterValidator(_sms)] = SecretStr("outbox")
    sms_prefixes: list[Annotated[str, BeforeValidator(_prefix)]] = []
    codes_per_day: Annotated[int, Field(ge=1)] = 1000
    accounts_per_contact: Annotated[int, Field(ge=1)] = 5
    signup_quota: Size = 0
    audit_keep: Annotated[Duration, Field(ge=3600)] = 180 * 86400.0
    block_after: Annotated[int, Field(ge=0, le=10_000)] = 50
    block_time: Annotated[Duration, Field(ge=60)] = 900.0
    block_time_most: Annotated[Duration, Field(ge=60)] = 86400.0
    passkey_site: Annotated[str, BeforeValidator(_site)] = ""
    passkey_origins: list[Annotated[str, BeforeValidator(_origin)]] = []
    leaked_passwords: Path | None = None
    notify_new_device: bool = True
    act_as_users: bool = False
    scram: Literal["auto", "on", "off"] = "auto"
    source: Annotated[list[AccountSource], AfterValidator(distinct)] = []


class Store(Section):
    database: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("sqlite")
    cache: Annotated[SecretStr, AfterValidator(_cache)] = SecretStr("memory")
    maildir: Path = Path("mail")
    search_memory: Annotated[Size, Field(ge=16 * 1024**2)] = 512 * 1024**2


class Services(Section):
    remote: list[Literal["auth"]] = []


class Dns(Section):
    nameservers: list[Annotated[Endpoint, BeforeValidator(_nameserver)]] = []


def _page_origin(text: str) -> str:
    """As browsers send it (RFC 6454 §6.2)."""
    if not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", text):
        raise ValueError("such as https://app.example.test: in lower case, without a path")
    return text


class Drive(Section):
    url: Annotated[str, BeforeValidator(_base)] = ""
    max_size: Annotated[Size, Field(ge=1)] = 50 * 1024**2
    quota: Size = 0
    link_expires: Annotated[Duration, Field(ge=60)] = 30 * 86400.0
    link_expires_most: Annotated[Duration, Field(ge=60)] = 366 * 86400.0
    attachment_links: Literal["never", "wish", "always"] = "never"
    links_above: Annotated[Size, Field(ge=1)] = 20 * 1024**2


class Http(Section):
    trusted_proxies: list[Net] = []
    cors_origins: list[Annotated[str, AfterValidator(_page_origin)]] = []
    metrics_from: list[Net] = []
    hsts: Annotated[Duration, Field(ge=0)] = 31_536_000.0


Port = Annotated[int, Field(ge=0, le=65535)]


def _contact(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"(mailto:|https://|tel:)[!-~]+|", value):
        return value
    raise ValueError("mailto:, https:// or tel: with what belongs behind it")


class Images(Section):
    proxy: bool = True
    networks: list[Net] = []


class Discovery(Section):
    host: Annotated[str, BeforeValidator(_site)] = ""
    imap: Port = 0
    imaps: Port = 0
    submission: Port = 0
    submissions: Port = 0
    managesieve: Port = 0
    https: Port = 0
    name: Annotated[str, Field(max_length=100)] = ""
    security_contact: Annotated[str, BeforeValidator(_contact)] = ""


class Push(Section):
    networks: list[Net] = []


class Imap(Section):
    uidonly: bool = False
    message_limit: Annotated[int, Field(ge=0)] = 0
    share_with_anyone: bool = True


HeloSymbol = Literal[
    "HELO_OURS",
    "HELO_SYNTAX",
    "HELO_UNQUALIFIED",
    "HELO_LITERAL",
    "HELO_FOREIGN_LITERAL",
    "HELO_BARE_ADDRESS",
]


class Smtp(Section):
    binarymime: bool = False
    greet_delay: Duration = 0.5
    early_talkers: Literal["refuse", "mark"] = "refuse"
    refuse_helo: list[HeloSymbol] = []
    tarpit: Duration = 2.0
    hold_at_most: Duration = 2592000.0


class Limits(Section):
    message_size: Size = 50 * 1024**2
    recipients: Annotated[int, Field(ge=1)] = 1000
    connections_per_address: Annotated[int, Field(ge=1)] = 100
    connections_per_account: Annotated[int, Field(ge=0)] = 200
    connections_per_minute_per_address: Annotated[int, Field(ge=0)] = 600
    messages_per_minute_per_address: Annotated[int, Field(ge=1)] = 100
    recipients_per_minute_per_address: Annotated[int, Field(ge=0)] = 5000
    unknown_recipients: Annotated[int, Field(ge=1)] = 50
    unknown_recipients_per_hour_per_address: Annotated[int, Field(ge=0)] = 200
    network_factor: Annotated[int, Field(ge=0)] = 10
    messages_per_minute_per_account: Annotated[int, Field(ge=0)] = 100
    recipients_per_minute_per_account: Annotated[int, Field(ge=0)] = 5000
    memory: Size = 500 * 1024**2


def _skippable(value: str) -> str:
    if value not in SKIPPABLE:
        raise ValueError(f"one of {', '.join(SKIPPABLE)}")
    return value


class PolicyRule(Section):
    listener: Some[Literal["smtp", "submission", "submissions", "lmtp", "http"]] = []
    network: Some[Net] = []
    account: Some[AccountName] = []
    sender_domain: Some[Pattern] = []
    recipient_domain: Some[Pattern] = []
    action: Literal["accept", "refuse", "defer"] | None = None
    text: Annotated[str, Field(max_length=300)] = ""
    require_tls: bool | None = None
    message_size: Size | None = None
    recipients: Annotated[int, Field(ge=1)] | None = None
    messages_per_minute: Annotated[int, Field(ge=0)] | None = None
    skip: list[Annotated[str, AfterValidator(_skippable)]] | None = None
