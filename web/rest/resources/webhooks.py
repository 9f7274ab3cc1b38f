"""Programs that are told what happens to the account's mail, and who shares its mailboxes."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from storage.webhook_values import State, WebhookEvent
from web.rest.endpoint import Access, Endpoint
from web.rest.models import Address, Give, Name, Page, Paging, Query, Take, Time
from web.rest.operations import Operations
from web.rest.resources.security import Id, by_id

TAG: Final = "webhooks"
SHARES: Final = "shares"
Url = Annotated[str, Field(min_length=8, max_length=2000, pattern="^https?://[!-~]+$")]


class WebhookShape(Give):
    """`state` is "on", or why it is off; `failing` since when nothing got through; `dropped` how
    many events there was no room for.
    """

    id: int
    url: str
    events: list[WebhookEvent]
    created: Time
    state: str
    failing: Time | None
    dropped: int


class NewWebhook(WebhookShape):
    """With the secret that signs, this once."""

    secret: str


class WebhookBody(Take):
    """Without `events` of all."""

    url: Url
    events: Annotated[tuple[WebhookEvent, ...], Field(max_length=10)] = ()


class EventShape(Give):
    """What became of an event; `answer` is a status, or why there was none."""

    id: str
    type: WebhookEvent
    created: Time
    state: State
    tries: int
    told: Time | None
    answer: str


class Share(Give):
    """Letters of RFC 4314 that an identifier has in a mailbox."""

    mailbox: str
    identifier: str
    rights: str


class ShareBody(Take):
    """`rights` behind "+" or "-" are added or taken."""

    rights: Annotated[str, Field(max_length=20, pattern="^[-+]?[a-z]*$")]


class OfMailbox(Query):
    """Of one mailbox by its name."""

    mailbox: Name


class Shares(Paging):
    """Of one mailbox by its name, else of all."""

    mailbox: Name | None = None


class ShareList(Give):
    """Who has what in the mailbox."""

    items: list[Share]


def webhook_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Of the login's account."""
    at, one = "/webhooks/{id}", {"id": Id}
    return [
        Endpoint(
            *("GET", "/webhooks", TAG, "listWebhooks", "Every webhook"),
            do.by("webhook.list", own="address"),
            *(Access.OWN, None, Paging, Page[WebhookShape]),
            order=by_id,
        ),
        Endpoint(
            *("POST", "/webhooks", TAG, "addWebhook", "Make a webhook"),
            do.by("webhook.add", own="address"),
            *(Access.SESSION, WebhookBody),
            gives=NewWebhook,
            status=201,
            secret=True,
        ),
        Endpoint(
            *("DELETE", at, TAG, "deleteWebhook", "Delete a webhook"),
            do.by("webhook.delete", own="address"),
            params=one,
        ),
        Endpoint(
            *("POST", f"{at}/enable", TAG, "enableWebhook", "Switch it on again"),
            do.by("webhook.enable", own="address"),
            params=one,
            gives=WebhookShape,
        ),
        Endpoint(
            *("POST", f"{at}/test", TAG, "testWebhook", "Tell it an event that says nothing"),
            do.by("webhook.test", own="address"),
            params=one,
        ),
        Endpoint(
            *("GET", f"{at}/log", TAG, "listEvents", "Its events, those that wait first"),
            do.by("webhook.log", own="address"),
            *(Access.OWN, None, Paging, Page[EventShape]),
            params=one,
            order=lambda row: (row["state"] != "waiting", row["created"], row["id"]),
        ),
    ]


def share_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Who shares mailboxes of the login's account."""
    at, one = "/shares/{identifier}", {"identifier": Address}
    return [
        Endpoint(
            *("GET", "/shares", SHARES, "listShares", "Who shares mailboxes"),
            do.by("account.share.list", own="address"),
            *(Access.OWN, None, Shares, Page[Share]),
            order=lambda row: (row["mailbox"], row["identifier"]),
        ),
        Endpoint(
            *("PUT", at, SHARES, "putShare", "Share a mailbox"),
            do.by("account.share.set", pick=lambda rows: {"items": rows}, own="address"),
            *(Access.SESSION, ShareBody, OfMailbox),
            params=one,
            gives=ShareList,
        ),
        Endpoint(
            *("DELETE", at, SHARES, "endShare", "Share it no more"),
            do.by("account.share.delete", own="address"),
            *(Access.SESSION, None, OfMailbox),
            params=one,
        ),
    ]
