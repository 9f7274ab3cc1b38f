"""What administrators see and set of the server: domains, blocks, the life of a message, filters,
services.
"""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from web.rest.endpoint import Access, Endpoint
from web.rest.errors import RestError
from web.rest.models import (
    Address,
    Domain,
    Give,
    Name,
    Number,
    Page,
    Paging,
    Query,
    Take,
    Text,
    Time,
)
from web.rest.operations import Operations
from web.rest.resources.oauth_clients import client_endpoints
from web.rest.resources.reports import report_endpoints

DOMAINS: Final = "domains"
DEFENCE: Final = "defence"
SERVER: Final = "server"
MAIL: Final = "mail flow"


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("no network") from None
    return text


Network = Annotated[str, Field(pattern="^[0-9A-Fa-f.:/]{1,50}$"), AfterValidator(_network)]


class ServedDomain(Give):
    """What its administrators may give out: 0 is no bound."""

    name: str
    source: str
    accounts_most: int
    quota_most: int


class DomainBody(Take):
    """A domain to serve."""

    domain: Domain


class DomainPatch(Take):
    """Bounds."""

    accounts: Annotated[int, Field(ge=0, le=(1 << 31) - 1)] | None = None
    quota: Number | None = None


class Checked(Paging):
    """`check`: also what DNS serves."""

    check: bool = False


class Record(Give):
    """A record to publish; `state` and `found` of what is served, null unless that was asked."""

    name: str
    type: str
    value: str
    purpose: str
    needed: bool
    line: str
    state: str | None = None
    found: list[str] | None = None


class Block(Give):
    """A network that may not connect."""

    network: str
    until: Time | None
    reason: str
    source: str
    created: Time | None


class BlockBody(Take):
    """`until` in seconds since 1970, null for ever."""

    network: Network
    until: Annotated[float, Field(ge=0, le=1e11)] | None = None
    reason: Text = ""


class Sought(Query):
    """A Message-ID, a queue id, the id of a reply; or where the message is."""

    id: Annotated[str, Field(max_length=1000)] | None = None
    account: Address | None = None
    mailbox: Name | None = None
    uid: Annotated[int, Field(ge=1, lt=1 << 32)] | None = None


class Happening(Give):
    """One thing that happened, with what belongs to it."""

    at: Time
    what: str
    text: str


class Life(Give):
    """Everything that happened to a message."""

    id: str
    message_id: str
    at: Time
    happenings: list[Happening]


class Lives(Give):
    """Each message that it may be, the oldest first."""

    messages: list[Life]


class Filter(Give):
    """A filter of one's own."""

    name: str
    file: str
    state: str
    calls: int
    errors: int
    problem: str


class ServiceShape(Give):
    """A service of the gateway."""

    service: str
    version: str
    place: str
    state: str
    routes: list[str]


class Learned(Give):
    """How much was learned about spam."""

    account: str
    spam: int
    ham: int


class Transport(Give):
    """What is known of a domain's TLS, and which hosts mail to it goes to."""

    domain: str
    level: str
    level_host: str
    level_seen_at: Time | None
    policy: dict[str, Any] | None
    hosts: list[dict[str, Any]]
    problem: str


class EvaluationBody(Take):
    """Over the stored mail of one account; `since` in seconds since 1970."""

    account: Address
    since: Annotated[int, Field(ge=0, le=1 << 40)] = 0
    tag_at: Annotated[float, Field(ge=-1000, le=1000)] | None = None
    learned: bool = True


class Graded(Give):
    """False positives and negatives of a month, as the filter judges now and judged then."""

    account: str
    period: str
    corrected: int
    now: dict[str, Any]
    then: dict[str, Any]


class Evaluation(Give):
    """By account and month."""

    items: list[Graded]


class Sum(Give):
    """Recipients that mail waits for, and its octets."""

    recipients: int
    octets: int


class Disk(Give):
    """Octets where data_dir is."""

    total: int
    free: int


class State(Give):
    """Of a service."""

    service: str
    state: str


class HourShape(Give):
    """An hour; `filter_milliseconds` is what filters took for a message on average."""

    at: Time
    received: int
    sent: int
    spam: int
    refused: int
    quarantined: int
    delivered: int
    deferred: int
    failed: int
    filter_milliseconds: float


class Overview(Give):
    """The server at this moment, and the hours of the last day in which something happened."""

    accounts: int
    domains: int
    quarantined: int
    blocks: int
    queue: Sum
    disk: Disk
    services: list[State]
    hours: list[HourShape]
    complete: bool


class ConfigLine(Give):
    """A key in force; secrets are masked. `origin`: "default", a variable, or file and line."""

    key: str
    value: Any
    origin: str


class Of(Query):
    """Of an account, else of the site."""

    account: Address | None = None


