"""Mail that waits: in quarantine, and in the queue. For users their own, for administrators that of
whom they administer.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from web.rest.endpoint import Access, Endpoint
from web.rest.models import Address, Domain, Give, Page, Paging, Take, Text, Time
from web.rest.operations import Operations

QUARANTINE: Final = "quarantine"
OUTBOX: Final = "outbox"
QUEUE: Final = "queue"
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]


class Kept(Give):
    """A message in quarantine, and why."""

    id: str
    at: Time
    sender: str
    recipients: list[str]
    from_: str = Field(alias="from")
    subject: str
    message_id: str
    reason: str
    symbols: list[str]
    size: int


class KeptAttachment(Give):
    """What a message has with it."""

    name: str
    type: str
    kind: str
    size: int


class KeptWhole(Kept):
    """Safe to look at: lines of the header and the text, where links lead."""

    header: list[str]
    text: list[str]
    links: list[str]
    attachments: list[KeptAttachment]
    whole: bool


class Of(Paging):
    """Of one account, else of all."""

    account: Address | None = None


class Whose(Paging):
    """Which messages wait."""

    account: Address | None = None
    sender: Address | None = None
    recipient: Address | None = None
    domain: Domain | None = None
    state: Literal["queued", "deferred", "held"] | None = None


class ReleaseBody(Take):
    """`learn`: and mail like it is no spam."""

    learn: bool = False


class Released(Give):
    """Who has it, or has it no more."""

    id: str
    recipients: list[str]


class Hold(Give):
    """Why a recipient is on hold."""

    rule: int | None
    by: str
    at: Time
    reason: str


class QueuedRecipient(Give):
    """Of a message in the queue."""

    address: str
    state: str
    attempts: int
    next_attempt: Time | None
    last_reply: str
    hold: Hold | None


class Queued(Give):
    """A message that is to go elsewhere."""

    id: str
    sender: str
    state: str
    size: int
    queued_at: Time
    hold_until: Time | None
    deliver_by: Time | None
    priority: int
    require_tls: bool
    recipients: list[QueuedRecipient]


class Destination(Give):
    """Where it goes: the site as it is known at this moment."""

    domain: str
    recipients: int
    pool: str | None
    sessions: int | None
    not_before: Time | None
    hosts: list[dict[str, Any]]
    level: str | None
    policy: dict[str, Any] | None
    problem: str


class QueuedWhy(Queued):
    """Why it is still there."""

    destinations: list[Destination]


class ShapeAsked(Whose):
    """By domains of recipients, or of senders."""

    by_sender: bool = False


class QueueShape(Give):
    """`ages` counts recipients younger than 5, 10, 20 ... 1280 minutes, and the older ones last."""

    domain: str
    recipients: int
    octets: int
    ages: list[int]


class Messages(Give):
    """How many it was about."""

    messages: int


class RuleBody(Take):
    """Mail that fits everything given is held; `all` for a rule that gives nothing."""

    sender: Text | None = None
    recipient: Address | None = None
    domain: Domain | None = None
    account: Address | None = None
    reason: Text = ""
    all: bool = False


class HoldRule(Give):
    """A standing rule."""

    id: int
    sender: str | None
    recipient: str | None
    domain: str | None
    account: str | None
    reason: str
    by: str
    created: Time


class Pool(Give):
    """An address that mail leaves from; `sent` today, `allowed` null without a limit."""

    pool: str
    address: str
    name: str
    usable: bool
    sent: int
    allowed: int | None
    providers: dict[str, int]


class SuppressionBody(Take):
    """`until` in seconds since 1970, null for ever."""

    address: Address
    until: Annotated[float, Field(ge=0, le=1e11)] | None = None
    reason: Text = ""


class Suppression(Give):
    """Nothing is sent there."""

    address: str
    until: Time | None
    reason: str
    origin: str
    created: Time


def held_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Those of users."""
    own = {"own": "account"}
    return [
        *_quarantine(do, "/quarantine", QUARANTINE, "", Paging, own),
        Endpoint(
            *("GET", "/outbox", OUTBOX, "listOutbox", "Own mail that is still to go"),
            do.by("queue.list", own="account"),
            *(Access.OWN, None, Paging, Page[Queued]),
            order=by_number,
        ),
        Endpoint(
            *("DELETE", "/outbox/{id}", OUTBOX, "cancelMessage", "Take back mail for later"),
            do.by("queue.cancel", own="account"),
            params={"id": Id},
        ),
    ]


