"""`mailserver service serve NAME`: a service of the gateway in a process of its own.

It works on the same configuration and database as `mailserver serve`, without the store: what needs
it is asked of the gateways that are linked. Invariant: it is registered only while it accepts.
"""

import asyncio
import contextlib
import os
import secrets
import signal
from pathlib import Path
from typing import Final

import uvloop

from auth.admission import Admission
from auth.local_service import LocalAuthService
from auth.login import Authenticator
from auth.passkeys import PasskeyDesk
from auth.relying_party import site_of
from auth.reset import ResetDesk
from auth.service_contract import AUTH
from auth.sessions import Sessions
from auth.sign_up import SignUpDesk
from auth.sms_factor import SmsFactorDesk
from auth.sources import Sources
from auth.webauthn import Site
from config.clock import SystemClock
from config.load import ConfigInvalid, load
from config.logging import configure, get_logger
from config.settings import Settings
from mailserver.linked_home import LinkedHome
from mailserver.notify import sd_notify
from mailserver.operations.errors import in_one_line
from mailserver.reloading import applicable
from mailserver.stopping import CannotServe
from net.client_tls import client_tls
from net.dns import Resolver
from net.https import HttpsClient
from net.link import Link, Offer
from net.listener import ListenError
from net.places import Place, listen, parse_place
from net.sealed import SealedError, seal
from net.threads import Offload
from storage.cache.cache import Cache
from storage.cache.opening import make_cache
from storage.directory import Directory
from storage.errors import StoreError
from storage.service_endpoints import HEARTBEAT, KEY, ServiceEndpoint, ServiceEndpoints
from storage.shared_changes import CHANNEL, SharedChanges
from web.auth import AUTH_ROUTES
from web.passkeys import PASSKEY_ROUTES
from web.registry import VERSION

LINKS: Final = 64
STOP_SECONDS: Final = 10.0


def default_place(settings: Settings, name: str) -> Place:
    """Where a service listens unless it is told otherwise."""
    return Place(path=settings.data_dir.absolute() / "services" / f"{name}.sock")


