"""Builds the services that HTTP routes to, and registers them: one line a service."""

from dataclasses import dataclass
from typing import cast

from starlette.routing import Route

from auth.admission import Admission
from auth.arrivals import Arrival
from auth.home import HOME
from auth.local_service import LocalAuthService
from auth.oauth.provider import Provider
from auth.oidc.outside import Outside
from auth.passkeys import PasskeyDesk
from auth.relying_party import site_of
from auth.reset import ResetDesk
from auth.service import AuthService
from auth.service_contract import AUTH
from auth.sessions import Sessions
from auth.sign_up import SignUpDesk
from auth.sms_factor import SmsFactorDesk
from config.logging import get_logger
from filters.blob_scanning import BlobScanner
from filters.code_mail import CodeMails
from filters.login_notice import LoginNotices
from filters.profiles.local import LocalProfileService
from mailserver.dav_wiring import build_dav
from mailserver.jmap_wiring import build_jmap
from mailserver.mailing_wiring import Mailing
from mailserver.push_wiring import Push, build_push
from mailserver.rest_wiring import build_rest
from mailserver.services import Services, reached
from net.client_tls import client_tls
from net.guarded import GuardedResolver
from net.https import HttpsClient
from net.link import Offer
from storage.cache.cache import Cache
from storage.service_endpoints import KEY, ServiceEndpoints
from storage.shared_changes import SharedChanges
from storage.store import Store
from storage.values import AccountId
from web.answering import Answering
from web.auth import AuthApi
from web.bearers import Bearers
from web.discovery.routes import Discovery
from web.drive.endpoints import DriveWeb
from web.drive.links import LinkRoutes
from web.images.fetching import ImageFetcher
from web.images.routes import ImageProxy
from web.jmap.blob.uploads import Uploads
from web.jmap.entrance import Entrance
from web.jmap.limits import Limits
from web.logins import Logins
from web.mta_sts import mta_sts_route
from web.oauth.endpoints import OAuthEndpoints
from web.oauth.outside import OutsidePages
from web.oauth.pages import OAuthPages
from web.pages.login import LoginPages
from web.pages.pages import Pages
from web.pages.reset import ResetPages
from web.pages.second import SecondPages
from web.pages.sign_up import SignUpPages
from web.passkeys import PasskeyApi
from web.profile import ProfileApi
from web.registry import Registry, Service
from web.registry_remote import RemoteService, proxy
from web.remembered_auth import RememberedAuth
from web.send_email import SendEmail
from web.server import HttpServer