def domain_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Domains and their records."""
    at, one = "/admin/domains/{domain}", {"domain": Domain}
    return [
        Endpoint(
            *("GET", "/admin/domains", DOMAINS, "listDomains", "Domains"),
            do.by("domain.list"),
            *(Access.OWN, None, Paging, Page[ServedDomain]),
            order=lambda row: (row["name"],),
        ),
        Endpoint(
            *("POST", "/admin/domains", DOMAINS, "addDomain", "Serve a domain"),
            do.by("domain.add"),
            *(Access.OWN, DomainBody),
            gives=ServedDomain,
            status=201,
        ),
        Endpoint(
            *("PATCH", at, DOMAINS, "changeDomain", "What its administrators may give out"),
            do.by("domain.set"),
            *(Access.OWN, DomainPatch),
            params=one,
            gives=ServedDomain,
        ),
        Endpoint(
            *("DELETE", at, DOMAINS, "deleteDomain", "Serve it no more"),
            do.by("domain.delete"),
            Access.SESSION,
            params=one,
        ),
        Endpoint(
            *("GET", f"{at}/dns", DOMAINS, "listRecords", "Its DNS records, and what is served"),
            do.by("domain.dns"),
            *(Access.OWN, None, Checked, Page[Record]),
            params=one,
            order=lambda row: (row["name"], row["type"], row["value"]),
        ),
        Endpoint(
            *("POST", f"{at}/rotate", DOMAINS, "rotateKeys", "Make its next DKIM keys"),
            do.by("domain.rotate"),
            params=one,
        ),
    ]


def defence_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Networks that may not connect."""
    return [
        Endpoint(
            *("GET", "/admin/blocks", DEFENCE, "listBlocks", "Blocked networks"),
            do.by("block.list"),
            *(Access.OWN, None, Paging, Page[Block]),
            order=lambda row: (row["network"], row["source"]),
        ),
        Endpoint(
            *("POST", "/admin/blocks", DEFENCE, "addBlock", "Block a network"),
            do.by("block.add"),
            *(Access.OWN, BlockBody),
            gives=Block,
            status=201,
        ),
        Endpoint(
            *("DELETE", "/admin/blocks/{network}", DEFENCE, "deleteBlock", "Let a network in"),
            do.by("block.delete"),
            params={"network": Network},
        ),
    ]


def server_endpoints(do: Operations) -> Sequence[Endpoint]:
    """The rest."""

    async def explain(call: Any) -> Any:
        asked = call.asked(Sought).model_dump(exclude_none=True)
        if "id" not in asked and not {"account", "uid"} <= asked.keys():
            raise RestError(422, "an id is needed, or account and uid")
        return {"messages": await do.do(call, "explain", asked)}

    return [
        Endpoint(
            *("GET", "/admin/explain", MAIL, "explain", "What happened to a message", explain),
            query=Sought,
            gives=Lives,
        ),
        Endpoint(
            *("GET", "/admin/tls/{domain}", MAIL, "getTransport", "The TLS of another domain"),
            do.by("tls.show"),
            params={"domain": Domain},
            gives=Transport,
        ),
        Endpoint(
            *("GET", "/admin/spam", MAIL, "getLearned", "How much was learned about spam"),
            do.by("spam.show"),
            query=Of,
            gives=Learned,
        ),
        Endpoint(
            *("POST", "/admin/spam/evaluations", MAIL, "evaluateSpam", "How right the filter is"),
            do.by("spam.eval", pick=lambda rows: {"items": rows}),
            *(Access.SESSION, EvaluationBody),
            gives=Evaluation,
        ),
        *report_endpoints(do),
        Endpoint(
            *("GET", "/admin/overview", SERVER, "getOverview", "How the server is"),
            do.by("overview"),
            gives=Overview,
        ),
        Endpoint(
            *("GET", "/admin/configuration", SERVER, "listConfiguration", "What is in force"),
            do.by("config.show"),
            *(Access.SESSION, None, Paging, Page[ConfigLine]),
            order=lambda row: (row["key"],),
        ),
        Endpoint(
            *("GET", "/admin/filters", SERVER, "listFilters", "Filters of one's own"),
            do.by("filter.list"),
            *(Access.OWN, None, Paging, Page[Filter]),
            order=lambda row: (row["name"], row["file"]),
        ),
        Endpoint(
            *("GET", "/admin/services", SERVER, "listServices", "Services of the gateway"),
            do.by("service.list"),
            *(Access.OWN, None, Paging, Page[ServiceShape]),
            order=lambda row: (row["service"], row["place"]),
        ),
        Endpoint(
            *("POST", "/admin/reload", SERVER, "reload", "Read the configuration again"),
            do.by("reload"),
            Access.SESSION,
        ),
        *client_endpoints(do),
    ]
