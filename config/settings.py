"""Every key of mailserver.toml as a typed, frozen model, with its default and its bounds.

Reading files, environment and line numbers is config/load.py. Loaded paths are absolute.
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from config.dnsbl import parse_codes
from config.smarthost import parse_smarthost
from config.units import Duration, Size

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PIPELINE = ("ratelimit", "blocklist", "spf", "dkim", "dmarc", "arc", "tagging")
FILTER_NAMES = (*DEFAULT_PIPELINE, "greylist")
LATER_FILTERS = ("virus", "spam")
# Filters that a policy may leave out: those with a name, and the questions about strangers.
SKIPPABLE = (*FILTER_NAMES, "stranger")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def _domain(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('a domain name such as "example.test"')
    try:
        name = value.strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise ValueError('a domain name such as "example.test"')
    return name


def _network(value: object) -> Network:
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


def _filter_name(value: str) -> str:
    if value in LATER_FILTERS:
        raise ValueError(f"not in this version: {value!r}; one of {', '.join(FILTER_NAMES)}")
    if value not in FILTER_NAMES:
        raise ValueError(f"one of {', '.join(FILTER_NAMES)}")
    return value


def _smarthost(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        parse_smarthost(value.get_secret_value())
    return value


def _secret_of(allowed: str, *forms: str) -> Callable[[SecretStr], SecretStr]:
    """A check of a secret's form that never shows it."""

    def check(value: SecretStr) -> SecretStr:
        if not any(re.fullmatch(form, value.get_secret_value()) for form in forms):
            raise ValueError(allowed)
        return value

    return check


_database = _secret_of(
    '"sqlite" or "postgresql://user:password@host/name"', "sqlite", r"postgresql://.+"
)
_cache = _secret_of('"memory" or "redis://host:port/db"', "memory", r"rediss?://.+")


def _sms(value: str) -> str:
    if value != "outbox" and not re.fullmatch(r"(webhook|smpp):.+", value):
        raise ValueError('"outbox", "webhook:URL" or "smpp:..."')
    return value


def _mx_pattern(value: str) -> str:
    star = "*." if value.startswith("*.") else ""
    return star + _domain(value.removeprefix(star))


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


Domain = Annotated[str, BeforeValidator(_domain)]
Net = Annotated[Network, BeforeValidator(_network)]
Endpoints = list[Annotated[Endpoint, BeforeValidator(parse_endpoint)]]


def _none_yet(value: Endpoints) -> Endpoints:
    if value:
        raise ValueError("not in this version; only [] is allowed")
    return value


LaterEndpoints = Annotated[Endpoints, AfterValidator(_none_yet)]


def _at(*texts: str) -> Endpoints:
    return [parse_endpoint(text) for text in texts]


ReportAddress = Annotated[str, Field(pattern=r"^([!-;=?-~]+@[!-;=?-~]+)?$", max_length=254)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Listen(Section):
    smtp: Endpoints = _at("127.0.0.1:2525")
    submission: Endpoints = _at("127.0.0.1:2587")
    submissions: Endpoints = _at("127.0.0.1:2465")
    lmtp: Endpoints = []
    imap: Endpoints = _at("127.0.0.1:2143")
    imaps: Endpoints = _at("127.0.0.1:2993")
    managesieve: LaterEndpoints = []
    pop3: LaterEndpoints = []
    metrics: LaterEndpoints = []
    http: Endpoints = _at("127.0.0.1:2080")
    https: Endpoints = _at("127.0.0.1:2443")
    proxy_protocol_from: list[Net] = []


class Tls(Section):
    certificate: Path | None = None
    key: Path | None = None


class Auth(Section):
    plaintext_from: list[Net] = []
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    signup: Literal["closed", "invite", "open"] = "closed"
    sms: Annotated[str, AfterValidator(_sms)] = "outbox"


class Store(Section):
    database: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("sqlite")
    cache: Annotated[SecretStr, AfterValidator(_cache)] = SecretStr("memory")
    maildir: Path = Path("mail")


class Dns(Section):
    nameservers: list[Annotated[Endpoint, BeforeValidator(_nameserver)]] = []


def _domain_pattern(value: object) -> str:
    if value == "<>":
        return "<>"
    if isinstance(value, str) and value.startswith("*."):
        return "*." + _domain(value[2:])
    return _domain(value)


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Some = Annotated[list[T], BeforeValidator(_as_list)]
Pattern = Annotated[str, BeforeValidator(_domain_pattern)]
AccountName = Annotated[str, Field(pattern=r"^[^@\s]*@[^@\s]+$")]
PoolName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]


def _source(value: object) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError('an address of this machine such as "192.0.2.10"') from None


class WarmUp(Section):
    start: date
    messages: Annotated[int, Field(ge=1)] = 50
    factor: Annotated[float, Field(ge=1.0, le=100.0)] = 1.5
    ceiling: Annotated[int, Field(ge=0)] = 0
    per_provider: bool = False


class SourceAddress(Section):
    address: Annotated[str, BeforeValidator(_source)]
    name: Annotated[str, BeforeValidator(lambda value: value and _domain(value))] = ""
    warm_up: WarmUp | None = None


class Pool(Section):
    name: PoolName
    source: Annotated[list[SourceAddress], Field(min_length=1, max_length=256)]
    used_up: Literal["next", "wait"] = "next"


class PoolRoute(Section):
    pool: PoolName
    account: Some[AccountName] = []
    sender_domain: Some[Pattern] = []
    recipient_domain: Some[Pattern] = []
    priority: Annotated[list[int], Field(min_length=2, max_length=2)] = [-9, 9]


