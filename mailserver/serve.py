"""The serving process: starts every part in order, says when it is ready, stops in reverse.

Invariant: no listener accepts before the store has recovered; none is left when the store closes.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import uvloop

from auth.sms_factor import SmsFactorDesk
from config.fields import Endpoint
from config.load import ConfigInvalid, load
from config.logging import configure, get_logger
from config.settings import Settings
from filters.delivery import Delivery
from filters.own.own import OwnFilters
from filters.webhooks.sender import WebhookSender
from mailserver.control import ControlServer, Progress
from mailserver.drive_wiring import Drive
from mailserver.notify import sd_notify
from mailserver.opening import close_services, open_services
from mailserver.operations.accounts import settle_accounts
from mailserver.operations.errors import OperationError, in_one_line
from mailserver.operations.registry import load_all, perform
from mailserver.reloading import applicable, changed_keys
from mailserver.services import Services
from mailserver.stopping import CannotServe
from mailserver.wiring import Parts, build_parts
from net.listener import ListenError, allow_open_files
from net.memory import map_large_blocks
from net.tls import CertificateError, TlsContexts
from smtp.outbound.runner import Outbound
from storage.errors import StoreError
from web.app import create_app
from web.registry import Registry

TLS_REFRESH_SECONDS = 10
GC_THRESHOLDS = (10_000, 20, 20)
"""What the server makes is freed without the collector (tests/support/freed.py); libraries leave a
few circles for a command. A collection of the young looks at 200,000 objects at most: 1 to 8 ms.
"""


class Reloadable(Protocol):
    """A part that takes a changed configuration while it runs."""

    def reload(self, settings: Settings) -> None: ...


class Server:
    """A running server. `start` until ready, `wait` until told to stop, `stop`."""

    def __init__(self, services: Services, tls: TlsContexts) -> None:
        settings = services.settings
        self.services = services
        services.server = self
        self._tls = tls
        self._parts: Parts = build_parts(services, tls)
        self._control = ControlServer(settings.data_dir, self._perform, services.log)
        self._state = "starting"
        self._stopping = asyncio.Event()
        self._refresher: asyncio.Task[None] | None = None
        self.failure: str | None = None

    @property
    def addresses(self) -> dict[str, list[Endpoint]]:
        """The real address of each listener, by its name in [listen]."""
        parts = self._parts
        listeners = (parts.smtp, parts.imap, parts.managesieve, parts.http)
        return {name: at for one in listeners for name, at in one.addresses.items()}

    @property
    def own(self) -> OwnFilters:
        """The administrator's own filters."""
        return self._parts.own

    @property
    def delivery(self) -> Delivery:
        """The way of messages into the store."""
        return self._parts.delivery

    @property
    def drive(self) -> Drive:
        """Files, attachments and links."""
        return self._parts.drive

    @property
    def registry(self) -> Registry:
        """The services of the gateway."""
        return self._parts.gateway.registry

    @property
    def webhooks(self) -> WebhookSender:
        """Who tells programs what happens to mail."""
        return self._parts.webhooks

    @property
    def outbound(self) -> Outbound:
        """The sending side."""
        return self._parts.outbound

    @property
    def sms_factor(self) -> SmsFactorDesk:
        """Second factors by SMS, which need a sender of texts."""
        return self._parts.sms_factor

    async def start(self) -> None:
        """Returns when every listener accepts. Raises ListenError."""
        parts, services = self._parts, self.services
        parts.http.bind()
        https = parts.http.addresses["https"]
        app = create_app(
            lambda: self._state,
            lambda: self.services.settings,
            https[0].port if https else None,
            parts.gateway.registry,
        )
        await parts.gateway.start()
        await parts.http.start(app)
        await self._control.start()
        await parts.own.start()
        await parts.events.start()
        parts.tag_trainer.start()
        await parts.rescan.start()
        parts.contact_collector.start()
        await parts.imap.start()
        await parts.managesieve.start()
        await parts.smtp.start()
        parts.collector.start()
        parts.lists.start()
        await parts.webhooks.start()
        await parts.outbound.start()
        parts.report_sender.start()
        parts.failures.start()
        parts.rotation.start()
        parts.source_rounds.start()
        services.learned.begin()
        if parts.training is not None:
            await parts.training.start()
        services.quarantine.start()
        parts.blob_collector.start()
        parts.blob_scanner.start()
        parts.drive.tidier.start()
        services.store.on_failure(self._fail)
        self._refresher = asyncio.create_task(self._refresh_certificate())
        self._state = "ok"
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        listeners = {name: [str(a) for a in at] for name, at in self.addresses.items() if at}
        services.log.info("ready", pid=os.getpid(), listen=listeners)
        sd_notify("READY=1")

    async def wait(self) -> None:
        """Returns when a signal or a failure asks the server to stop."""
        await self._stopping.wait()

    def request_stop(self) -> None:
        """Begins to stop; safe to call twice."""
        self._stopping.set()

    async def stop(self) -> None:
        """Says good-bye to clients and ends background work; the caller closes the store."""
        if self._state == "ok":  # else the start failed, and what is said is why
            sd_notify("STOPPING=1")
            self.services.log.info("stopping")
        self._state = "stopping"
        if self._refresher is not None:
            self._refresher.cancel()
        self._parts.gateway.push.streams.close()
        await self._parts.smtp.stop()
        await self._parts.report_sender.stop()
        await self._parts.failures.stop()
        await self._parts.lists.stop()
        await self._parts.own.stop()
        await self._parts.outbound.stop()
        await self._parts.webhooks.stop()
        await self._parts.collector.stop()
        await self._parts.rotation.stop()
        await self._parts.source_rounds.stop()
        await self._parts.managesieve.stop()
        await self._parts.imap.stop()
        await self._parts.login_notices.stop()
        await self._parts.events.stop()
        await self._parts.tag_trainer.stop()
        await self._parts.rescan.stop()
        await self._parts.contact_collector.stop()
        if self._parts.training is not None:
            await self._parts.training.stop()
        await self._parts.clear.stop()
        await self._parts.blob_collector.stop()
        await self._parts.drive.tidier.stop()
        await self._control.stop()
        await self._parts.http.stop()
        await self._parts.gateway.stop()
        await self._parts.desk.close()
        await self._parts.close()

    async def reload(self) -> dict[str, list[str]]:
        """Reads the configuration again and applies what can change while running."""
        services = self.services
        sd_notify("RELOADING=1")
        try:
            loaded = load(services.config_path)
        except ConfigInvalid as invalid:
            for error in invalid.errors:
                services.log.error("configuration is wrong, the old one stays", error=str(error))
            raise OperationError("; ".join(map(str, invalid.errors))) from None
        finally:
            sd_notify("READY=1")
        applied, restart = changed_keys(services.settings, loaded)
        settings = applicable(services.settings, loaded)
        await self._use_certificate(settings)
        services.settings = settings
        services.directory.reload(settings)
        services.explain.bound(settings.explain.keep, settings.explain.size)
        services.quarantine.bound(settings.quarantine.keep, settings.quarantine.size)
        services.sources.reload(settings)
        for part in (services.auth, *self._parts_with_settings()):
            part.reload(settings)
        services.log.info("reloaded", applied=applied, restart=restart)
        return {"applied": applied, "restart": restart}

    def _parts_with_settings(self) -> tuple[Reloadable, ...]:
        parts = self._parts
        return (
            *(parts.pipeline, parts.own, parts.smtp, parts.imap, parts.managesieve),
            *(
                parts.outbound,
                parts.junk,
                parts.rescan,
                parts.desk,
                parts.login_notices,
                parts.provider,
                parts.outside,
            ),
            *(parts.collector, parts.report_sender, parts.failures),
            *(self.services.signer, parts.forwarding, parts.rotation, parts.scanner),
        )

    async def _perform(self, operation: str, args: Mapping[str, Any], progress: Progress) -> Any:
        return await perform(self.services, operation, args, progress)

    def _fail(self, text: str) -> None:
        self.failure = text
        self.services.log.critical("stopping after a failure", reason=text)
        self.request_stop()

    async def _use_certificate(self, settings: Settings) -> None:
        tls, services = settings.tls, self.services
        try:
            changed = await services.offload.disk(
                self._tls.use, tls.certificate, tls.key, settings.data_dir, settings.hostname
            )
        except CertificateError as error:
            services.log.error("certificate not usable, nothing is reloaded", error=str(error))
            raise OperationError(str(error)) from None
        if changed:
            services.log.info("certificate read again")

    async def _refresh_certificate(self) -> None:
        while True:
            await asyncio.sleep(TLS_REFRESH_SECONDS)
            try:
                if await self.services.offload.disk(self._tls.refresh):
                    self.services.log.info("certificate read again")
            except CertificateError as error:
                self.services.log.error(
                    "certificate not usable, the old one stays", error=str(error)
                )