def queue_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Those of administrators."""
    one = {"id": Number}
    changes = [
        Endpoint(
            *("POST", f"/admin/queue/{{id}}/{verb}", QUEUE, f"{verb}Queued", words),
            do.by(f"queue.{verb}"),
            params=one,
            gives=Messages,
        )
        for verb, words in (
            ("retry", "Try a message again at once"),
            ("hold", "Keep a message until it is released"),
            ("release", "End a hold"),
            ("bounce", "Give a message up and tell its sender"),
        )
    ]
    return [
        *_quarantine(do, "/admin/quarantine", "administration of quarantine", "All", Of, {}),
        Endpoint(
            *("GET", "/admin/queue", QUEUE, "listQueue", "Mail that is to go elsewhere"),
            do.by("queue.list"),
            *(Access.OWN, None, Whose, Page[Queued]),
            order=by_number,
        ),
        Endpoint(
            *("GET", "/admin/queue-shape", QUEUE, "shapeQueue", "What waits, by domain and age"),
            do.by("queue.shape"),
            *(Access.OWN, None, ShapeAsked, Page[QueueShape]),
            order=lambda row: (row["domain"] != "TOTAL", -row["recipients"], row["domain"]),
        ),
        Endpoint(
            *("GET", "/admin/queue/{id}", QUEUE, "getQueued", "A message, and why it is there"),
            do.by("queue.why"),
            params=one,
            gives=QueuedWhy,
        ),
        *changes,
        Endpoint(
            *("GET", "/admin/pools", QUEUE, "listPools", "Addresses that mail leaves from"),
            do.by("queue.pools"),
            *(Access.OWN, None, Paging, Page[Pool]),
            order=lambda row: (row["pool"], row["address"]),
        ),
        *_standing(do),
    ]


def _quarantine(
    do: Operations, path: str, tag: str, name: str, query: type[Paging], own: Any
) -> Sequence[Endpoint]:
    one = {"id": Id}
    return [
        Endpoint(
            *("GET", path, tag, f"list{name}Quarantine", "Messages that are kept"),
            do.by("quarantine.list", limit=100_000, **own),
            *(Access.OWN, None, query, Page[Kept]),
            order=lambda row: (row["at"], row["id"]),
        ),
        Endpoint(
            *("GET", f"{path}/{{id}}", tag, f"get{name}Kept", "A message that is kept"),
            do.by("quarantine.show", **own),
            params=one,
            gives=KeptWhole,
        ),
        Endpoint(
            *("POST", f"{path}/{{id}}/release", tag, f"release{name}Kept", "Deliver after all"),
            do.by("quarantine.release", **own),
            *(Access.OWN, ReleaseBody),
            params=one,
            gives=Released,
        ),
        Endpoint(
            *("DELETE", f"{path}/{{id}}", tag, f"delete{name}Kept", "Delete for good"),
            do.by("quarantine.delete", **own),
            params=one,
        ),
    ]


def _standing(do: Operations) -> Sequence[Endpoint]:
    """Rules that hold mail, and addresses that get none."""
    return [
        Endpoint(
            *("GET", "/admin/hold-rules", QUEUE, "listHoldRules", "Rules that hold mail"),
            do.by("queue.rule.list"),
            *(Access.OWN, None, Paging, Page[HoldRule]),
            order=by_number,
        ),
        Endpoint(
            *("POST", "/admin/hold-rules", QUEUE, "addHoldRule", "Hold what fits"),
            do.by("queue.rule.add"),
            *(Access.OWN, RuleBody),
            gives=HoldRule,
            status=201,
        ),
        Endpoint(
            *("DELETE", "/admin/hold-rules/{id}", QUEUE, "deleteHoldRule", "End a rule"),
            do.by("queue.rule.delete"),
            params={"id": Number},
        ),
        Endpoint(
            *("GET", "/admin/suppressions", QUEUE, "listSuppressions", "Where nothing is sent"),
            do.by("suppress.list"),
            *(Access.OWN, None, Paging, Page[Suppression]),
            order=lambda row: (row["address"],),
        ),
        Endpoint(
            *("POST", "/admin/suppressions", QUEUE, "addSuppression", "Send nothing there"),
            do.by("suppress.add"),
            *(Access.OWN, SuppressionBody),
            gives=Suppression,
            status=201,
        ),
        Endpoint(
            *("DELETE", "/admin/suppressions/{address}", QUEUE, "deleteSuppression", "Send again"),
            do.by("suppress.delete"),
            params={"address": Address},
        ),
    ]


def by_number(row: Any) -> Sequence[int]:
    """An order."""
    return (int(row["id"]),)
