"""Sends to push subscriptions what has changed (RFC 8620 §7.2, RFC 8030), and the code by which a
client proves that it reads there.

Each has one message under way at most; what changes meanwhile goes with the next, one state a
type. What cannot be delivered is tried again for a day. Nothing is kept over a restart: clients
look for themselves when they start.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

import orjson
from cachetools import TTLCache
from cryptography.hazmat.primitives.asymmetric import ec

from auth.grant import FULL, Grant, grant_of
from auth.login import Authenticator
from config.clock import Clock
from config.logging import Logger
from net.https import HttpsClient, HttpsError
from net.outside_url import OutsideUrl, outside_url
from storage.directory import Directory
from storage.directory_values import AccountChange
from storage.errors import NoSuchAccount, StoreError
from storage.push_subscriptions import PushSubscription, PushSubscriptions
from storage.type_states import DELIVERY, TypeChanges
from storage.values import AccountId
from web.jmap.push.encryption import authorization, encrypted, point_of, signing_key
from web.jmap.push.hub import Boxes, Hub
from web.jmap.push.state_change import Pending, of_types, state_change, states_for

KEY: Final = "web-push"
"""Name of the secret of which the signing key is made."""
WAITS: Final = (10.0, 60.0, 300.0, 900.0, 3600.0, 3600.0, 7200.0, 14400.0, 21600.0, 21600.0)
"""Seconds between tries: a bit more than a day."""
GAP: Final = 1.0
"""Seconds between two messages to one subscription, which gather what changes."""
AT_ONCE: Final = 32
SECONDS: Final = 20.0
TTL: Final = 86400
_SIGNED: Final = 3600.0
_ANSWER: Final = 64 * 1024


class Sent(Enum):
    """What became of a message."""

    DONE = "done"
    GONE = "gone"
    LATER = "later"


class Pushed:
    """A listener of the hub: one subscription, with what was not sent yet."""

    def __init__(self, subscription: PushSubscription, grant: Grant, wake: "Wake") -> None:
        self.subscription, self.grant, self._wake = subscription, grant, wake
        self.pending = Pending()
        self.task: asyncio.Task[None] | None = None

    @property
    def sees_all(self) -> bool:
        """As hub.Listener."""
        return not self.grant.folders

    def heard(self, account: AccountId, changes: TypeChanges, boxes: Boxes) -> None:
        """As hub.Listener."""
        self.pending.add(account, states_for(changes, boxes, self.subscription.types, self.grant))
        self._tell()

    def heard_shared(self, owner: AccountId, states: Mapping[str, str]) -> None:
        """As hub.Listener."""
        self.pending.add(owner, of_types(states, self.subscription.types))
        self._tell()

    def _tell(self) -> None:
        if self.pending:
            self._wake(self)

    def ended_by(self, change: AccountChange) -> bool:
        """Whether its login is over."""
        owner = self.subscription.owner
        return change.ends(owner.account, owner.credential, self.grant.kind)


Wake = Callable[[Pushed], None]


class PushSender:
    """`subject` is whom a push service may write to about the server."""

    def __init__(
        self,
        hub: Hub,
        subscriptions: PushSubscriptions,
        directory: Directory,
        authenticator: Authenticator,
        https: HttpsClient,
        subject: str,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._hub, self._subscriptions, self._directory = hub, subscriptions, directory
        self._authenticator, self._https, self._subject = authenticator, https, subject
        self._clock, self._log = clock, log
        self._known: dict[int, Pushed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._signed: TTLCache[str, str] = TTLCache(1000, _SIGNED)
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """When the hub has started. Raises StoreError."""
        self._unsubscribe = self._authenticator.on_revoke(self._revoked)
        for one in await self._subscriptions.verified():
            account = await self._directory.account_by_id(one.owner.account)
            try:
                if account is None or not account.enabled:
                    raise NoSuchAccount("nobody may ask for it")
                await self._listen(one, await self._grant(one))
            except NoSuchAccount:
                await self._subscriptions.drop(one.id)

    async def stop(self) -> None:
        """What is under way is broken off."""
        self._unsubscribe()
        for pushed in tuple(self._known.values()):
            self._forget(pushed)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def application_key(self) -> bytes:
        """The public key by which push services know the server (RFC 9749 §3)."""
        return point_of(await self._key())

    def added(self, one: PushSubscription) -> None:
        """Sends the code that proves it, once."""
        body = {
            "@type": "PushVerification",
            "pushSubscriptionId": str(one.id),
            "verificationCode": one.code,
        }
        self._start(self._verify(one, body))

    async def changed(self, one: PushSubscription, grant: Grant) -> None:
        """It is verified from here on, or has other types or another time."""
        if (pushed := self._known.get(one.id)) is not None:
            pushed.subscription = one
        elif one.verified:
            await self._listen(one, grant)

    def removed(self, number: int) -> None:
        """The client has taken it back."""
        if (pushed := self._known.get(number)) is not None:
            self._forget(pushed)

    async def _listen(self, one: PushSubscription, grant: Grant) -> None:
        pushed = self._known[one.id] = Pushed(one, grant, self._wake)
        try:
            await self._hub.listen(one.owner.account, pushed)
        except (NoSuchAccount, StoreError):
            self._forget(pushed)
            raise

    async def _grant(self, one: PushSubscription) -> Grant:
        if one.owner.credential is None:
            return FULL
        mine = await self._directory.credentials.of(one.owner.account)
        for each in mine:
            if each.id == one.owner.credential:
                return grant_of(each)
        raise NoSuchAccount("the login has ended")

    def _forget(self, pushed: Pushed) -> None:
        one = pushed.subscription
        self._known.pop(one.id, None)
        self._hub.leave(one.owner.account, pushed)
        pushed.pending.taken()
        if pushed.task is not None:
            pushed.task.cancel()

    def _revoked(self, change: AccountChange) -> None:
        for pushed in [one for one in self._known.values() if one.ended_by(change)]:
            self._forget(pushed)
            self._start(self._end(pushed.subscription))

    async def _end(self, one: PushSubscription) -> None:
        try:
            await self._subscriptions.drop(one.id)
        except StoreError as error:
            self._log.warning("subscription cannot be removed", reason=str(error))

    def _wake(self, pushed: Pushed) -> None:
        if pushed.task is None:
            pushed.task = self._start(self._send(pushed))

    def _start(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _verify(self, one: PushSubscription, body: dict[str, str]) -> None:
        await self._post(one, body, "high")

    async def _send(self, pushed: Pushed) -> None:
        """Until nothing is left to be sent."""
        tries = 0
        try:
            while pushed.pending:
                one = pushed.subscription
                if one.expires <= self._clock.now():
                    self._known.pop(one.id, None)
                    self._hub.leave(one.owner.account, pushed)
                    return
                states = pushed.pending.taken()
                urgent = any(DELIVERY in some for some in states.values())
                urgency = "normal" if urgent else "low"
                sent = await self._post(one, state_change(states), urgency)
                if sent is Sent.GONE or (sent is Sent.LATER and tries == len(WAITS)):
                    await self._give_up(pushed, sent)
                    return
                if sent is Sent.LATER:
                    pushed.pending.again(states)
                    await asyncio.sleep(WAITS[tries])
                    tries += 1
                else:
                    tries = 0
                    await asyncio.sleep(GAP)
        finally:
            pushed.task = None

    async def _give_up(self, pushed: Pushed, sent: Sent) -> None:
        one = pushed.subscription
        self._log.info("push subscription dropped", account=one.owner.account, reason=sent.value)
        pushed.task = None
        self._forget(pushed)
        await self._end(one)

    async def _post(self, one: PushSubscription, body: dict[str, Any], urgency: str) -> Sent:
        data = orjson.dumps(body)
        headers = {"Content-Type": "application/json", "TTL": str(TTL), "Urgency": urgency}
        if one.keys is not None:
            data = encrypted(data, one.keys)
            headers |= {
                "Content-Type": "application/octet-stream",
                "Content-Encoding": "aes128gcm",
            }
        url = outside_url(one.url)
        try:
            headers["Authorization"] = await self._authorization(url)
            async with self._turns:
                found = await self._https.post(
                    *(url.host, url.port, url.path, data, headers), limit=_ANSWER, seconds=SECONDS
                )
        except (HttpsError, StoreError) as error:
            self._log.info("push failed", host=url.host, reason=str(error))
            return Sent.LATER
        if 200 <= found.status < 300:
            return Sent.DONE
        if found.status in (404, 410):
            return Sent.GONE
        # what a push service does not take it will not take later; redirects are not followed
        return Sent.LATER if found.status == 429 or found.status >= 500 else Sent.DONE

    async def _authorization(self, url: OutsideUrl) -> str:
        found = self._signed.get(url.origin)
        if found is None:
            until = int(self._clock.now() + 2 * _SIGNED)
            found = authorization(await self._key(), url.origin, self._subject, until)
            self._signed[url.origin] = found
        return found

    async def _key(self) -> ec.EllipticCurvePrivateKey:
        return signing_key(await self._directory.secrets.get(KEY))
