"""Values of webhooks: what is told, to whom, and what became of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from storage.values import AccountId

WHOLE_LIFE: Final = 3 * 86400.0
"""Seconds without anything that got through after which a webhook is switched off."""


class WebhookEvent(StrEnum):
    """What may be told of."""

    RECEIVED = "message.received"
    DELIVERED = "message.delivered"
    BOUNCED = "message.bounced"
    TEST = "webhook.test"


WANTED: Final = (WebhookEvent.RECEIVED, WebhookEvent.DELIVERED, WebhookEvent.BOUNCED)
"""Those that may be asked for."""


class State(StrEnum):
    """Of one event for one webhook."""

    WAITING = "waiting"
    TOLD = "told"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Webhook:
    """`point` is the modseq up to which new mail was looked at; `failing` since when nothing got
    through; `ended` why it is switched off, "" while it is not; `dropped` how many events there
    was no room for. Times in seconds since 1970.
    """

    id: int
    account: AccountId
    url: str
    events: tuple[WebhookEvent, ...]
    secret: bytes = field(repr=False)
    created: float
    point: int
    failing: float | None
    ended: str
    dropped: int


@dataclass(frozen=True, slots=True)
class Fresh:
    """An event to be written down: `body` is JSON, `key` the same however often it is written."""

    kind: WebhookEvent
    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a webhook; `answer` is what came of the last try: a status, or why not."""

    id: int
    webhook: int
    kind: WebhookEvent
    key: str
    body: str
    created: float
    state: State
    tries: int
    told: float | None
    answer: str
