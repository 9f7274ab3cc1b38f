"""Texts for phones, handed to a webhook of the operator's or of a provider's as JSON.

Invariants: a text leaves behind the answer to its user, once, within SECONDS; at most WAITING at a
time; the log has the reason of a failure and nothing of the text.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Final

from auth.sms import Sms
from config.logging import Logger
from config.sms import Webhook
from net.http_plain import HttpError, Place, post
from net.https import HttpsClient, HttpsError

SECONDS: Final = 15.0
WAITING: Final = 100
ANSWER: Final = 64 * 1024


class WebhookSender:
    """An answer of 2xx is success; anything else is logged, and its user asks for another code."""

    def __init__(self, webhook: Webhook, https: HttpsClient, log: Logger) -> None:
        self._webhook, self._https, self._log = webhook, https, log
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, sms: Sms) -> None:
        if len(self._tasks) >= WAITING:
            self._log.error("SMS not sent", reason="too many are on their way")
            return
        task = asyncio.create_task(self._hand_on(sms.as_json()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits for what is on its way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hand_on(self, data: bytes) -> None:
        try:
            status = await (self._by_https(data) if self._webhook.tls else self._by_http(data))
        except (HttpsError, HttpError) as error:
            self._log.error("SMS not sent", reason=str(error))
            return
        if not 200 <= status < 300:
            self._log.error("SMS not sent", reason=f"the webhook answered {status}")

    async def _by_https(self, data: bytes) -> int:
        hook = self._webhook
        answer = await self._https.post(
            hook.host,
            hook.port,
            hook.path,
            data,
            self._headers(),
            limit=ANSWER,
            seconds=SECONDS,
        )
        return answer.status

    async def _by_http(self, data: bytes) -> int:
        hook = self._webhook
        place = Place(hook.host, hook.port or 80)
        headers = self._headers().items()
        status, _ = await post(
            place, hook.path, headers, _once(data), len(data), limit=ANSWER, seconds=SECONDS
        )
        return status

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._webhook.user:
            pair = f"{self._webhook.user}:{self._webhook.password}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
