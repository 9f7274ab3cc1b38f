"""The events of webhooks as JSON, and their signature. Pure.

Each is {id,type,created,account,data}. The signature is that of the Standard Webhooks
specification: HMAC-SHA-256 (RFC 2104) over id, time and body, in base64.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from config.clock import rfc3339
from storage.webhook_values import Fresh, WebhookEvent

SECRET: Final = "whsec_"  # noqa: S105 - what a secret begins with


def event_of(
    kind: WebhookEvent, key: str, account: str, at: float, data: Mapping[str, Any]
) -> Fresh:
    """`key` is unique among the events of the account."""
    body = {
        "id": key,
        "type": kind.value,
        "created": rfc3339(at),
        "account": account,
        "data": dict(data),
    }
    return Fresh(kind, key, json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def signed(secret: bytes, key: str, body: bytes, at: int) -> dict[str, str]:
    """The fields of a request; a receiver refuses times that are minutes away, so that what was
    overheard is not told it again.
    """
    digest = hmac.new(secret, b"%b.%d.%b" % (key.encode(), at, body), hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "Webhook-Id": key,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": f"v1,{b64encode(digest).decode()}",
    }


def shown_secret(secret: bytes) -> str:
    """As receivers are given it."""
    return SECRET + b64encode(secret).decode()
