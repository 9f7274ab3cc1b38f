"""`mailserver webhook ...`: programs that are told what happens to the mail of an account.

A webhook is {id,url,events,created,state,failing,dropped}: `state` is "on", or why it is
off; `failing` since when nothing got through.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from filters.webhooks.events import event_of, shown_secret
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from net.outside_url import BadUrl, outside_url
from storage.webhook_values import WANTED, Told, Webhook, WebhookEvent

Args = Mapping[str, Any]
_SECRET = 32


async def webhook_add(services: Services, args: Args) -> dict[str, Any]:
    """Of `url` and `events`, all without; with the `secret` that signs, which is shown once."""
    account = await account_of(services, args)
    url, events = str(args["url"]), [str(one) for one in args.get("events") or WANTED]
    try:
        outside_url(url)
    except BadUrl as error:
        raise OperationError(f"url: {error}") from None
    if unknown := [one for one in events if one not in WANTED]:
        raise OperationError(f"there is no event {unknown[0]}: one of {', '.join(WANTED)}")
    secret, point = secrets.token_bytes(_SECRET), await services.store.modseq(account.id)
    made = await services.directory.webhooks.add(
        account.id, url, dict.fromkeys(events), secret, point
    )
    return shown(made) | {"secret": shown_secret(secret)}


async def webhook_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Those of an account."""
    account = await account_of(services, args)
    return [shown(one) for one in await services.directory.webhooks.of(account.id)]


async def webhook_delete(services: Services, args: Args) -> None:
    """With the events that wait."""
    account = await account_of(services, args)
    await services.directory.webhooks.remove(account.id, int(args["id"]))


async def webhook_enable(services: Services, args: Args) -> dict[str, Any]:
    """Switches on again what was switched off: what waits is told, mail from here on."""
    account, webhooks = await account_of(services, args), services.directory.webhooks
    one = await webhooks.get(account.id, int(args["id"]))
    if one.ended:
        await webhooks.switch(one, "", await services.store.modseq(account.id))
    return shown(await webhooks.get(account.id, one.id))


async def webhook_test(services: Services, args: Args) -> None:
    """Tells an event that says nothing."""
    account, webhooks = await account_of(services, args), services.directory.webhooks
    one = await webhooks.get(account.id, int(args["id"]))
    now = services.clock.now()
    event = event_of(WebhookEvent.TEST, f"t{secrets.token_hex(8)}", account.address, now, {})
    await webhooks.write(one, [event])


async def webhook_log(services: Services, args: Args) -> list[dict[str, Any]]:
    """Its events, newest first: those that wait, and the last that do not."""
    account, webhooks = await account_of(services, args), services.directory.webhooks
    one = await webhooks.get(account.id, int(args["id"]))
    return [_shown_event(event) for event in await webhooks.log(one.id)]


def shown(one: Webhook) -> dict[str, Any]:
    """Without its secret."""
    return {
        "id": one.id,
        "url": one.url,
        "events": [event.value for event in one.events],
        "created": rfc3339(one.created),
        "state": one.ended or "on",
        "failing": None if one.failing is None else rfc3339(one.failing),
        "dropped": one.dropped,
    }


def _shown_event(event: Told) -> dict[str, Any]:
    return {
        "id": event.key,
        "type": event.kind.value,
        "created": rfc3339(event.created),
        "state": event.state.value,
        "tries": event.tries,
        "told": None if event.told is None else rfc3339(event.told),
        "answer": event.answer,
    }