class Outbound(Section):
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    smarthost: Annotated[SecretStr, AfterValidator(_smarthost)] = SecretStr("")
    life: Duration = 432000.0
    delay_notice_after: Duration = 14400.0
    tls_downgrade: Literal["report", "refuse"] = "report"
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    connections_per_destination: Annotated[int, Field(ge=1, le=1000)] = 20
    pool: list[Pool] = []
    route: list[PoolRoute] = []

    @field_validator("route")
    @classmethod
    def _known(cls, routes: list[PoolRoute], others: ValidationInfo) -> list[PoolRoute]:
        names = [pool.name for pool in others.data.get("pool", ())]
        if len(set(names)) < len(names):
            raise ValueError("each pool a name of its own")
        if any(route.pool not in names for route in routes):
            raise ValueError(f"the name of a pool: {', '.join(names) or 'there is none'}")
        return routes


class Suppression(Section):
    after: Annotated[int, Field(ge=0, le=100)] = 3
    within: Duration = 604800.0
    apart: Duration = 3600.0
    keep: Duration = 7776000.0


class Submission(Section):
    from_header: Literal["own", "any"] = "own"
    save_sent: bool = False
    messages_per_hour: Annotated[int, Field(ge=0)] = 500
    messages_per_day: Annotated[int, Field(ge=0)] = 2000
    recipients_per_hour: Annotated[int, Field(ge=0)] = 2000
    recipients_per_day: Annotated[int, Field(ge=0)] = 5000
    reports_per_hour: Annotated[int, Field(ge=0)] = 1000


def _in_order(names: list[str]) -> list[str]:
    """DMARC judges by what the other two found; without them it would refuse everybody."""
    before = names[: names.index("dmarc")] if "dmarc" in names else ["spf", "dkim"]
    if not {"spf", "dkim"} <= set(before):
        raise ValueError('"spf" and "dkim" in front of "dmarc"')
    return names


Pipeline = Annotated[list[Annotated[str, AfterValidator(_filter_name)]], AfterValidator(_in_order)]


class MtaSts(Section):
    mode: Literal["enforce", "testing", "none"] = "testing"
    max_age: Annotated[Duration, Field(le=31_557_600)] = 604_800.0
    mx: list[Annotated[str, AfterValidator(_mx_pattern)]] = []


class Dkim(Section):
    sign: bool = True
    rotate_every: Duration = 180 * 86400.0
    use_unseen_after: Duration = 0.0
    overlap: Duration = 7 * 86400.0


class Forwarding(Section):
    srs: bool = True
    arc: bool = True
    reports_per_hour: Annotated[int, Field(ge=0)] = 60


class Filters(Section):
    pipeline: Pipeline = list(DEFAULT_PIPELINE)
    local_networks: list[Net] = [_network("127.0.0.0/8"), _network("::1/128")]
    own: str = ""


class TaggingRule(Section):
    header: Annotated[str, Field(min_length=1, pattern=r"^[!-9;-~]+$")]
    contains: Annotated[str, Field(min_length=1)]
    tag: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r'^[^\\(){}%*"\]\x00-\x20\x7f-\xff]+$')
    ]


class Tagging(Section):
    rule: list[TaggingRule] = []


class Blocklist(Section):
    networks: list[Net] = []


class Spf(Section):
    reject: bool = False


class Greylisting(Section):
    delay: Duration = 300.0
    window: Duration = 172800.0
    keep: Duration = 3110400.0


class Dmarc(Section):
    enforce: bool = True
    trusted_arc: list[Domain] = []


class Reports(Section):
    send: bool = True
    organisation: Annotated[str, Field(max_length=200)] = ""
    contact: ReportAddress = ""
    address: ReportAddress = ""
    failure: bool = False


def _codes(value: str) -> str:
    parse_codes(value)
    return value


class DnsList(Section):
    zone: Domain
    kind: Literal["address", "domain"] = "address"
    codes: list[Annotated[str, AfterValidator(_codes)]] = []
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9_]{0,64}$")] = ""
    weight: float = 0.0
    action: Literal["mark", "quarantine", "defer", "reject"] = "mark"
    test: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9.-]*$")] = ""


# In the class the name `list` would be the key's.
_DnsLists = list[DnsList]


class Dnsbl(Section):
    list: _DnsLists = []


class Http(Section):
    trusted_proxies: list[Net] = []
    metrics_from: list[Net] = []


class Virus(Section):
    clamd: Annotated[str, Field(pattern=r"^(unix:/.+|tcp:.+:\d+)?$")] = ""
    on_error: Literal["defer", "accept"] = "defer"


class Spam(Section):
    tag_at: float = 5.0
    reject_at: float = 15.0


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
    listener: Some[Literal["smtp", "submission", "submissions", "lmtp"]] = []
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


class Settings(Section):
    """A whole configuration. `hostname` is the only key without a default."""

    hostname: Domain
    domains: list[Domain] = []
    data_dir: Path = Path("data")
    listen: Listen = Listen()
    tls: Tls = Tls()
    auth: Auth = Auth()
    store: Store = Store()
    dns: Dns = Dns()
    outbound: Outbound = Outbound()
    mta_sts: MtaSts = MtaSts()
    submission: Submission = Submission()
    dkim: Dkim = Dkim()
    forwarding: Forwarding = Forwarding()
    suppression: Suppression = Suppression()
    filters: Filters = Filters()
    tagging: Tagging = Tagging()
    blocklist: Blocklist = Blocklist()
    dnsbl: Dnsbl = Dnsbl()
    greylist: Greylisting = Greylisting()
    spf: Spf = Spf()
    dmarc: Dmarc = Dmarc()
    reports: Reports = Reports()
    http: Http = Http()
    virus: Virus = Virus()
    spam: Spam = Spam()
    imap: Imap = Imap()
    smtp: Smtp = Smtp()
    limits: Limits = Limits()
    policy: list[PolicyRule] = []
