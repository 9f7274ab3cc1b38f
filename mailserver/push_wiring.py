"""Builds what tells clients of changes over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute, WebSocketRoute

from auth.admission import Admission
from config.logging import get_logger
from mailserver.services import Services
from net.https import HttpsClient
from storage.push_subscriptions import PushSubscriptions
from storage.store import Store
from storage.type_states import TypeStates
from web.jmap.entrance import Entrance
from web.jmap.granted import Granted
from web.jmap.push.encryption import encoded
from web.jmap.push.event_source import EventSource
from web.jmap.push.hub import Hub
from web.jmap.push.outgoing import PushSender
from web.jmap.push.streams import Streams
from web.jmap.push.subscription import PushSubscriptionMethods
from web.jmap.push.web_socket import JmapSockets
from web.jmap.requests import Requests
from web.jmap.session import PREFIX


@dataclass(frozen=True, slots=True)
class Push:
    """`streams` are closed before the listeners, that they do not wait for them."""

    hub: Hub
    streams: Streams
    routes: Sequence[BaseRoute]
    sender: PushSender
    requests: Requests

    async def start(self) -> None:
        """When the store is open."""
        self.hub.start()
        self.requests.push_key = encoded(await self.sender.application_key())
        await self.sender.start()

    async def stop(self) -> None:
        """Ends every stream."""
        self.streams.close()
        await self.sender.stop()
        await self.hub.stop()


def build_push(
    services: Services,
    store: Store,
    admission: Admission,
    entrance: Entrance,
    requests: Requests,
    outward: HttpsClient,
) -> Push:
    """The hub and its routes."""
    config = services.directory.database
    states = TypeStates(store.database, config, store.submissions)
    hub = Hub(states, store, config, services.directory.contacts.shares, get_logger("push"))
    streams = Streams(services.auth, admission, services.clock)
    granted = Granted(services.auth.agents)
    source = EventSource(hub, streams, granted)
    sockets = JmapSockets(entrance, requests, hub, streams, granted)
    routes = [
        entrance.route(f"{PREFIX}/events", source.answer, "GET", cookies=True),
        WebSocketRoute(f"{PREFIX}/ws", sockets),
    ]
    subscriptions = PushSubscriptions(config, services.clock)
    sender = PushSender(
        *(hub, subscriptions, services.directory, services.auth, outward),
        f"mailto:postmaster@{services.settings.hostname}",
        *(services.clock, get_logger("push")),
    )
    PushSubscriptionMethods(subscriptions, sender, requests.limits, services.clock).add_to(
        requests.methods
    )
    return Push(hub, streams, routes, sender, requests)