@dataclass(frozen=True, slots=True)
class LocalHome:
    """auth/home.py made of parts of this process."""

    store: Store
    mails: CodeMails
    notices: LoginNotices

    async def add_account(self, account: AccountId, *, limit_bytes: int = 0) -> None:
        await self.store.add_account(account, limit_bytes=limit_bytes)

    async def set_limits(self, account: AccountId, limit_bytes: int, limit_messages: int) -> None:
        await self.store.set_limits(account, limit_bytes, limit_messages)

    async def send(self, to: str, subject: str, text: str) -> None:
        await self.mails.send(to, subject, text)

    async def arrived(self, arrival: Arrival) -> None:
        self.notices.tell(arrival)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The registry, and services in other processes that it leads to."""

    registry: Registry
    changes: SharedChanges
    cache: Cache
    remote: tuple[RemoteService, ...]
    logins: Logins
    push: Push

    async def start(self) -> None:
        """Looks for the cache, and for services in other processes."""
        await self.cache.start()
        await self.push.start()
        for one in self.remote:
            await one.start()

    async def stop(self) -> None:
        await self.push.stop()
        for one in self.remote:
            await one.stop()
        self.logins.close()
        await self.changes.close()
        await self.cache.close()


def build_gateway(
    services: Services,
    desk: SignUpDesk,
    sms_factor: SmsFactorDesk,
    admission: Admission,
    home: LocalHome,
    http: HttpServer,
    provider: Provider,
    outside: Outside,
    outward: HttpsClient,
    scanner: BlobScanner,
    mailing: Mailing,
    drive: DriveWeb,
) -> Gateway:
    """What this process serves by HTTP, without /healthz."""
    registry, directory = Registry(), services.directory
    changes = SharedChanges(directory)
    changes.share(services.cache)
    services.auth.throttle.tell = changes.failed
    changes.on_failures = services.auth.throttle.heard
    sessions = Sessions(services.auth, directory, services.clock)
    auth: AuthService = LocalAuthService(
        services.auth,
        directory,
        desk,
        sessions,
        PasskeyDesk(
            services.auth,
            directory,
            lambda: site_of(services.settings, http.addresses),
            services.offload,
            services.clock,
        ),
        sms_factor,
        ResetDesk(services.auth, directory, desk, admission, services.clock),
    )
    elsewhere = None
    if AUTH.name in services.settings.services.remote:
        elsewhere = _remote(services, changes, home)
        remembered = RememberedAuth(
            cast(AuthService, proxy(elsewhere, AUTH)), directory, services.clock
        )
        changes.on_refresh = remembered.clear
        auth = cast(AuthService, remembered)
    answering = Answering(admission, lambda: services.settings, get_logger("http"))
    routes = [*AuthApi(auth, answering).routes(), *PasskeyApi(auth, answering).routes()]
    registry.register(Service("auth", routes, remote=elsewhere))
    pages = Pages(
        auth,
        admission,
        lambda: services.settings,
        directory.secrets.get,
        services.offload,
        services.clock,
        get_logger("http"),
    )
    consent = OAuthPages(provider, pages, directory, services.clock)
    second = SecondPages(pages, auth, services.offload, consent.leads_to)
    shown: list[Route] = [
        *pages.routes(),
        *LoginPages(pages, auth, second, consent.leads_to, lambda: outside.name).routes(),
        *second.routes(),
        *SignUpPages(pages, auth, lambda: services.settings).routes(),
        *ResetPages(pages, auth).routes(),
    ]
    registry.register(Service("pages", shown))
    endpoints = OAuthEndpoints(provider, admission, lambda: services.settings, get_logger("http"))
    away = OutsidePages(pages, outside, services.auth, sessions, second, get_logger("http"))
    shown = [*endpoints.routes(), *consent.routes(), *away.routes()]
    registry.register(Service("oauth", shown))
    policy = mta_sts_route(lambda: services.settings, services.directory.serves)
    registry.register(Service("mta-sts", [policy]))
    registry.register(Service("images", _images(services).routes()))
    registry.register(Service("discovery", _discovery(services).routes()))
    logins = Logins(services.auth, services.clock)
    entrance = Entrance(logins, answering, auth.visitor)
    bearers = Bearers(logins, auth, services.auth.agents, answering)
    uploads = Uploads(services.blobs, scanner, Limits(), services.clock)
    sending = SendEmail(mailing.emails, uploads, bearers, answering, services.offload)
    registry.register(Service("email", sending.routes()))
    profiles = LocalProfileService(
        directory, services.blobs, scanner, drive.service, services.clock
    )
    registry.register(Service("profile", ProfileApi(profiles, bearers, answering).routes()))
    jmap, requests = build_jmap(services, home.store, entrance, scanner, mailing)
    registry.register(Service("jmap", jmap.routes()))
    registry.register(Service("carddav", build_dav(services, logins, answering).routes()))
    push = build_push(services, home.store, admission, entrance, requests, outward)
    registry.register(Service("push", push.routes))
    registry.register(build_rest(services, bearers, answering, drive, mailing, home.store))
    links = LinkRoutes(drive.service, logins, answering, drive.streams)
    registry.register(Service("drive", links.routes()))
    remote = () if elsewhere is None else (elsewhere,)
    return Gateway(registry, changes, services.cache, remote, logins, push)


def _images(services: Services) -> ImageProxy:
    guarded = GuardedResolver(
        services.settings.dns.nameservers, lambda: services.settings.images.networks
    )
    client = HttpsClient(guarded, services.offload, client_tls().verified)
    fetcher = ImageFetcher(client, lambda: services.settings.images.proxy)
    return ImageProxy(fetcher, services.directory.secrets.get, services.clock)


def _discovery(services: Services) -> Discovery:
    """Told are the addresses that the listeners have once they are bound."""
    directory = services.directory
    return Discovery(
        lambda: services.settings,
        lambda: reached(services),
        directory.serves,
        services.offload,
        services.clock,
    )


def _remote(services: Services, changes: SharedChanges, home: LocalHome) -> RemoteService:
    return RemoteService(
        AUTH,
        ServiceEndpoints(services.directory.database, services.clock),
        lambda: services.directory.secrets.get(KEY),
        changes,
        services.clock,
        get_logger("registry"),
        {HOME.name: Offer(HOME, home)},
    )