class ServiceHost:
    """AuthService, listening. `open` it, `serve` until told to stop."""

    def __init__(
        self,
        config_path: Path,
        settings: Settings,
        directory: Directory,
        offload: Offload,
        cache: Cache,
    ) -> None:
        self._config_path, self._settings, self._directory = config_path, settings, directory
        self._clock, self._log = SystemClock(), get_logger("service")
        self._offload = offload
        self._changes = SharedChanges(directory)
        self._cache = cache
        self._changes.share(cache)
        self._endpoints = ServiceEndpoints(directory.database, self._clock)
        self._home = LinkedHome()
        self._sources = Sources(settings, directory, self._home, offload, self._clock)
        self._auth = Authenticator(settings, directory, offload, self._clock, self._sources)
        self._auth.throttle.tell = self._changes.failed
        self._changes.on_failures = self._auth.throttle.heard
        self._auth.arrivals.on_new = self._home.arrived
        resolver = Resolver(settings.dns.nameservers)
        self._admission = admission = Admission(settings, self._clock, directory.blocks)
        self._desk = SignUpDesk(
            settings,
            directory,
            self._home,
            self._auth,
            admission,
            self._home,
            HttpsClient(resolver, self._offload, client_tls().verified),
            self._offload,
            self._clock,
            get_logger("sign-up"),
        )
        service = LocalAuthService(
            self._auth,
            directory,
            self._desk,
            Sessions(self._auth, directory, self._clock),
            PasskeyDesk(self._auth, directory, self._site, offload, self._clock),
            SmsFactorDesk(directory, self._auth.audit, self._desk, admission),
            ResetDesk(self._auth, directory, self._desk, admission, self._clock),
        )
        self._offer = Offer(AUTH, service)
        self._stopping = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()

    async def serve(self, place: Place) -> None:
        """Until `stop`. Raises ListenError, StoreError."""
        await self._cache.start()
        self._secret = await self._directory.secrets.get(KEY)
        server, at = await listen(place, self._accept)
        endpoint = ServiceEndpoint(
            secrets.token_hex(8),
            AUTH.name,
            VERSION,
            str(at),
            (*AUTH_ROUTES, *PASSKEY_ROUTES),
            os.getpid(),
            self._clock.now(),
        )
        beating: asyncio.Task[None] | None = None
        try:
            await self._endpoints.register(endpoint)
            beating = asyncio.create_task(self._beat(endpoint))
            self._log.info("ready", pid=os.getpid(), service=AUTH.name, place=str(at))
            sd_notify("READY=1")
            await self._stopping.wait()
            sd_notify("STOPPING=1")
            self._log.info("stopping")
        finally:
            server.close()
            if beating is not None:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
            with contextlib.suppress(StoreError):
                await self._endpoints.withdraw(endpoint.id)
            for task in self._links:
                task.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)
            if at.path is not None:
                at.path.unlink(missing_ok=True)

    def stop(self) -> None:
        self._stopping.set()

    def _site(self) -> Site:
        listen = self._settings.listen
        return site_of(self._settings, {"http": listen.http, "https": listen.https})

    async def close(self) -> None:
        """After `serve`."""
        await self._desk.close()
        await self._home.close()
        await self._auth.close()
        await self._sources.close()
        await self._changes.close()
        await self._cache.close()

    async def reload(self) -> None:
        """Takes a changed configuration; one that is wrong changes nothing."""
        try:
            loaded = await self._offload.disk(load, self._config_path)
        except ConfigInvalid as invalid:
            for error in invalid.errors:
                self._log.error("configuration is wrong, the old one stays", error=str(error))
            return
        self._settings = settings = applicable(self._settings, loaded)
        self._directory.reload(settings)
        self._sources.reload(settings)
        self._auth.reload(settings)
        self._desk.reload(settings)
        self._admission.reload(settings)
        self._log.info("reloaded")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._links) >= LINKS:
            writer.close()
            return
        self._links.add(task)
        try:
            sealed = await seal(reader, writer, self._secret, dialled=False)
            offers = {AUTH.name: self._offer}
            link = Link(sealed, self._log, offers=offers, told=self._told, health=self._health)
            await self._linked(link)
        except SealedError as error:
            self._log.warning("link refused", reason=str(error))
        finally:
            self._links.discard(task)

    async def _linked(self, link: Link) -> None:
        detach = self._changes.attach(lambda payload: link.tell(CHANNEL, payload))
        self._home.add(link)
        self._changes.refresh()  # others may have changed things while nobody was linked
        try:
            await link.run()
        finally:
            detach()
            self._home.discard(link)

    def _told(self, _link: Link, topic: str, payload: bytes) -> None:
        if topic == CHANNEL:
            self._changes.heard(payload)

    async def _health(self) -> str:
        try:
            await self._directory.database.ping()
        except StoreError as error:
            return str(error)
        return ""

    async def _beat(self, endpoint: ServiceEndpoint) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                if not await self._endpoints.beat(endpoint.id):
                    await self._endpoints.register(endpoint)
            except StoreError as error:
                self._log.warning("heartbeat not stored", reason=str(error))


def run_service(config_path: Path, settings: Settings, place: str) -> None:
    """Serves until SIGTERM or SIGINT. Raises CannotServe."""
    configure()
    try:
        where = parse_place(place) if place else default_place(settings, AUTH.name)
    except ValueError as error:
        raise CannotServe(f"--listen: {error}") from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config_path, settings, where))


async def _serve(config_path: Path, settings: Settings, place: Place) -> None:
    offload = Offload()
    try:
        directory = await Directory.open(settings, SystemClock(), offload)
    except (StoreError, OSError) as error:
        offload.close()
        raise CannotServe(in_one_line(error)) from error
    try:
        cache = make_cache(settings.store.cache, SystemClock())
        host = ServiceHost(config_path, settings, directory, offload, cache)
        try:
            _handle_signals(host)
            await host.serve(place)
        finally:
            await host.close()
    except (ListenError, StoreError) as error:
        raise CannotServe(str(error)) from error
    finally:
        await directory.close()
        offload.close()


def _handle_signals(host: ServiceHost) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    tasks: set[asyncio.Task[None]] = set()

    def on_hangup() -> None:
        made = asyncio.create_task(host.reload())
        tasks.add(made)
        made.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