def run_server(config_path: Path, settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises CannotServe; leaves the loop closed."""
    configure()
    load_all()
    sys.unraisablehook = _log_unraisable
    sys.setswitchinterval(0.0005)
    map_large_blocks()
    allow_open_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config_path, settings))


def _log_unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    """What Python would print as a traceback, such as for a server name in TLS that is no ASCII."""
    get_logger("server").warning(
        "exception ignored", error=repr(ignored.exc_value), about=repr(ignored.object)[:200]
    )


async def _serve(config_path: Path, settings: Settings) -> None:
    try:
        services = await open_services(config_path, settings)
    except (StoreError, OSError) as error:
        raise CannotServe(in_one_line(error)) from error
    try:
        await settle_accounts(services)
        await services.auth.take_over(settings.data_dir)
        tls = settings.tls
        contexts = await services.offload.disk(
            TlsContexts.create,
            tls.certificate,
            tls.key,
            settings.data_dir,
            settings.hostname,
            settings.auth.client_ca,
        )
        server = Server(services, contexts)
        _handle_signals(server)
        try:
            await server.start()
            await server.wait()
        finally:
            await server.stop()
        await services.auth.hand_over(settings.data_dir)
    except CertificateError as error:
        raise CannotServe(f"{error}; correct tls.certificate, tls.key or auth.client_ca") from error
    except (ListenError, StoreError) as error:
        raise CannotServe(str(error)) from error
    finally:
        await close_services(services)
    if server.failure:
        raise CannotServe(server.failure)


def _handle_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.request_stop)
    tasks: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        try:
            await server.reload()
        except OperationError:
            pass  # logged where it was found

    def on_hangup() -> None:
        task = asyncio.create_task(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
